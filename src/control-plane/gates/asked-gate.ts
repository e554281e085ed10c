// What every kind of gate is to the rollout that asks it: one question, one result. A gate does one try;
// how often it is asked, for how long, and what follows from a result is decided by the rollout.

import type { Color, LiveEndpoint } from '../../contract/table.ts';
import type {
  GateMoment,
  ShadowGateSettings,
} from '../../config/settings/rollout/rollout-settings.ts';
import type { SignedPost } from '../notifications/signed-post.ts';
import type { DnsClient } from '../targets/lookup.ts';
import type { IsOurs } from '../targets/own-places.ts';
import type { ConnectTarget } from '../targets/target-connection.ts';

export interface GateResult {
  /** `later`: not yet, ask again. `error`: it could not be found out; it never opens. */
  readonly verdict: 'ok' | 'fail' | 'later' | 'error';
  /** One line for the operator. */
  readonly detail: string;
  /** With `later`: when to ask again. */
  readonly retryAfterMs?: number;
  /** Small JSON for the view of the rollout. */
  readonly facts?: unknown;
}

/** A deployment that traffic leaves or goes to. */
interface GateRelease {
  readonly deployment: number;
  readonly release: string;
  readonly color: Color;
}

/** One service that moves. */
export interface GateSubject {
  readonly service: string;
  readonly from: GateRelease;
  readonly to: GateRelease & {
    /** URLs, as they were registered. */
    readonly targets: readonly string[];
  };
}

/** The question. */
export interface GateContext {
  readonly rollout: string;
  /** The same id for the same question, also after a restart. */
  readonly attempt: string;
  readonly gate: string;
  readonly at: GateMoment;
  readonly stage: string;
  /** Of 100. */
  readonly share: number;
  /** At least one. */
  readonly subjects: readonly GateSubject[];
  readonly actor: string;
  readonly reason: string;
}

export interface Gate {
  /** Resolves with the result of one try, at once when `signal` aborts. Never rejects. */
  ask(context: GateContext, signal: AbortSignal): Promise<GateResult>;
}

/** What gates need of the process that they run in. */
export interface GateParts {
  /** Endpoints of a deployment at this moment; names have been looked up. */
  readonly endpointsOf: (service: string, deployment: number) => readonly LiveEndpoint[];
  /** False: the path of a socket has come to lead where the rules do not let it. */
  readonly mayConnect: (endpoint: LiveEndpoint) => boolean;
  /** Connects as the workers do. */
  readonly connect: ConnectTarget;
  /** Host field of requests to a service; empty: that of the target. */
  readonly hostOf: (service: string) => string;
  readonly post: SignedPost;
  readonly dns: Pick<DnsClient, 'addresses'>;
  readonly isOurs: IsOurs;
  /** What copies of requests have shown: `ShadowReports` of shadow-report.ts, one for the process. */
  readonly shadows: { gate(settings: ShadowGateSettings): Gate };
  /** The environment of Turnout, of which a command is given a part. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

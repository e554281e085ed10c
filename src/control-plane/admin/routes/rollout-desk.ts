// What the routes need of the rollouts, whose machine they do not know.

import type { ReleaseSchema } from '../../store/service-state.ts';
import type { RolloutSeries } from '../../../api/rollout-series.ts';
import type { RolloutStarted } from '../../../api/rollouts.ts';
import type { RolloutBrief, RolloutSummary, RolloutView } from '../../../api/rollout-views.ts';
import type { SwitchAnswer, SwitchesAnswer } from '../../../api/switching.ts';
import type {
  ChangeRequest,
  AskedRollback,
  SwitchRequest,
} from '../../deployments/change-request.ts';
import type { Destination } from '../../deployments/destination.ts';

/** What a caller says of a rollout; what is left out is as the settings of the service say. */
interface RolloutTerms {
  readonly plan?: string | undefined;
  readonly bakeMs?: number | undefined;
  readonly guard?: 'off' | 'watch' | 'rollback' | undefined;
}

/** A release that is registered in the step that starts its rollout. */
interface NewRelease {
  readonly release: string;
  readonly targets: readonly string[];
  readonly evict: boolean;
  readonly unlock: boolean;
  readonly metadata: Readonly<Record<string, string>>;
  readonly schema?: ReleaseSchema | undefined;
  /** The services of which something may be evicted; undefined: all. */
  readonly evictIn: readonly string[] | undefined;
  /** Where its targets may lead; undefined: anywhere. */
  readonly allow: readonly string[] | undefined;
}

export interface WantedRollout extends RolloutTerms {
  /** One that is undefined: the only one there is. */
  readonly services: readonly (string | undefined)[];
  /** Left out: the color that is not active. */
  readonly to: Destination | undefined;
  /** Undefined: the release is there already. */
  readonly registers: NewRelease | undefined;
  readonly skips: { readonly gates: readonly string[]; readonly reason: string } | undefined;
}

/** What one caller does to a rollout. */
export type RolloutAct =
  | { readonly kind: 'approve' | 'reject'; readonly gate: string | undefined }
  | { readonly kind: 'pause' | 'resume' | 'skip' | 'promote' }
  | {
      readonly kind: 'abort';
      readonly restick: 'all' | 'new' | undefined;
      readonly rampMs: number | undefined;
      readonly lockOut: boolean | undefined;
    }
  | { readonly kind: 'point-of-no-return'; readonly on: boolean };

export interface RolloutDesk {
  /** With `dryRun`: tells all that would refuse it. */
  start(request: ChangeRequest, wanted: WantedRollout): Promise<RolloutStarted>;
  /** A switch; whether it makes a rollout is decided by what is asked and by the settings. */
  switchNow(request: SwitchRequest & RolloutTerms): Promise<SwitchAnswer>;
  /** Several services in one step. */
  switchAllNow(
    services: readonly string[],
    request: SwitchRequest & RolloutTerms,
  ): Promise<SwitchesAnswer>;
  /** Ends the rollout that runs, or takes the last switch back. */
  rollback(request: AskedRollback): Promise<SwitchAnswer>;
  /** What the status of a service tells; null: no rollout moves it. */
  brief(service: string): RolloutBrief | null;
  /** The latest first; `isActive` undefined: those that go on and those that have ended. */
  list(filter: {
    readonly service: string | undefined;
    readonly isActive: boolean | undefined;
  }): readonly RolloutSummary[];
  /** Throws `rollout-unknown`. */
  view(id: string): RolloutView;
  /** Throws `rollout-unknown`. */
  series(id: string): RolloutSeries;
  /** Resolves when the last event of a rollout is another than `event`, or `signal` is aborted. */
  waitFor(id: string, event: number, signal: AbortSignal): Promise<void>;
  /** `request.ifMatch` has numbers of events here. */
  act(request: ChangeRequest, id: string, act: RolloutAct): Promise<RolloutView>;
}

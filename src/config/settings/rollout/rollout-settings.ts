// How a service is rolled out, once its configuration is read: plan, split, guard, warm-up, gates and
// hooks; and where news is sent. Types alone: the rows that make them stand in rollout-rows.ts and
// gate-rows.ts, and build-rollout.ts puts the two together.

import type { StatusRange } from '../../values/grammar.ts';
import type { JsonScalar } from '../../values/json-path.ts';
import type { Taken } from '../../values/taken.ts';
import type { TextPattern } from '../../values/text-pattern.ts';

export interface RolloutSettings {
  /** As it was written; `parseTrafficPlan` accepts it. */
  readonly plan: string;
  /** All targets must be up by then. */
  readonly healthMs: number;
  /** After all traffic has moved. 0: no bake, and no guard after the move. */
  readonly bakeMs: number;
  /** What follows when the guard can't tell, after one extension. */
  readonly onInconclusive: 'proceed' | 'pause' | 'rollback';
  readonly split: SplitSettings;
  readonly rollback: RollbackSettings;
  readonly guard: GuardSettings;
  readonly warmup: WarmupSettings;
  readonly gates: readonly GateSettings[];
  readonly hooks: readonly HookSettings[];
}

export interface SplitSettings {
  readonly sessions: 'new' | 'all';
  readonly by: 'session' | 'address' | 'request';
}

export interface RollbackSettings {
  /** Whose sessions move back at once: all, or only those that begin. */
  readonly restick: 'all' | 'new';
  /** 0: at once. */
  readonly rampMs: number;
  /** The release is locked out afterwards. */
  readonly lockOut: boolean;
}

export interface GuardSettings {
  readonly mode: 'off' | 'watch' | 'rollback';
  readonly patience: 'calm' | 'normal' | 'quick';
  /** Share of harmless rollouts that may be rolled back at most. */
  readonly alpha: number;
  /** Distinct clients that must have had a bad answer. */
  readonly clients: number;
  /** Patterns of paths that are not judged. */
  readonly ignorePaths: readonly string[];
  readonly errors: {
    /** The new release may be this many times as bad as the old one. */
    readonly ratio: number;
    /** Of 1: a share of bad answers that is never too many. */
    readonly floor: number;
    /** Of 1: the share that is too many where there is nothing to compare with. */
    readonly limit: number;
    /** Statuses that are bad. */
    readonly statuses: readonly StatusRange[];
  };
  readonly latency: {
    readonly mode: 'off' | 'compare';
    readonly ratio: number;
    /** Not judged for this long after a step that at least doubles the share. */
    readonly graceMs: number;
    /** 1 % of the requests may take longer. 0: no such limit. */
    readonly p99Ms: number;
  };
}

/** Requests and connections before the first user. */
export interface WarmupSettings {
  /** Paths. None, and no connections: there is no warm-up. */
  readonly requests: readonly string[];
  /** Times that each path is asked of each target. */
  readonly repeat: number;
  /** Requests at a time to one target. */
  readonly parallel: number;
  /** Connections that are opened at once to each target. */
  readonly connections: number;
  readonly withinMs: number;
  /** A warm-up that fails ends the rollout; else it is a warning. */
  readonly required: boolean;
}

/**
 * When a gate is asked: before traffic, before each raise, while baking. What comes after can't be stopped: hooks.
 * `hold`: no rollout asks it; a switch that holds requests and names it does, when nothing runs any more.
 */
export type GateMoment = 'before' | 'step' | 'after' | 'hold';

interface GateCommon {
  /** Unique in its service. */
  readonly name: string;
  readonly at: GateMoment;
  /** From the first try to giving up. */
  readonly timeoutMs: number;
  /** One try at most. */
  readonly tryMs: number;
  readonly onFail: 'stop' | 'warn';
}

export type GateSettings =
  | RequestsGateSettings
  | WebhookGateSettings
  | CommandGateSettings
  | PrometheusGateSettings
  | ShadowGateSettings
  | ApproveGateSettings;

/** Requests in order to the targets of the new deployment. */
export interface RequestsGateSettings extends GateCommon {
  readonly kind: 'requests';
  /** `all`: each target is asked all of it. `one`: the first, for requests that create something. */
  readonly targets: 'all' | 'one';
  /** At least one. */
  readonly requests: readonly SmokeRequest[];
}

export interface SmokeRequest {
  readonly method: string;
  /** `${name}` in it stands for a value that was taken before; so in fields and body. */
  readonly path: string;
  readonly fields: ReadonlyMap<string, string>;
  readonly body: string;
  readonly status: readonly StatusRange[];
  /** Field of the answer in lower case → what it must be. */
  readonly field: ReadonlyMap<string, TextPattern>;
  /** Undefined: any body. */
  readonly match: TextPattern | undefined;
  /** Path as it was written → what must stand there. */
  readonly json: ReadonlyMap<string, JsonScalar>;
  /** Head and body must be there by then. 0: the time of the try. */
  readonly withinMs: number;
  /** Name → where in the answer it is taken from. */
  readonly take: ReadonlyMap<string, Taken>;
}

/** Where a POST goes, and what proves it: hooks, gates and notifications. */
export interface Endpoint {
  readonly url: string;
  /** File with the secret that signs; undefined: not signed. Read at each use, so it can rotate. */
  readonly secretFile: string | undefined;
  /** File with further authorities as PEM. */
  readonly caFile: string | undefined;
}

export interface WebhookGateSettings extends GateCommon, Endpoint {
  readonly kind: 'webhook';
}

export interface CommandGateSettings extends GateCommon {
  readonly kind: 'command';
  /** Program and its arguments; at least one. No shell reads it. */
  readonly command: readonly [string, ...string[]];
}

export interface PrometheusGateSettings extends GateCommon {
  readonly kind: 'prometheus';
  /** Where its API begins: `/api/v1/query` is put behind it. */
  readonly url: string;
  readonly query: string;
  readonly min: number | undefined;
  readonly max: number | undefined;
  /** Empty: the secret is a bearer token; else the password of this user. */
  readonly user: string;
  readonly secretFile: string | undefined;
  readonly caFile: string | undefined;
}

/** Copies of live requests are answered by the new deployment too, and compared. */
export interface ShadowGateSettings extends GateCommon {
  readonly kind: 'shadow';
  /** Of 1. */
  readonly share: number;
  /** Of 1: a share of differing answers that is never too many. */
  readonly mismatch: number;
  /** Fields that are compared, in lower case. */
  readonly fields: readonly string[];
  /** Parts of a body that may differ. */
  readonly ignore: readonly TextPattern[];
  /** Patterns of paths that are not copied. */
  readonly ignorePaths: readonly string[];
  /** Comparisons; with fewer of them the gate does not open. */
  readonly minimum: number;
  /** Bytes of a body that are compared; 0: bodies are not. */
  readonly bodyBytesMax: number;
  /** A response that begins this much later than the live one differs; 0: time is not compared. */
  readonly slowerMs: number;
}

/** A person. The machine waits for it; no gate of `control-plane/gates` stands behind it. */
export interface ApproveGateSettings extends GateCommon {
  readonly kind: 'approve';
  /** `others`: not the actor that started the rollout. */
  readonly by: 'anyone' | 'others';
  readonly onTimeout: 'stop' | 'proceed';
}

export type HookMoment = 'afterSwitch' | 'afterDrain' | 'onRollback';

/** Told, not asked: a failure changes nothing. */
export type HookSettings = {
  /** At least one. */
  readonly on: readonly HookMoment[];
  /** One try at most. */
  readonly timeoutMs: number;
} & (
  | ({ readonly kind: 'webhook' } & Endpoint)
  | { readonly kind: 'command'; readonly command: readonly [string, ...string[]] }
);

/** Where events are sent. */
export interface NotifySettings extends Endpoint {
  /** Kinds such as `rollout.done`, `rollout.*` for all that begin so. None: all. */
  readonly events: readonly string[];
  /** Names of services. None: all. */
  readonly services: readonly string[];
}

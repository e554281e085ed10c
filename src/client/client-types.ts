// What calls of the admin API say and hear, under names for users of the client. Types alone, from
// the schemas that the server checks by.

import type { z } from 'zod';
import type * as alarms from '../api/alarms.ts';
import type * as audit from '../api/audit-answer.ts';
import type * as targets from '../api/deployment-targets.ts';
import type * as draining from '../api/draining.ts';
import type * as dryRuns from '../api/dry-runs.ts';
import type * as holding from '../api/holding.ts';
import type * as process from '../api/process.ts';
import type * as releases from '../api/releases.ts';
import type * as rollouts from '../api/rollouts.ts';
import type * as rolloutSeries from '../api/rollout-series.ts';
import type * as rolloutViews from '../api/rollout-views.ts';
import type * as fields from '../api/shared-fields.ts';
import type * as status from '../api/status-answer.ts';
import type * as switching from '../api/switching.ts';

/** As a caller writes it: what has a default may be left out, lists may be constant. */
type Said<Schema extends z.ZodType> = Constant<z.input<Schema>>;
type Constant<T> = T extends readonly (infer Item)[]
  ? readonly Constant<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Constant<T[Key]> }
    : T;
type Heard<Schema extends z.ZodType> = Constant<z.output<Schema>>;

export type Color = z.output<typeof fields.color>;

export type ServiceQuery = Said<typeof fields.serviceQuery>;
export type Status = Heard<typeof status.statusAnswer>;
export type Ready = Heard<typeof process.readyAnswer>;
export type Check = Heard<typeof alarms.checkAnswer>;
export type Deployments = Heard<typeof releases.deploymentsAnswer>;
/** Numbers of a query may be numbers. */
export type HistoryQuery = { readonly service?: string; readonly limit?: number };
export type History = Heard<typeof switching.historyAnswer>;
export type AuditQuery = HistoryQuery & {
  /** Entries with a smaller number. */
  readonly before?: number;
  /** Follows the whole chain and tells where it is broken. */
  readonly verify?: boolean;
  /** A head that was noted earlier, `SEQ:HASH`: tells whether the log still leads to it. */
  readonly head?: string;
};
export type Audit = Heard<typeof audit.auditAnswer>;
export type DrainQuery = {
  readonly service?: string;
  readonly deployment?: number;
  /** Answers when nothing drains any more, or after this long: `10s`, `5m`. */
  readonly wait?: string;
};
export type Drains = Heard<typeof draining.drainAnswer>;

export type Release = Said<typeof releases.releaseBody>;
export type Registered = Heard<typeof releases.releaseAnswer>;
export type Targets = Said<typeof targets.targetsBody>;
export type Scaled = Heard<typeof targets.targetsAnswer>;
export type Switch = Omit<Said<typeof switching.switchBody>, 'services'>;
export type Switched = Heard<typeof switching.switchAnswer>;
export type SwitchedAll = Heard<typeof switching.switchesAnswer>;
export type Rollback = Said<typeof switching.rollbackBody>;
export type DryRun = Said<typeof dryRuns.dryRunBody>;
export type Foreseen = Heard<typeof dryRuns.dryRunAnswer>;
export type Unlock = Said<typeof switching.unlockBody>;
export type Evict = Said<typeof draining.drainBody>;
export type Changed = Heard<typeof fields.changeAnswer>;
export type Hold = Said<typeof holding.holdBody>;
export type Resume = Said<typeof holding.resumeBody>;
export type Maintenance = Said<typeof holding.maintenanceBody>;
export type Gate = Heard<typeof holding.gateAnswer>;
export type FreezeReason = Said<typeof switching.freezeBody>;
export type Unfreeze = Said<typeof switching.unfreezeBody>;
export type Frozen = Heard<typeof switching.freezeAnswer>;
export type Preview = Said<typeof releases.previewBody>;
export type PreviewToken = Heard<typeof releases.previewAnswer>;
export type Reload = Said<typeof process.reloadBody>;
export type Reloaded = Heard<typeof process.reloadAnswer>;
export type RolloutsQuery = {
  readonly service?: string;
  /** True: those that go on; false: those that have ended. */
  readonly active?: boolean;
  readonly limit?: number;
};
export type Rollouts = Heard<typeof rollouts.rolloutsAnswer>;
export type RolloutQuery = {
  readonly service?: string;
  /** Answers at its next event, or after this long: `30s`. */
  readonly wait?: string;
  /** The last event that is known: `event` of a view. */
  readonly after?: number;
};
export type Rollout = Heard<typeof rolloutViews.rolloutView>;
export type RolloutSeries = Heard<typeof rolloutSeries.rolloutSeries>;
export type RolloutStart = Said<typeof rollouts.rolloutBody>;
export type RolloutStarted = Heard<typeof rollouts.rolloutStarted>;
export type RolloutGate = Said<typeof rollouts.rolloutGateBody>;
export type RolloutReason = Said<typeof rollouts.rolloutActBody>;
export type RolloutPromote = Said<typeof rollouts.rolloutPromoteBody>;
export type RolloutAbort = Said<typeof rollouts.rolloutAbortBody>;
export type PointOfNoReturn = Said<typeof rollouts.pointOfNoReturnBody>;

/** What can be done to a rollout, and what is said with it. */
export interface RolloutActs {
  readonly approve: RolloutGate;
  readonly reject: RolloutGate;
  readonly pause: RolloutReason;
  readonly resume: RolloutReason;
  readonly skip: RolloutReason;
  readonly promote: RolloutPromote;
  readonly abort: RolloutAbort;
  readonly 'point-of-no-return': PointOfNoReturn;
}

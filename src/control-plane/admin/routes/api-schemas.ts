// The names that bodies and answers have in the OpenAPI document. Programs are generated from them, so a
// name that was published stays.

import { z } from 'zod';
import * as alarms from '../../../api/alarms.ts';
import * as audit from '../../../api/audit-answer.ts';
import * as targets from '../../../api/deployment-targets.ts';
import * as draining from '../../../api/draining.ts';
import * as dryRuns from '../../../api/dry-runs.ts';
import * as freezes from '../../../api/freeze-windows.ts';
import * as holding from '../../../api/holding.ts';
import * as live from '../../../api/live-answers.ts';
import * as process from '../../../api/process.ts';
import * as releases from '../../../api/releases.ts';
import * as rollouts from '../../../api/rollouts.ts';
import * as rolloutSeries from '../../../api/rollout-series.ts';
import * as rolloutViews from '../../../api/rollout-views.ts';
import * as scheduled from '../../../api/scheduled.ts';
import * as shared from '../../../api/shared-fields.ts';
import * as status from '../../../api/status-answer.ts';
import * as switching from '../../../api/switching.ts';
import * as tokens from '../../../api/token-answers.ts';

/** What is sent. */
const REQUESTS: Readonly<Record<string, z.ZodType>> = {
  DrainRequest: draining.drainBody,
  DryRunRequest: dryRuns.dryRunBody,
  EmptyRequest: shared.noBody,
  FreezeRequest: switching.freezeBody,
  HoldRequest: holding.holdBody,
  MaintenanceRequest: holding.maintenanceBody,
  NoReturnRequest: switching.noReturnBody,
  PreviewRequest: releases.previewBody,
  PreviewRevokeRequest: releases.previewRevokeBody,
  ReleaseRequest: releases.releaseBody,
  ReloadRequest: process.reloadBody,
  ResumeRequest: holding.resumeBody,
  RollbackRequest: switching.rollbackBody,
  RolloutAbortRequest: rollouts.rolloutAbortBody,
  RolloutActRequest: rollouts.rolloutActBody,
  RolloutGateRequest: rollouts.rolloutGateBody,
  RolloutNoReturnRequest: rollouts.pointOfNoReturnBody,
  RolloutPromoteRequest: rollouts.rolloutPromoteBody,
  RolloutRequest: rollouts.rolloutBody,
  ScheduledCancelRequest: scheduled.cancelBody,
  SchemaRequest: switching.schemaBody,
  SwitchRequest: switching.switchBody,
  TargetsRequest: targets.targetsBody,
  TokenRequest: tokens.tokenBody,
  TokenRevokeRequest: tokens.revokeBody,
  UnfreezeRequest: switching.unfreezeBody,
  UnlockRequest: switching.unlockBody,
};

/** What is answered, and what stands in several answers. */
const ANSWERS: Readonly<Record<string, z.ZodType>> = {
  Active: live.activeAnswer,
  Alarms: alarms.alarms,
  Audit: audit.auditAnswer,
  Change: shared.changeAnswer,
  Check: alarms.checkAnswer,
  Deployments: releases.deploymentsAnswer,
  Drain: draining.drain,
  Drains: draining.drainAnswer,
  DryRun: dryRuns.dryRunAnswer,
  Freeze: switching.freezeAnswer,
  Freezes: freezes.freezesAnswer,
  Gate: holding.gateAnswer,
  History: switching.historyAnswer,
  HistoryEntry: switching.switchEntry,
  Live: process.liveAnswer,
  OpenApi: process.openApiAnswer,
  Preview: releases.previewAnswer,
  Problem: process.problemAnswer,
  Ready: process.readyAnswer,
  Release: releases.releaseAnswer,
  Reload: process.reloadAnswer,
  Rollout: rolloutViews.rolloutView,
  RolloutBrief: rolloutViews.rolloutBrief,
  RolloutSeries: rolloutSeries.rolloutSeries,
  RolloutStarted: rollouts.rolloutStarted,
  RolloutSummary: rolloutViews.rolloutSummary,
  Rollouts: rollouts.rolloutsAnswer,
  RunningRequest: holding.runningRequest,
  Scheduled: scheduled.scheduledAnswer,
  ScheduledList: scheduled.scheduledListAnswer,
  ScheduledOrder: scheduled.scheduledOrder,
  Series: live.seriesAnswer,
  Side: status.side,
  Status: status.statusAnswer,
  Switch: switching.switchAnswer,
  SwitchOfAny: switching.switchAnyAnswer,
  SwitchOfSeveral: switching.switchesAnswer,
  Targets: targets.targetsAnswer,
  Token: tokens.token,
  TokenWithText: tokens.tokenAnswer,
  Tokens: tokens.tokensAnswer,
  Upgrade: process.upgradeAnswer,
};

type JsonObject = Readonly<Record<string, unknown>>;

/** Returns the schemas by name; those that stand in others are named there. */
export function namedSchemas(): JsonObject {
  return { ...schemasOf(REQUESTS, 'input'), ...schemasOf(ANSWERS, 'output') };
}

/** Returns a reference to a schema that has a name; throws for one that has none. */
export function schemaReference(schema: z.ZodType): JsonObject {
  const named = [...Object.entries(REQUESTS), ...Object.entries(ANSWERS)];
  const found = named.find(([, one]) => one === schema);
  if (found === undefined) throw new Error('expected a schema that has a name in api-schemas.ts');
  return { $ref: referenceTo(found[0]) };
}

function schemasOf(
  schemas: Readonly<Record<string, z.ZodType>>,
  io: 'input' | 'output',
): JsonObject {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id });
  const made = z.toJSONSchema(registry, { io, unrepresentable: 'any', uri: referenceTo });
  const entries = Object.entries(made.schemas).map(([name, schema]) => {
    // Which dialect it is, and what its address is, says the document around it.
    const { $schema: _dialect, $id: _address, ...rest } = schema;
    return [name, rest];
  });
  return Object.fromEntries(entries) as JsonObject;
}

function referenceTo(name: string): string {
  return `#/components/schemas/${name}`;
}

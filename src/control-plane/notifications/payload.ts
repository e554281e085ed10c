// What is told of an event: the JSON that receivers of notifications and streams get, and the names that
// AWS CodeDeploy has for the same moments. Pure.

import type { StoredEvent } from '../store/rollout-store.ts';

/** What a receiver gets of one event. */
export interface EventPayload {
  /** Number of the event; with `at` the same for no other event. */
  readonly id: number;
  readonly event: string;
  /** Names of CodeDeploy notifications for the same moment, for receivers that were written for those. */
  readonly aliases: readonly string[];
  readonly at: string;
  /** Null: it is about the whole process. */
  readonly service: string | null;
  readonly rollout: string | null;
  /** What sent it, where several Turnouts tell one receiver. */
  readonly instance: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** Returns the payload of `row`. */
export function payloadOf(row: StoredEvent, instance: string): EventPayload {
  const { seq, kind, service, rollout, atMs, data } = row;
  return {
    id: seq,
    event: kind,
    aliases: aliasesOf(row),
    at: new Date(atMs).toISOString(),
    service: service === '' ? null : service,
    rollout: rollout === '' ? null : rollout,
    instance,
    facts: data,
  };
}

/** The same at each try, so that the receiver knows a repetition. */
export function attemptOf({ seq, atMs }: StoredEvent): string {
  return `event-${seq}-${atMs.toString(36)}`;
}

/** Returns the payload as it is sent: byte for byte the same at each try. */
export function payloadText(row: StoredEvent, instance: string): string {
  return JSON.stringify(payloadOf(row, instance));
}

/** https://docs.aws.amazon.com/codedeploy/latest/userguide/monitoring-sns-event-notifications-create-trigger.html */
const ALIASES: Readonly<Record<string, string>> = {
  'rollout.started': 'DeploymentStart',
  'rollout.done': 'DeploymentSuccess',
  'rollout.failed': 'DeploymentFailure',
  'rollout.rolled-back': 'DeploymentRollback',
  'rollout.superseded': 'DeploymentStop',
};

/** Returns the names of CodeDeploy for `row`; mostly none. */
function aliasesOf({
  kind,
  rollout,
  data,
}: Pick<StoredEvent, 'kind' | 'rollout' | 'data'>): string[] {
  const alias = ALIASES[kind];
  if (alias !== undefined) return [alias];
  // The new release is there, and its gates are passed: traffic may move.
  if (kind === 'rollout.stage' && data['stage'] === 'gated') return ['DeploymentReady'];
  // A switch without a rollout is all of a deployment at once.
  if (kind !== 'switch' || rollout !== '') return [];
  return [data['outcome'] === 'rolled-back' ? 'DeploymentRollback' : 'DeploymentSuccess'];
}

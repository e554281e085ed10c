// Which receiver gets which events: the `notify` list of the configuration, and the hooks of each service. Pure:
// settings → receivers with a key that stays the same while they do.

import { createHash } from 'node:crypto';
import type {
  Endpoint,
  HookMoment,
  HookSettings,
  NotifySettings,
} from '../../config/settings/rollout/rollout-settings.ts';
import { SINK_TRY_MS } from '../base/control-limits.ts';
import type { StoredEvent } from '../store/rollout-store.ts';
import { urlName } from './signed-post.ts';

/** Of a service, what is needed here. */
export interface ServiceHooks {
  readonly name: string;
  readonly rollout: { readonly hooks: readonly HookSettings[] };
}

export interface Receiver {
  /** The same after a restart and after a reload that leaves it; holds no secret. */
  readonly key: string;
  /** For status and log. */
  readonly name: string;
  readonly to:
    | ({ readonly kind: 'webhook' } & Endpoint)
    | { readonly kind: 'command'; readonly command: readonly [string, ...string[]] };
  /** One try at most. */
  readonly withinMs: number;
  readonly wants: (row: StoredEvent) => boolean;
  /** What of the configuration it is there for, as the metrics name it. */
  readonly hooks: readonly string[];
  /** Which of `hooks` a row is told for. */
  readonly hookOf: (row: StoredEvent) => string;
  /** Says the same as long as nothing about it has changed. */
  readonly settings: string;
}

/** Returns all receivers, each with a key of its own. */
export function receiversOf(
  notify: readonly NotifySettings[],
  services: readonly ServiceHooks[],
): Receiver[] {
  const all = [
    ...notify.map(notifyReceiver),
    ...services.flatMap(({ name, rollout: { hooks } }) =>
      hooks.map((hook) => hookReceiver(name, hook)),
    ),
  ];
  const counts = new Map<string, number>();
  return all.map((receiver) => {
    const count = (counts.get(receiver.key) ?? 0) + 1;
    counts.set(receiver.key, count);
    return count === 1 ? receiver : { ...receiver, key: `${receiver.key}#${count}` };
  });
}

function notifyReceiver(settings: NotifySettings): Receiver {
  const { url, secretFile, caFile, events, services } = settings;
  return {
    key: `notify ${digestOf(url)}`,
    name: `notify ${urlName(url)}`,
    to: { kind: 'webhook', url, secretFile, caFile },
    withinMs: SINK_TRY_MS,
    wants: ({ kind, service }) =>
      (events.length === 0 || events.some((pattern) => isMatched(kind, pattern))) &&
      (services.length === 0 || services.includes(service)),
    hooks: ['notify'],
    hookOf: () => 'notify',
    settings: JSON.stringify(settings),
  };
}

function hookReceiver(service: string, settings: HookSettings): Receiver {
  const { on, timeoutMs } = settings;
  const what = settings.kind === 'webhook' ? settings.url : JSON.stringify(settings.command);
  const to = settings.kind === 'webhook' ? urlName(settings.url) : settings.command[0];
  const momentOf = (row: StoredEvent): HookMoment | undefined =>
    on.find((moment) => isMoment(row, moment));
  return {
    key: `hook ${service} ${digestOf(what)}`,
    name: `${on.join(', ')} of ${service}: ${to}`,
    to: settings,
    withinMs: timeoutMs,
    wants: (row) => row.service === service && momentOf(row) !== undefined,
    hooks: on,
    hookOf: (row) => momentOf(row) ?? on[0]!,
    settings: JSON.stringify(settings),
  };
}

/** Tells whether `kind` is `pattern`, or begins like one that ends in `*`. */
export function isMatched(kind: string, pattern: string): boolean {
  return pattern.endsWith('*') ? kind.startsWith(pattern.slice(0, -1)) : kind === pattern;
}

/** Tells whether `row` is the moment of a hook, with a rollout or without one. */
function isMoment({ kind, rollout, data }: StoredEvent, moment: HookMoment): boolean {
  const isBack = kind === 'switch' && data['outcome'] === 'rolled-back';
  if (moment === 'afterSwitch') return kind === 'switch' && !isBack;
  if (moment === 'afterDrain') return kind === 'drain.safe';
  // With a rollout, that tells; it may go back without a switch.
  return rollout === '' ? isBack : kind === 'rollout.rolled-back';
}

/** A URL may hold a secret, and a key is stored. */
function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

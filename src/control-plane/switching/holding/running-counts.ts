// What still runs on a service while new requests wait or are turned away: how much, and in words.

import { countText } from '../../../base/count-text.ts';
import { BLOCK } from '../../../contract/counters.ts';
import type { RunningRequest } from '../../../contract/running-request.ts';
import { otherColor, type Service } from '../../../contract/table.ts';
import type { Totals } from '../../memory/totals.ts';

/** What runs, event streams among the requests. */
export interface Running {
  readonly requests: number;
  readonly tunnels: number;
}

/** Returns the counter blocks on which something of `service` may run. */
export function blocksInUse({ draining, split, ...service }: Service): number[] {
  const canary = split === undefined ? [] : [service[otherColor(service.active)]];
  const left = draining.map(({ deployment }) => deployment);
  return [service[service.active], ...canary, ...left].map(({ block }) => block);
}

/** Returns what runs on `blocks`. */
export function stillRuns(
  totals: Pick<Totals, 'blockSlot'>,
  blocks: readonly number[],
): Running & { readonly streams: number } {
  const sum = (slot: number): number =>
    blocks.reduce((all, block) => all + totals.blockSlot(block, slot), 0);
  // In this order: what becomes a tunnel is counted there before it ends as a request.
  const requests = sum(BLOCK.inflight);
  return { requests, tunnels: sum(BLOCK.tunnels), streams: sum(BLOCK.streams) };
}

/** A refusal names so many; its members and the status have more. */
const NAMED_IN_TEXT_MAX = 3;

const WAITS_FOR: Readonly<Record<RunningRequest['waitsFor'], string>> = {
  upload: 'its client sends too slowly',
  reader: 'its client reads too slowly',
  target: 'its target has not answered',
  tunnel: 'a tunnel',
  stream: 'an event stream',
};

/** Returns in words how much runs, and which is the oldest of it. */
export function runningText(
  { requests, tunnels }: Running,
  named: readonly RunningRequest[],
): string {
  const counts = [
    ...(requests > 0 ? [countText(requests, 'request')] : []),
    ...(tunnels > 0 ? [countText(tunnels, 'tunnel')] : []),
  ].join(' and ');
  if (named.length === 0) return counts;
  const first = named.slice(0, NAMED_IN_TEXT_MAX).map(requestText);
  const more = requests + tunnels > first.length ? ', …' : '';
  return `${counts} (${first.join('; ')}${more})`;
}

function requestText({ client, method, path, ageMs, waitsFor }: RunningRequest): string {
  const age = `${(ageMs / 1_000).toFixed(1)} s`;
  return `${method} ${path} of ${client} for ${age}, ${WAITS_FOR[waitsFor]}`;
}

// What still runs on a service that is held or in maintenance, in words for a person.

import type { GateAnswer, RunningRequestJson } from '../../api/holding.ts';
import { countText } from '../../base/count-text.ts';
import { shown, type Lenient } from '../client/answer.ts';

/** So many are named; `--json` has more. */
const NAMED_MAX = 3;

const WAITS_FOR: Readonly<Record<string, string>> = {
  upload: 'its client has to send the rest',
  reader: 'its client has to read the response',
  target: 'its target has to answer',
  tunnel: 'a tunnel',
  stream: 'an event stream',
};

/** Returns what still runs and may write; undefined: nothing does. */
export function runningText({ running, isOn }: Lenient<GateAnswer>): string | undefined {
  if (isOn === false) return 'it was ended meanwhile: requests go through again';
  const { requests = 0, tunnels = 0, streams = 0, leftBehind, oldest } = running;
  const counts = [
    ...(requests > 0 ? [countText(requests, 'request')] : []),
    ...(tunnels > 0 ? [countText(tunnels, 'tunnel')] : []),
    ...(streams > 0 ? [countText(streams, 'event stream')] : []),
    ...leftText(leftBehind),
  ];
  if (counts.length === 0) return undefined;
  const named = oldest.slice(0, NAMED_MAX).map((one) => `  ${requestText(one)}`);
  return [`still runs, and may write: ${counts.join(', ')}`, ...named].join('\n');
}

function leftText(leftBehind: number | null | undefined): string[] {
  if (leftBehind === 0 || leftBehind === undefined) return [];
  const count = leftBehind === null ? 'connections' : countText(leftBehind, 'connection');
  return [`${count} of the process before the upgrade`];
}

/** Returns one request that still runs, in a line. */
export function requestText({
  client,
  ageMs = 0,
  method,
  path,
  waitsFor,
}: Lenient<RunningRequestJson>): string {
  const age = `${(ageMs / 1_000).toFixed(1)} s`;
  const why = typeof waitsFor === 'string' ? WAITS_FOR[waitsFor] : undefined;
  return `${shown(method)} ${shown(path)} of ${shown(client)} for ${age}${why === undefined ? '' : `: ${why}`}`;
}

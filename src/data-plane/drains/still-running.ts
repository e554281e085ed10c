// Names what still runs on some counter blocks, the oldest first, for an operator that waits for it.

import type { RunningRequest } from '../../contract/running-request.ts';
import type { AwaitedExchange } from './hold-plans.ts';

/** One request, as it is named. */
interface NamedExchange extends AwaitedExchange {
  readonly method: { readonly name: string };
  /** Without its query. */
  readonly path: string;
  readonly tunnel: object | undefined;
  elapsedMs(): number;
}

/** One client connection. */
export interface NamedClient {
  readonly exchange: NamedExchange | undefined;
  readonly peer: { readonly address: string };
}

/** A path that is longer says no more to a person. */
const PATH_CHARS_MAX = 200;

/** Returns the `max` oldest of what runs on `blocks`. */
export function stillRunning(
  clients: Iterable<NamedClient>,
  blocks: readonly number[],
  max: number,
): RunningRequest[] {
  const found: RunningRequest[] = [];
  for (const { exchange, peer } of clients) {
    if (exchange === undefined || !blocks.includes(exchange.block)) continue;
    found.push({
      client: peer.address,
      ageMs: Math.round(exchange.elapsedMs()),
      method: exchange.method.name,
      path: exchange.path.slice(0, PATH_CHARS_MAX),
      waitsFor: waitsFor(exchange),
    });
  }
  return found.toSorted((a, b) => b.ageMs - a.ageMs).slice(0, max);
}

function waitsFor({ isLongLived, tunnel, progress }: NamedExchange): RunningRequest['waitsFor'] {
  if (!isLongLived) return progress.waitsFor;
  return tunnel === undefined ? 'stream' : 'tunnel';
}

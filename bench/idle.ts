// What an idle proxy costs: memory per idle client connection, memory of the process,
// and the time from its start to its first answer. Each on a freshly started peer.

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Child } from './harness/child.ts';
import { rssBytes } from './harness/process-tree.ts';
import { median } from './harness/statistics.ts';
import { measureSpeed } from './measure.ts';
import { startPeer, type Peer } from './peers/peers.ts';
import { scenarioNamed } from './scenarios.ts';

export type HoldKind = 'answered' | 'fresh';

/** Memory of one peer under idle connections. */
export interface IdleSample {
  readonly peer: string;
  /** `answered`: idle after one answered request; `fresh`: nothing sent yet. */
  readonly kind: HoldKind;
  readonly connections: number;
  /** Still open when the memory was read. */
  readonly connectionsOpen: number;
  readonly rssBeforeBytes: number;
  readonly rssAfterBytes: number;
  readonly bytesPerConnection: number;
}

/** Start and rest of one peer with two workers. */
export interface StartSample {
  readonly peer: string;
  readonly workers: number;
  readonly readyMs: readonly number[];
  readonly readyMedianMs: number;
  /** Two seconds after the start, without any request. */
  readonly idleRssBytes: number;
}

export const IDLE_CONNECTIONS = 10_000;
const STARTS = 5;
const START_WORKERS = 2;
const REST_MS = 2_000;
const HOLD_WITHIN_MS = 60_000;

interface Setup {
  readonly dir: string;
  readonly originPort: number;
}

/** Weighs `IDLE_CONNECTIONS` idle connections in a fresh `peer`. */
export async function measureIdle(peer: Peer, setup: Setup, kind: HoldKind): Promise<IdleSample> {
  const running = await startPeer(peer, { ...setup, workers: 1, nodeFlags: [] });
  // A little traffic first, so that what code and pools need is not counted as connections.
  await measureSpeed(running, scenarioNamed('small'), { dir: setup.dir, seconds: 1, round: 0 });
  await delay(REST_MS);
  const rssBeforeBytes = rssBytes(running.child.pid);
  const script = join(import.meta.dirname, 'load/hold.ts');
  const command = [process.execPath, script, String(running.port), String(IDLE_CONNECTIONS), kind];
  const holder = new Child(command, { place: 'load' });
  const endMs = performance.now() + HOLD_WITHIN_MS;
  while (!holder.output.includes('held') && holder.isRunning && performance.now() < endMs) {
    await delay(20);
  }
  await delay(REST_MS);
  const rssAfterBytes = rssBytes(running.child.pid);
  holder.process.stdin?.end();
  await Promise.race([holder.exited, delay(REST_MS)]);
  const connectionsOpen = Number(/open (\d+)/.exec(holder.output)?.[1] ?? 0);
  await holder.stop();
  await running.child.stop();
  return {
    peer: peer.name,
    kind,
    connections: IDLE_CONNECTIONS,
    connectionsOpen,
    rssBeforeBytes,
    rssAfterBytes,
    bytesPerConnection: (rssAfterBytes - rssBeforeBytes) / IDLE_CONNECTIONS,
  };
}

/** Starts `peer` with two workers several times; returns how long it took and what it weighs. */
export async function measureStart(peer: Peer, setup: Setup): Promise<StartSample> {
  const readyMs: number[] = [];
  let idleRssBytes = 0;
  for (let start = 0; start < STARTS; start++) {
    // Stripping types costs each thread memory and time that no user of the package pays.
    const options = { workers: START_WORKERS, nodeFlags: [], isBuilt: true };
    const running = await startPeer(peer, { ...setup, ...options });
    readyMs.push(running.readyMs);
    if (start === 0) {
      await delay(REST_MS);
      idleRssBytes = rssBytes(running.child.pid);
    }
    await running.child.stop();
  }
  const readyMedianMs = median(readyMs);
  return { peer: peer.name, workers: START_WORKERS, readyMs, readyMedianMs, idleRssBytes };
}

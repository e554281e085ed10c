// What an idle proxy costs: memory per idle client connection, memory of the process,
// and the time from its start to its first answer. Each on a freshly started peer.

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Child } from './harness/child.ts';
import { rssBytes } from './harness/process-tree.ts';
import { median } from './harness/statistics.ts';
import { measureSpeed } from './measure.ts';
import { startPeer, type Peer } from './peers/peers.ts';
import type { TlsFiles } from './peers/tls.ts';
import { scenarioNamed } from './scenarios.ts';

export const HOLD_KINDS = ['answered', 'fresh', 'tls'] as const;
export type HoldKind = (typeof HOLD_KINDS)[number];

/** Memory of one peer under idle connections. */
export interface IdleSample {
  readonly peer: string;
  /** `answered`: idle after one answered request; `fresh`: nothing sent yet; `tls`: answered over TLS. */
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

/** Over TLS fewer: the process that holds them would need a gigabyte. */
export const IDLE_CONNECTIONS: Readonly<Record<HoldKind, number>> = {
  answered: 10_000,
  fresh: 10_000,
  tls: 2_000,
};
const STARTS = 5;
const START_WORKERS = 2;
const REST_MS = 2_000;
const HOLD_WITHIN_MS = 60_000;

interface Setup {
  readonly dir: string;
  readonly originPort: number;
}

/** Weighs idle connections in a fresh `peer`. */
export async function measureIdle(
  peer: Peer,
  { tlsFiles, ...setup }: Setup & { readonly tlsFiles: TlsFiles },
  kind: HoldKind,
): Promise<IdleSample> {
  const tls = kind === 'tls' ? { tls: tlsFiles } : {};
  const running = await startPeer(peer, { ...setup, ...tls, workers: 1, nodeFlags: [] });
  const connections = IDLE_CONNECTIONS[kind];
  // A little traffic first, so that what code and pools need is not counted as connections.
  await measureSpeed(running, scenarioNamed(kind === 'tls' ? 'tls' : 'small'), {
    dir: setup.dir,
    seconds: 1,
    round: 0,
  });
  await delay(REST_MS);
  const rssBeforeBytes = rssBytes(running.child.pid);
  const script = join(import.meta.dirname, 'load/hold.ts');
  const command = [process.execPath, script, String(running.port), String(connections), kind];
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
    connections,
    connectionsOpen,
    rssBeforeBytes,
    rssAfterBytes,
    bytesPerConnection: (rssAfterBytes - rssBeforeBytes) / connections,
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

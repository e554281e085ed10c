// A plane in a child process whose memory is measured from outside.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';
import type { FailureCode } from '../../src/base/failures.ts';
import type { SettingsPatch } from './plane.ts';
import type { Gauges } from './shared-counters.ts';

export interface MemoryReport {
  readonly rssBytes: number;
  readonly gauges: Gauges;
  readonly failures: Partial<Record<FailureCode, number>>;
}

export interface MemoryPlane {
  readonly port: number;
  /** Collects garbage, then reads memory and counters. */
  measure(): Promise<MemoryReport>;
}

/** Starts the child; it ends with the test. */
export async function openMemoryPlane(
  t: Test,
  targetPort: number,
  patch: SettingsPatch,
): Promise<MemoryPlane> {
  const child = fork(
    new URL('memory-child.ts', import.meta.url),
    [JSON.stringify({ targetPort, patch })],
    { execArgv: ['--expose-gc'], env: { ...process.env, NODE_OPTIONS: '' } },
  );
  t.teardown(() => child.kill('SIGKILL'));
  const [{ port }] = (await once(child, 'message')) as [{ readonly port: number }];
  return {
    port,
    async measure() {
      const answered = once(child, 'message') as Promise<[MemoryReport]>;
      child.send('measure');
      return (await answered)[0];
    },
  };
}

/** Samples the memory of `plane` until `work` has ended; resolves with its result and the peak. */
export async function peakDuring<T>(
  plane: MemoryPlane,
  work: Promise<T>,
): Promise<{ readonly result: T; readonly peakBytes: number }> {
  const state = { isOver: false };
  let peakBytes = 0;
  const settled = work.finally(() => {
    state.isOver = true;
  });
  while (!state.isOver) {
    // Each sample is an answer of the child, so its own pace sets how often it is asked.
    const [{ rssBytes }] = await Promise.all([plane.measure(), aMoment(settled)]);
    peakBytes = Math.max(peakBytes, rssBytes);
  }
  return { result: await settled, peakBytes };
}

const SAMPLE_MS = 100;

/** Resolves after the time between two samples, or earlier when the work is over. */
async function aMoment(settled: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const paused = new Promise((resolve) => {
    timer = setTimeout(resolve, SAMPLE_MS);
  });
  await Promise.race([paused, settled.catch(() => undefined)]);
  clearTimeout(timer);
}

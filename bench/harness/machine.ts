// What a result was measured on, so that a reader can tell what it is worth.

import { spawnSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem, type CpuInfo } from 'node:os';
import { isPinned } from './child.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  /** True: the proxy had a core alone, origin and load shared the other. */
  readonly pinned: boolean;
  /** Of one minute, when the run began: well above zero means that other programs ran. */
  readonly loadAverage: number;
  /** Commit of the working tree, `-dirty` when it had changes. */
  readonly commit: string;
}

/** Describes the machine and the state of the sources. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    pinned: isPinned,
    loadAverage: loadavg()[0] ?? 0,
    commit: commit(),
  };
}

function commit(): string {
  const hash = git(['rev-parse', '--short', 'HEAD']);
  if (hash === '') return 'unknown';
  return git(['status', '--porcelain', '--', 'src', 'bench']) === '' ? hash : `${hash}-dirty`;
}

function git(args: readonly string[]): string {
  const cwd = import.meta.dirname;
  return spawnSync('git', args, { cwd, encoding: 'utf8' }).stdout?.trim() ?? '';
}

/** Returns the share of time, 0 to 1, in which the least busy core had work. */
export function leastBusyShare(before: readonly CpuInfo[], after: readonly CpuInfo[]): number {
  const shares = after.map(({ times }, core) => {
    const earlier = before[core]?.times ?? times;
    return 1 - (times.idle - earlier.idle) / (total(times) - total(earlier));
  });
  return Math.min(...shares);
}

function total({ user, nice, sys, idle, irq }: CpuInfo['times']): number {
  return user + nice + sys + idle + irq;
}

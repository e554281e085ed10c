// What the kernel says about a process and all its descendants: CPU time and memory.
// Reads /proc, so Linux only; knows nothing of what the processes do.

import { readFileSync, readdirSync } from 'node:fs';

/** `sysconf(_SC_CLK_TCK)`: 100 on every Linux that Node runs on; one tick is 10 ms. */
const TICKS_PER_SECOND = 100;

/**
 * Returns the user and system CPU time of `pid` and its living descendants in
 * microseconds, threads included. Resolution 10 ms: use it over a second or more.
 */
export function cpuMicroseconds(pid: number): number {
  let ticks = 0;
  for (const member of processTree(pid)) {
    const fields = statFields(member);
    // proc(5): utime and stime are fields 14 and 15; `state` (3) is our index 0.
    if (fields !== undefined) ticks += Number(fields[11]) + Number(fields[12]);
  }
  return (ticks / TICKS_PER_SECOND) * 1e6;
}

/** Returns the resident memory of `pid` and its descendants in bytes; shared pages count in each. */
export function rssBytes(pid: number): number {
  let bytes = 0;
  for (const member of processTree(pid)) {
    // smaps_rollup walks the page tables; VmRSS of `status` lags behind by whole batches.
    const kibibytes = /^Rss:\s+(\d+) kB/m.exec(readProc(`/proc/${member}/smaps_rollup`));
    bytes += Number(kibibytes?.[1] ?? 0) * 1024;
  }
  return bytes;
}

/** Returns `pid` and all that descend from it, parents first. */
export function processTree(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const candidate = Number(name);
    if (!Number.isInteger(candidate)) continue;
    const parent = Number(statFields(candidate)?.[1]);
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [candidate]);
    else siblings.push(candidate);
  }
  const tree = [pid];
  for (const member of tree) tree.push(...(children.get(member) ?? []));
  return tree;
}

/** Fields of /proc/pid/stat from `state` on; undefined when the process has gone. */
function statFields(pid: number): string[] | undefined {
  const stat = readProc(`/proc/${pid}/stat`);
  // The name in parentheses may hold spaces and parentheses of its own.
  return stat === '' ? undefined : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function readProc(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // The process ended between the listing and the reading.
  }
}

// Which process holds a state directory: a file beside the database, for people. The lock of the
// kernel decides; what stands here may be old, and is read only when the lock was not to be had.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { codeOf } from '../../base/problems.ts';
import { VERSION } from '../../../base/version.ts';

const FILE = 'turnout.holder';

const holder = z.object({ pid: z.int(), since: z.iso.datetime(), version: z.string().max(64) });

/** Writes that this process holds `dir`. Not worth a failure: without it, a message says less. */
export function noteHolder(dir: string): void {
  const since = new Date().toISOString();
  const text = `${JSON.stringify({ pid: process.pid, since, version: VERSION })}\n`;
  forgetHolder(dir); // Better none than an old one.
  try {
    // Not through a link that another user has put there.
    writeFileSync(join(dir, FILE), text, { mode: 0o600, flag: 'wx' });
  } catch {
    // A directory that is read-only: a message will say less.
  }
}

/** Removes the note; to be called while the lock is still held. */
export function forgetHolder(dir: string): void {
  try {
    rmSync(join(dir, FILE), { force: true });
  } catch {
    // A directory that became read-only: the next holder writes over it, or cannot start at all.
  }
}

/** Returns what holds `dir`, as far as it is known, to stand behind "in use by". */
export function holderOf(dir: string): string {
  try {
    const text = readFileSync(join(dir, FILE), 'utf8');
    const { pid, since, version } = holder.parse(JSON.parse(text));
    const where = isHere(pid) ? '' : ', which does not run here: perhaps in another container';
    return `process ${pid} (turnout ${version}, since ${since})${where}`;
  } catch {
    return 'another process';
  }
}

function isHere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM'; // It is there, and belongs to another user.
  }
}

// A disk so small that a test can fill it: a tmpfs, which only root can mount.

import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
  openSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

export interface SmallDisk {
  readonly path: string;
  /** Leaves no byte free. */
  fill(): void;
  /** Takes what filled it away again. */
  empty(): void;
  /** Lets nothing be written any more; only while no file of it is open for writing. */
  makeReadOnly(): void;
}

/** Returns why a test that needs to mount must be skipped, or false. In CI nothing is skipped. */
export function skipWithoutMount(): string | false {
  if (process.env['CI'] === 'true') return false;
  const probe = mkdtempSync(join(tmpdir(), 'turnout-mount-'));
  try {
    if (!isDone('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe)) return 'needs to mount';
    isDone('umount', probe);
    return false;
  } finally {
    rmSync(probe, { recursive: true });
  }
}

/** Mounts a disk of `kib` KiB; it goes with the test. */
export function mountSmallDisk(t: Test, kib: number): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), 'turnout-disk-'));
  const filler = join(path, 'filler');
  if (!isDone('mount', '-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', path)) {
    throw new Error('a tmpfs could not be mounted');
  }
  t.teardown(() => {
    isDone('umount', '--lazy', path);
    rmSync(path, { recursive: true, force: true });
  });
  return {
    path,
    fill() {
      writeFileSync(filler, '');
      const file = openSync(filler, 'a');
      try {
        for (;;) writeSync(file, Buffer.alloc(4_096));
      } catch {
        // Full: that was the point.
      } finally {
        closeSync(file);
      }
    },
    empty: () => rmSync(filler, { force: true }),
    makeReadOnly() {
      if (!isDone('mount', '-o', 'remount,ro', path)) throw new Error('a file is still open');
    },
  };
}

/** Mounts a directory that shows `lower`, as an image does, and keeps what is written in `upper`. */
export function mountOverlay(t: Test, lower: string, upper: string): string {
  const at = (name: string): string => join(upper, name);
  for (const name of ['kept', 'work', 'merged']) mkdirSync(at(name));
  const options = `lowerdir=${lower},upperdir=${at('kept')},workdir=${at('work')}`;
  if (!isDone('mount', '-t', 'overlay', '-o', options, 'overlay', at('merged'))) {
    throw new Error('an overlay could not be mounted');
  }
  t.teardown(() => isDone('umount', '--lazy', at('merged')));
  return at('merged');
}

function isDone(command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

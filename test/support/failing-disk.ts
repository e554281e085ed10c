// A disk that fails while files of it are open: the kernel mounts it read-only then, as it does with a
// real one. Only root can make one, where loop devices are allowed.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Test } from 'tap';

export interface FailingDisk {
  readonly path: string;
  /** From here on nothing can be written, also by what is open already. */
  fail(): void;
  /** Mounts it anew, as after a repair; only while no file of it is open. */
  repair(): void;
}

/** Returns why a test that needs such a disk must be skipped, or false. */
export function skipWithoutFailingDisk(): string | false {
  const folder = mkdtempSync(join(tmpdir(), 'turnout-loop-'));
  try {
    return mount(folder) === undefined ? 'needs root and a loop device' : false;
  } finally {
    run('umount', join(folder, 'disk'));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Mounts one; it goes with the test. */
export function mountFailingDisk(t: Test): FailingDisk {
  const folder = mkdtempSync(join(tmpdir(), 'turnout-loop-'));
  const path = join(folder, 'disk');
  let device = mount(folder);
  if (device === undefined) throw new Error('a loop device could not be mounted');
  t.teardown(() => {
    run('umount', '--lazy', path);
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    path,
    fail: () => writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, 'a test'),
    repair() {
      run('umount', path);
      run('e2fsck', '-fy', join(folder, 'image'));
      device = mountImage(folder);
      if (device === undefined) throw new Error('the disk is still in use');
    },
  };
}

/** Returns the name of its device; undefined: it can't be mounted. */
function mount(folder: string): string | undefined {
  const image = join(folder, 'image');
  writeFileSync(image, '');
  truncateSync(image, 8_388_608);
  mkdirSync(join(folder, 'disk'));
  return run('mkfs.ext4', '-q', image) === undefined ? undefined : mountImage(folder);
}

function mountImage(folder: string): string | undefined {
  const path = join(folder, 'disk');
  const options = 'loop,errors=remount-ro';
  if (run('mount', '-o', options, join(folder, 'image'), path) === undefined) return undefined;
  const device = run('findmnt', '--noheadings', '--output', 'SOURCE', path);
  return device === undefined ? undefined : basename(device.trim());
}

/** Returns what it printed; undefined: it failed. */
function run(command: string, ...args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' });
  // e2fsck: 1 is an error that was mended.
  return status === 0 || (command === 'e2fsck' && status === 1) ? stdout : undefined;
}

// Small files that are there whole or not at all, whatever happens while they are written.

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Puts `text` in place of the file at `path`; when it returns, that survives a power cut. */
export function writeFileSafely(
  path: string,
  text: string,
  { mode }: { readonly mode: number },
): void {
  const fresh = `${path}.writing`;
  rmSync(fresh, { force: true });
  const file = openSync(fresh, 'wx', mode);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(fresh, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

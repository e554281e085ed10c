// A file of the state directory that is replaced as a whole: what reads it finds the old content or the
// new, also after a power cut. Knows nothing of what is in it.

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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
    writeFileSync(file, text); // Goes on where the system took a part.
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

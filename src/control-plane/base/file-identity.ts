// Tells whether a path leads to another file, or to one with other content, than before. It follows
// links, so it also sees those on the way being exchanged, as Kubernetes does with `..data`.

import { stat } from 'node:fs/promises';

/** Resolves with a text that differs when the file does; '' where there is none. Never rejects. */
export async function fileIdentity(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = await stat(path);
    return [dev, ino, size, mtimeMs, ctimeMs].join(' ');
  } catch {
    return '';
  }
}

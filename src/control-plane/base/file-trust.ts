// Whether a file of the state directory can be believed: what another user could have put there, or
// changed, is not. Such a file could hold a token or a key of that user.

import { lstatSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { StartError } from './problems.ts';

/** Any user. The group may be one that only this program is in, as Kubernetes makes it. */
const OTHERS_WRITE = 0o002;

/** Throws StartError when another user owns the file at `path`, or may write it. */
export function checkTrusted(path: string): void {
  const link = lstatSync(path, { throwIfNoEntry: false });
  const file = statSync(path, { throwIfNoEntry: false });
  if (link === undefined || file === undefined) return;
  // The owner of the directory can do anything here anyway.
  const trusted = [0, process.getuid?.() ?? 0, statSync(dirname(path)).uid];
  const stranger = [link.uid, file.uid].find((uid) => !trusted.includes(uid));
  if (stranger !== undefined) {
    throw new StartError(
      `${path} belongs to the user ${stranger}, who could have put anything into it: ` +
        'remove it, or give it to the user that runs this program',
    );
  }
  if (file.isFile() && mayOthersWrite(file)) {
    throw new StartError(
      `every user may write ${path} (mode ${modeText(file)}): make sure that its content is ` +
        'right or remove it, and use `chmod 600`',
    );
  }
}

/** Returns what to tell of a directory in which every user may write; undefined: it is none. */
export function openDirectory(dir: string): string | undefined {
  const found = statSync(dir);
  if (!mayOthersWrite(found)) return undefined;
  return `every user may write in the state directory ${dir} (mode ${modeText(found)}): use \`chmod 700\``;
}

function mayOthersWrite({ mode }: { readonly mode: number }): boolean {
  return (mode & OTHERS_WRITE) !== 0;
}

function modeText({ mode }: { readonly mode: number }): string {
  return (mode & 0o777).toString(8);
}

// The words that call this program again from the same folder of another shell, whichever way it was
// started: installed, by npx, or from a checkout. Knows no command.

import { accessSync, constants, realpathSync } from 'node:fs';
import { basename, delimiter, dirname, join, relative } from 'node:path';

/** How this process was started. */
export interface Started {
  /** `process.argv[1]`: the script, or the link that leads to it. */
  readonly script: string;
  /** `process.execPath`. */
  readonly node: string;
  readonly cwd: string;
  readonly path: string;
}

/** Returns words that a shell takes as they are. */
export function ownCommand({ script, node, cwd, path }: Started): string {
  if (basename(script) === 'turnout') {
    const isOnPath = folders(path).some((folder) => isSame(join(folder, 'turnout'), script));
    if (isOnPath) return 'turnout';
    if (above(cwd).some((folder) => isSame(join(folder, BIN, 'turnout'), script))) {
      return 'npx turnout';
    }
  } else if (isSame(join(cwd, BIN, 'node'), node)) {
    return `npx node ${quoted(relative(cwd, script))}`;
  }
  return `${quoted(node)} ${quoted(script)}`;
}

const BIN = join('node_modules', '.bin');

/** Folders of PATH, without those that npm puts before them for what it runs. */
function folders(path: string): string[] {
  return path
    .split(delimiter)
    .filter((folder) => folder !== '' && !/\bnode_modules\b/.test(folder));
}

function above(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [folder, ...above(parent)];
}

function isSame(path: string, other: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return realpathSync(path) === realpathSync(other);
  } catch {
    return false; // There is none.
  }
}

function quoted(word: string): string {
  return /^[\w./:@,+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

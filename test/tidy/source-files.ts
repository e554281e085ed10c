// Lists and reads the files of the repository for the checks in this folder.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

export interface SourceFile {
  /** From the root of the repository: `src/http/grammar/chars.ts`. */
  readonly path: string;
  readonly text: string;
}

/** Returns the TypeScript files under `folder`, sorted by path; none when it does not exist. */
export function sourceFiles(folder: string): SourceFile[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .toSorted()
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}

/** Returns the text of a document, or undefined when it does not exist. */
export function documentText(path: string): string | undefined {
  return existsSync(join(ROOT, path)) ? readFileSync(join(ROOT, path), 'utf8') : undefined;
}

/** Returns `text` with comments blanked out, so that words in them are not taken for code. */
export function codeOf(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, blank).replaceAll(/(^|[\s;{(])\/\/.*$/gm, blank);
}

function blank(comment: string): string {
  return comment.replaceAll(/[^\n]/g, ' ');
}

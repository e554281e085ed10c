// The documents of the repository and their tables, for the checks in this folder.

import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from './source-files.ts';

/** Returns the documents under `folder`, sorted by path. */
export function documentsIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .toSorted();
}

/** What is written for people. */
export const DOCUMENTS: readonly string[] = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'bench/README.md',
  ...documentsIn('docs'),
  ...documentsIn('examples'),
];

/** Returns the cells of each table row of `text`, heads and the lines below them included. */
export function tableRows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

// The code map. What the documents name exists, and every folder of src is described in
// ARCHITECTURE.md: its idea, where to start reading, and what it must not know.
//
// A path counts as named when it is written out (`src/http/grammar/chars.ts`), or as the end of a path
// (`chars.ts`, `grammar/chars.ts`) behind the folder it is in (`src/http/`); prose may name any file of
// src or bench by such an end.

import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import t from 'tap';
import { DOCUMENTS, tableRows } from './documents.ts';
import { documentText, ROOT, sourceFiles } from './source-files.ts';

const PATH_OR_NAME =
  /(?<![\w./-])((?:src|test|bench|docs|config|\.ci)\/[\w./-]*\w\/?|(?:[\w-]+\/)*[\w-]+(?:\.test)?\.ts)(?![\w/])/g;

interface Named {
  /** As written out, or completed with the folder named before it. */
  readonly path: string;
  /** The text has only the end of the path. */
  readonly isEnd: boolean;
}

/** Returns the paths that `text` names. */
function namedPaths(text: string): Named[] {
  const named: Named[] = [];
  let folder = '';
  for (const [, found = ''] of text.matchAll(PATH_OR_NAME)) {
    const isEnd = !/^(?:src|test|bench|docs|config|\.ci)\//.test(found);
    named.push({ path: isEnd ? join(folder, found) : found, isEnd });
    if (!isEnd && found.endsWith('/')) folder = found;
  }
  return named;
}

const SOURCES = sourceFiles('src').map(({ path }) => path);

/** Prose may name these by their end. */
const NAMED_BY_END = [...SOURCES, ...sourceFiles('bench').map(({ path }) => path)];

function isThere({ path, isEnd }: Named): boolean {
  if (existsSync(join(ROOT, path))) return true;
  const end = basename(path);
  return isEnd && NAMED_BY_END.some((source) => source.endsWith(`/${end}`));
}

for (const name of DOCUMENTS) {
  await t.test(`every path that ${name} names exists`, async (t) => {
    const text = documentText(name);
    t.ok(text !== undefined, `${name} exists`);
    const missing = namedPaths(text ?? '').filter((named) => !isThere(named));
    t.strictSame(missing, []);
  });

  await t.test(`every npm script that ${name} names exists`, async (t) => {
    const { scripts } = JSON.parse(documentText('package.json')!) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    const named = [
      ...(documentText(name) ?? '').matchAll(/\bnpm (?:run (?:-s )?([\w:-]+)|(start|test)\b)/g),
    ];
    const missing = named
      .map(([, run, short]) => run ?? short ?? '')
      .filter((script) => scripts[script] === undefined);
    t.strictSame(missing, []);
  });
}

/** Rows of the code map: `| \`src/http/\` | idea | \`entry.ts\` | what it must not know |`. */
const ROWS = tableRows(documentText('ARCHITECTURE.md') ?? '')
  .filter(([folder]) => folder!.startsWith('`src/'))
  .map((cells) => cells.map((cell) => cell.replaceAll('`', '')))
  .map(([folder = '', idea = '', entry = '', mustNotKnow = '']) => ({
    folder,
    idea,
    entry,
    mustNotKnow,
  }));

await t.test('the code map has a row for each folder of src that has files, and no other', (t) => {
  const folders = new Set(SOURCES.map((path) => `${dirname(path)}/`));
  t.strictSame(ROWS.map(({ folder }) => folder).toSorted(), [...folders].toSorted());
  t.end();
});

await t.test('each row tells an idea, an entry file that exists, and what is not known', (t) => {
  const short = ROWS.filter(
    ({ folder, idea, entry, mustNotKnow }) =>
      idea.length < 10 || mustNotKnow.length < 4 || !existsSync(join(ROOT, folder, entry)),
  );
  t.strictSame(short, []);
  t.end();
});

await t.test('a folder that a document names is a folder', async (t) => {
  const folders = namedPaths(documentText('ARCHITECTURE.md') ?? '').filter(
    ({ path }) => path.endsWith('/') && existsSync(join(ROOT, path)),
  );
  t.strictSame(
    folders.filter(({ path }) => !statSync(join(ROOT, path)).isDirectory()),
    [],
  );
});

await t.test('no file name stands twice in src, so a name in prose means one file', (t) => {
  const names = SOURCES.map((path) => basename(path));
  t.strictSame(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
  t.end();
});

await t.test('a file that a comment of src names exists', (t) => {
  const named = sourceFiles('src').flatMap(({ path, text }) =>
    text
      .split('\n')
      .filter((line) => /^\s*(?:\/\/|\/?\*)/.test(line))
      .flatMap((line) => [...line.matchAll(/(?<![\w./-])(?:[\w-]+\/)*[\w-]+\.ts\b/g)])
      .map(([file]) => [path, file] as const),
  );
  t.ok(named.length > 10, `${named.length} names`);
  const all = [...SOURCES, ...sourceFiles('test').map(({ path }) => path)];
  t.strictSame(
    named.filter(([, file]) => !all.some((path) => `/${path}`.endsWith(`/${file}`))),
    [],
  );
  t.end();
});

// The direction of imports. The two planes share only contract/ and base/, and the rules of HTTP
// stand alone; a folder may always import from itself. walls.ts says the same for the folders inside
// of a part.

import { dirname, join, normalize } from 'node:path';
import t from 'tap';
import { codeOf, sourceFiles } from './source-files.ts';
import { PARTS, WALLS } from './walls.ts';

/** Single files that may import one file more: the command that starts everything. */
const EXCEPTIONS: readonly (readonly [from: string, to: string])[] = [
  ['src/cli/process/run.ts', 'src/control-plane/daemon.ts'],
  ['src/cli/process/run.ts', 'src/control-plane/listening/inheritance.ts'],
  ['src/cli/process/config-check.ts', 'src/control-plane/acme/order-files.ts'],
  ['src/cli/process/config-check.ts', 'src/control-plane/certificates/check-files.ts'],
  ['src/cli/process/token.ts', 'src/control-plane/admin/offline-tokens.ts'],
];

interface Import {
  readonly from: string;
  readonly to: string;
}

/** `import … from 'x'`, `export … from 'x'`, `import 'x'` and `import('x')`. */
const IMPORT = /\b(?:import|export)\b[^'";]*?['"](\.[^'"]+)['"]/g;

function importsOf(path: string, text: string): Import[] {
  return [...codeOf(text).matchAll(IMPORT)].map(([, target]) => ({
    from: path,
    to: normalize(join(dirname(path), target!)),
  }));
}

/** `src/http/grammar/chars.ts` → `http`; `src/main.ts` → `main.ts`. */
function layerOf(path: string): string {
  return path.split('/')[1] ?? '';
}

function faultOf({ from, to }: Import): string | undefined {
  if (!to.startsWith('src/')) return `${from}: src must not import ${to}`;
  const [layer, target] = [layerOf(from), layerOf(to)];
  if (layer === target || EXCEPTIONS.some(([a, b]) => a === from && b === to)) return undefined;
  const allowed = PARTS[layer];
  if (allowed === undefined) return `${from}: src/${layer} is not in the table of layers`;
  if (allowed.includes(target)) return undefined;
  return `${from}: src/${layer} must not import ${to}`;
}

const imports = sourceFiles('src').flatMap(({ path, text }) => importsOf(path, text));

await t.test('every import in src goes in an allowed direction', async (t) => {
  t.ok(imports.length > 0, `${imports.length} imports`);
  t.strictSame(
    imports.map(faultOf).filter((fault) => fault !== undefined),
    [],
  );
});

/** `src/control-plane/store/sqlite/holder.ts` → `['control-plane', 'store/sqlite']`. */
function folderOf(path: string): readonly [part: string, folder: string] {
  const [, part = '', ...rest] = dirname(path).split('/');
  return [part, rest.join('/') || '.'];
}

/** Imports from one folder into another one of the same part of src. */
function arrowsOf(part: string, among: readonly Import[]): Import[] {
  return among.filter(({ from, to }) => {
    const [[partOfFrom, folder], [partOfTo, target]] = [folderOf(from), folderOf(to)];
    return partOfFrom === part && partOfTo === part && folder !== target;
  });
}

function wallFaultOf({ from, to }: Import): string | undefined {
  const [part, folder] = folderOf(from);
  const [, target] = folderOf(to);
  const wall = WALLS[part]?.[folder];
  if (wall === undefined) return `${from}: src/${part}/${folder} has no row in walls.ts`;
  if (wall.may.includes(target)) return undefined;
  return `${from}: ${folder} must not import ${target} (${to}). ${wall.why}`;
}

for (const [part, walls] of Object.entries(WALLS)) {
  const arrows = arrowsOf(part, imports);
  const folders = sourceFiles(`src/${part}`).map(({ path }) => folderOf(path)[1]);

  await t.test(`no import inside of src/${part} goes through a wall`, async (t) => {
    t.ok(arrows.length > 0, `${arrows.length} imports`);
    const faults = arrows.map(wallFaultOf).filter((fault) => fault !== undefined);
    t.strictSame(faults, []);
  });

  await t.test(`each folder of src/${part} has a row with a reason, and no other`, async (t) => {
    t.strictSame(Object.keys(walls).toSorted(), [...new Set(folders)].toSorted());
    const silent = Object.keys(walls).filter((folder) => walls[folder]!.why.length < 20);
    t.strictSame(silent, []);
  });

  await t.test(`each arrow that src/${part} allows is used`, async (t) => {
    const unused = Object.entries(walls).flatMap(([folder, { may }]) =>
      may
        .filter(
          (target) =>
            !arrows.some(
              ({ from, to }) => folderOf(from)[1] === folder && folderOf(to)[1] === target,
            ),
        )
        .map((target) => `${folder} → ${target}`),
    );
    t.strictSame(unused, []);
  });

  await t.test(`no folder of src/${part} may import one that stands below it`, async (t) => {
    const order = Object.keys(walls);
    const upward = Object.entries(walls).flatMap(([folder, { may }]) =>
      may
        .filter((target) => order.indexOf(target) >= order.indexOf(folder))
        .map((target) => `${folder} → ${target}`),
    );
    t.strictSame(upward, [], 'so there is no circle');
  });
}

/** Where no two files of a folder may need each other; elsewhere some still do. */
const WITHOUT_PAIRS =
  /^src\/(?:api|base|cli|client|config|contract|http|control-plane\/(?:acme|certificates)|data-plane\/clients)\//;

function pairsIn(among: readonly Import[]): string[] {
  const arrows = new Set(among.map(({ from, to }) => `${from} → ${to}`));
  return among
    .filter(({ from, to }) => from < to && arrows.has(`${to} → ${from}`))
    .map(({ from, to }) => `${from} ↔ ${to}`);
}

await t.test('no two files of a folder need each other where all are free of it', async (t) => {
  const found = pairsIn(imports.filter(({ from }) => WITHOUT_PAIRS.test(from)));
  t.strictSame([...new Set(found)], []);
  const pair = [
    { from: 'src/cli/a.ts', to: 'src/cli/b.ts' },
    { from: 'src/cli/b.ts', to: 'src/cli/a.ts' },
  ];
  t.strictSame(pairsIn(pair), ['src/cli/a.ts ↔ src/cli/b.ts'], 'one is found');
});

await t.test('an import through a wall is found, also one of types', async (t) => {
  const line = "import type { A } from '../admin/http/a.ts';";
  const [found] = importsOf('src/control-plane/switching/x.ts', line).map(wallFaultOf);
  t.match(found, /^src\/control-plane\/switching\/x\.ts: switching must not import admin\/http /);
});

await t.test('every exception of the table of layers is used', async (t) => {
  const unused = EXCEPTIONS.filter(
    ([from, to]) => !imports.some((found) => found.from === from && found.to === to),
  );
  t.strictSame(unused, []);
});

await t.test('a wrong import is found in each of its forms', async (t) => {
  const wrong = [
    "import { a } from '../control-plane/a.ts';",
    "import type { A } from '../control-plane/a.ts';",
    "export * from '../control-plane/a.ts';",
    "import '../control-plane/a.ts';",
    "const a = await import('../control-plane/a.ts');",
    "import {\n  a,\n  b,\n} from '../control-plane/a.ts';",
  ];
  const found = wrong.map((line) => importsOf('src/data-plane/x.ts', line).map(faultOf));
  const fault = 'src/data-plane/x.ts: src/data-plane must not import src/control-plane/a.ts';
  t.strictSame(
    found,
    wrong.map(() => [fault]),
  );
});

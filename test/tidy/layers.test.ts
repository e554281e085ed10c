// The direction of imports. The two planes share only contract/ and base/, and the rules of HTTP
// stand alone; a folder may always import from itself.

import { dirname, join, normalize } from 'node:path';
import t from 'tap';
import { codeOf, sourceFiles } from './source-files.ts';

/** Folder of src → what it may import. `(types)`: only with `import type`. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  http: ['base'],
  contract: ['base'],
  api: ['base', 'contract'],
  config: ['base', 'contract', 'api'],
  'data-plane': ['base', 'http', 'contract'],
  'control-plane': ['base', 'contract', 'api', 'config'],
  cli: ['base', 'contract', 'api', 'config'],
  'main.ts': ['cli'],
};

/** Single files that may import one file more: the command that starts everything. */
const EXCEPTIONS: readonly (readonly [from: string, to: string])[] = [
  ['src/cli/verbs/run.ts', 'src/control-plane/daemon.ts'],
  ['src/cli/verbs/run.ts', 'src/control-plane/listening/inheritance.ts'],
  ['src/cli/verbs/token.ts', 'src/control-plane/admin/offline-tokens.ts'],
];

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

/** `import … from 'x'`, `export … from 'x'`, `import 'x'` and `import('x')`. */
const IMPORT = /\b(import|export)\s*(type\b)?[^'";]*?['"](\.[^'"]+)['"]/g;

function importsOf(path: string, text: string): Import[] {
  return [...codeOf(text).matchAll(IMPORT)].map(([, , type, target]) => ({
    from: path,
    to: normalize(join(dirname(path), target!)),
    isType: type !== undefined,
  }));
}

/** `src/http/chars.ts` → `http`; `src/main.ts` → `main.ts`. */
function layerOf(path: string): string {
  return path.split('/')[1] ?? '';
}

function faultOf({ from, to, isType }: Import): string | undefined {
  if (!to.startsWith('src/')) return `${from}: src must not import ${to}`;
  const [layer, target] = [layerOf(from), layerOf(to)];
  if (layer === target || EXCEPTIONS.some(([a, b]) => a === from && b === to)) return undefined;
  const allowed = MAY_IMPORT[layer];
  if (allowed === undefined) return `${from}: src/${layer} is not in the table of layers`;
  if (allowed.includes(target)) return undefined;
  if (isType && allowed.includes(`${target} (types)`)) return undefined;
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

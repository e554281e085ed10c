// Links between documents: each leads to a file, and to a heading where it names one. Every page of
// docs/ can be found from docs/README.md.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { DOCUMENTS, documentsIn } from './documents.ts';
import { documentText, ROOT } from './source-files.ts';

const INDEX = 'docs/README.md';

interface Link {
  /** From the root of the repository. */
  readonly path: string;
  /** Heading in it; empty: none. */
  readonly anchor: string;
}

/** Returns the links of `document` into the repository. */
function linksOf(document: string): Link[] {
  const prose = (documentText(document) ?? '').replaceAll(/^```[\s\S]*?^```/gm, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file = '', anchor = ''] = target.split('#');
      return { path: file === '' ? document : join(dirname(document), file), anchor };
    });
}

/** Returns the anchors that the headings of a document have on GitHub. */
function anchorsOf(document: string): string[] {
  return [...(documentText(document) ?? '').matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function isDead({ path, anchor }: Link): boolean {
  if (!existsSync(join(ROOT, path))) return true;
  return anchor !== '' && !anchorsOf(path).includes(anchor);
}

for (const document of DOCUMENTS) {
  await t.test(`no link of ${document} is dead`, async (t) => {
    const dead = linksOf(document).filter(isDead);
    t.strictSame(dead, []);
  });
}

await t.test('every page of docs is in its index', async (t) => {
  const linked = new Set(linksOf(INDEX).map(({ path }) => path));
  const missing = documentsIn('docs').filter((page) => page !== INDEX && !linked.has(page));
  t.strictSame(missing, []);
});

await t.test('a dead link and a dead anchor are found', async (t) => {
  t.ok(isDead({ path: 'docs/nowhere.md', anchor: '' }));
  t.ok(isDead({ path: 'docs/sessions.md', anchor: 'nowhere' }));
  t.notOk(isDead({ path: 'docs/sessions.md', anchor: 'hold-and-maintenance' }));
});

// Every command of the documents is run, in the order in which a reader would: a document that says
// what does not work is a fault like any other.

import t from 'tap';
import { walksIn } from '../support/document-walk.ts';
import { CHECKOUT, reasonForNoWalk, takeWalk } from '../support/document-walker.ts';
import { DOCUMENTS } from '../tidy/documents.ts';
import { documentText } from '../tidy/source-files.ts';

t.setTimeout(600_000);

/** Documents for users; the others show commands as they were, or for work on the project. */
const WALKED = DOCUMENTS.filter(
  (path) => path === 'README.md' || /^docs\/[^/]+\.md$/.test(path) || path.startsWith('examples/'),
);

for (const path of WALKED) {
  const { walks, notRun, faults } = walksIn(documentText(path) ?? '');
  if (walks.length === 0 && notRun.length === 0 && faults.length === 0) continue;
  await t.test(path, { skip: reasonForNoWalk() }, async (t) => {
    t.strictSame(faults, [], 'every command is run, or says why not');
    for (const { line, reason } of notRun) t.comment(`line ${line} is not run: ${reason}`);
    for (const walk of walks) await takeWalk(t, path, walk, CHECKOUT);
  });
}

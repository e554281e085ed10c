// Whatever our reading of a reply accepts, Node's strict llhttp accepts with the same meaning:
// status, fields, content and trailers. What comes behind the reply belongs to nobody.

import * as fc from 'fast-check';
import t from 'tap';
import { REPLY, RUNS } from '../../support/arbitrary-message.ts';
import { nodeReply } from '../../support/llhttp.ts';
import { ownReply } from '../../support/own-reader.ts';

const METHOD = fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST');

await t.test('llhttp agrees with every reply that we accept', async (t) => {
  let acceptedCount = 0;
  const property = fc.asyncProperty(REPLY, METHOD, async (text, method) => {
    const own = ownReply(text, method);
    if (typeof own === 'string') return;
    acceptedCount++;
    const node = await nodeReply(text, method);
    const { status, fields, body, trailers } = own;
    const ours = { status, fields, body, trailers, isComplete: true };
    const theirs = node && {
      status: node.status,
      fields: node.fields,
      body: node.body,
      trailers: node.trailers,
      isComplete: node.isComplete,
    };
    if (show(ours) !== show(theirs)) throw new Error(`ours ${show(ours)}, llhttp ${show(theirs)}`);
  });
  await fc.assert(property, { numRuns: RUNS });
  t.ok(acceptedCount > RUNS / 6, `${acceptedCount} of ${RUNS} replies were good`);
});

function show(value: unknown): string {
  return JSON.stringify(value, undefined, 1);
}

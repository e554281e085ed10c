// Every response that our parser accepts, Node's strict llhttp accepts with the same meaning: status,
// fields, content and trailers. Bytes behind the response are not compared.

import * as fc from 'fast-check';
import t from 'tap';
import { REPLY, RUNS } from '../../../support/arbitrary-message.ts';
import { nodeResponse } from '../../../support/llhttp.ts';
import { ownResponse } from '../../../support/own-reader.ts';

const METHOD = fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST');

await t.test('llhttp agrees with every response that we accept', async (t) => {
  let acceptedCount = 0;
  const property = fc.asyncProperty(REPLY, METHOD, async (text, method) => {
    const own = ownResponse(text, method);
    if (typeof own === 'string') return;
    acceptedCount++;
    const node = await nodeResponse(text, method);
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
  t.ok(acceptedCount > RUNS / 6, `${acceptedCount} of ${RUNS} responses were good`);
});

function show(value: unknown): string {
  return JSON.stringify(value, undefined, 1);
}

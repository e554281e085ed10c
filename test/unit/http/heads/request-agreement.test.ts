// Whatever our reading of a request accepts, Node's strict llhttp accepts with the same meaning:
// method, target, version, fields, content, trailers, and where the next request begins.

import * as fc from 'fast-check';
import t from 'tap';
import { RUNS, REQUESTS } from '../../../support/arbitrary-message.ts';
import { nodeRequests } from '../../../support/llhttp.ts';
import { ownRequests } from '../../../support/own-reader.ts';
import { SMUGGLING_CORPUS } from '../smuggling-corpus.ts';

/** Returns how many requests we accepted; throws where the two readings part. */
async function check(text: string): Promise<number> {
  const own = ownRequests(text);
  const node = await nodeRequests(text);
  const complete = node.filter((request) => request.isComplete);
  for (const [index, request] of own.messages.entries()) {
    const { isComplete: _, ...other } = node[index] ?? { isComplete: false };
    if (complete.length <= index || show(other) !== show(request)) {
      throw new Error(`request ${index}: ours ${show(request)}, llhttp ${show(node[index])}`);
    }
  }
  if (!own.hasFault && complete.length > own.messages.length) {
    throw new Error(`llhttp sees a further request: ${show(complete.at(-1))}`);
  }
  return own.messages.length;
}

await t.test('llhttp agrees with every request that we accept', async (t) => {
  let acceptedCount = 0;
  const property = fc.asyncProperty(REQUESTS, async (text) => {
    acceptedCount += (await check(text)) > 0 ? 1 : 0;
  });
  await fc.assert(property, { numRuns: RUNS });
  t.ok(acceptedCount > RUNS / 6, `${acceptedCount} of ${RUNS} texts began with a good request`);
});

await t.test('llhttp agrees on every known smuggling attempt', async (t) => {
  const faults: string[] = [];
  for (const [name, text] of SMUGGLING_CORPUS) {
    await check(text).catch((error: unknown) => faults.push(`${name}: ${String(error)}`));
  }
  t.strictSame(faults, []);
});

await t.test('a known smuggling attempt never gets a second request through', async (t) => {
  const passed = SMUGGLING_CORPUS.filter(([, text]) =>
    ownRequests(text).messages.some((request) => request.target === '/smuggled'),
  );
  t.strictSame(
    passed.map(([name]) => name),
    [],
  );
});

function show(value: unknown): string {
  return JSON.stringify(value, undefined, 1);
}

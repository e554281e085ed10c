// Methods that a setting adds. llhttp knows its own list alone, so it can't read such a request. That it
// has one reading all the same is shown in two steps: with a registered method of the same length in its
// place llhttp reads what we read (also in request-agreement.test.ts), and with the further method our
// reading differs in the method alone. So no byte of fields, content or the next request depends on it.

import * as fc from 'fast-check';
import t from 'tap';
import {
  SAFE_METHODS,
  IDEMPOTENT_METHODS,
  OTHER_METHODS,
} from '../../../../src/base/method-names.ts';
import { parseMethodName } from '../../../../src/config/values/method-name.ts';
import { Methods } from '../../../../src/http/grammar/methods.ts';
import { RUNS, REQUESTS } from '../../../support/arbitrary-message.ts';
import { nodeRequests } from '../../../support/llhttp.ts';
import { ownRequests } from '../../../support/own-reader.ts';
import { SMUGGLING_CORPUS } from '../smuggling-corpus.ts';

const REGISTERED = [...SAFE_METHODS, ...IDEMPOTENT_METHODS, ...OTHER_METHODS];

/** Registered methods, and as long a further one that takes the place of each. */
const STANDS_FOR = { POST: 'LIST', GET: 'BAN', PUT: 'Ask', HEAD: 'F.ND', DELETE: 'REVOKE' };
const FURTHER = Object.values(STANDS_FOR);

/** The same text with further methods. */
function further(text: string): string {
  return Object.entries(STANDS_FOR).reduce((now, [from, to]) => now.replaceAll(from, to), text);
}

/** Returns whether a request was accepted; throws where the readings part. */
async function check(text: string): Promise<boolean> {
  const usual = ownRequests(text);
  const added = ownRequests(further(text), FURTHER);
  if (JSON.stringify(added) !== further(JSON.stringify(usual))) {
    throw new Error(`with further methods ${JSON.stringify(added)}, without ${show(usual)}`);
  }
  const node = await nodeRequests(text);
  for (const [index, request] of usual.messages.entries()) {
    const { isComplete, ...other } = node[index] ?? { isComplete: false };
    if (!isComplete || show(other) !== show(request)) {
      throw new Error(`request ${index}: ours ${show(request)}, llhttp ${show(node[index])}`);
    }
  }
  return added.messages.some(({ method }) => FURTHER.includes(method));
}

function show(value: unknown): string {
  return JSON.stringify(value);
}

await t.test('a further method changes nothing else of what a request is', async (t) => {
  let acceptedCount = 0;
  await fc.assert(
    fc.asyncProperty(REQUESTS, async (text) => {
      acceptedCount += (await check(text)) ? 1 : 0;
    }),
    { numRuns: RUNS },
  );
  t.ok(acceptedCount > RUNS / 40, `${acceptedCount} of ${RUNS} texts had a further method`);
});

await t.test('a further method lets no known smuggling attempt through', async (t) => {
  for (const [name, text] of SMUGGLING_CORPUS) {
    const { messages } = ownRequests(further(text), FURTHER);
    const isThrough = messages.some(({ target }) => target === '/smuggled');
    t.notOk(isThrough, name);
    await check(text).catch((error: unknown) => t.fail(`${name}: ${String(error)}`));
  }
});

await t.test('nothing may be assumed of a further method', async (t) => {
  const methods = new Methods(['LIST', 'Brew', 'x'.repeat(32)]);
  for (const name of ['LIST', 'Brew', 'x'.repeat(32)]) {
    t.strictSame(found(methods, name), { name, isSafe: false, isIdempotent: false });
  }
  for (const name of ['list', 'LISTS', 'LIS', 'BREW', 'CONNECT', '']) {
    t.equal(found(methods, name), undefined, name);
  }
});

await t.test('what is registered means the same whatever a setting adds', async (t) => {
  for (const name of REGISTERED) {
    t.strictSame(found(new Methods([name]), name), found(new Methods([]), name), name);
  }
});

await t.test('a setting may add tokens that no reader takes for another method', async (t) => {
  for (const name of ['LIST', 'BAN', 'Brew', 'M-LIST', "!#$%&'*+.^_`|~0-9", 'a'.repeat(32)]) {
    t.ok(parseMethodName(name).ok, name);
  }
  const bad = ['', ' ', 'A B', 'A\r\nB', 'A:B', 'A/B', 'A,B', 'Ä', 'LIST\0', 'a'.repeat(33), 7];
  const never = ['CONNECT', 'Connect', 'PRI', 'pri'];
  const spelled = REGISTERED.flatMap((name) => [name, name.toLowerCase()]);
  for (const name of [...bad, ...never, ...spelled]) t.notOk(parseMethodName(name).ok, `${name}`);
});

await t.test('what the setting takes is found as a method', async (t) => {
  let takenCount = 0;
  const names = fc.oneof(
    fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,34}$/),
    fc.string({ unit: 'binary-ascii', maxLength: 34 }),
  );
  fc.assert(
    fc.property(names, (name) => {
      if (!parseMethodName(name).ok) return;
      takenCount += 1;
      const [request] = ownRequests(`${name} / HTTP/1.1\r\nHost: a\r\n\r\n`, [name]).messages;
      if (request?.method !== name) throw new Error(`${name} is not found`);
    }),
    { numRuns: RUNS },
  );
  t.ok(takenCount > RUNS / 10, `${takenCount} of ${RUNS} names were taken`);
});

function found(methods: Methods, name: string): ReturnType<Methods['of']> {
  const bytes = Buffer.from(`${name} `, 'latin1');
  return methods.of(bytes, 0, bytes.length - 1);
}

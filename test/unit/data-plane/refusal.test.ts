// The answers of the proxy itself.

import t from 'tap';
import { FAILURES, FAILURE_CODES } from '../../../src/base/failures.ts';
import { refusalAnswer } from '../../../src/data-plane/refusal.ts';
import { readReply, statusOf, valuesOf } from '../../support/message.ts';

for (const code of FAILURE_CODES) {
  await t.test(`${code} makes one whole answer that names it`, async (t) => {
    for (const keepAlive of [true, false]) {
      for (const isHead of [true, false]) {
        const text = refusalAnswer(code, { detail: undefined, keepAlive, isHead });
        const method = isHead ? 'HEAD' : 'GET';
        const reply = readReply(text, 0, { method, hasEnded: false });
        t.equal(reply?.isComplete, true);
        t.equal(reply?.end, text.length, 'nothing follows');
        t.equal(statusOf(reply!.start), FAILURES[code].status);
        t.strictSame(valuesOf(reply!.fields, 'x-turnout-failure'), [code]);
        t.strictSame(valuesOf(reply!.fields, 'connection'), keepAlive ? [] : ['close']);
        t.strictSame(valuesOf(reply!.fields, 'cache-control'), ['no-store']);
        const isBusy = FAILURES[code].status === 503;
        t.equal(valuesOf(reply!.fields, 'retry-after').length, isBusy ? 1 : 0);
        t.equal(reply!.body.includes(FAILURES[code].detail), !isHead);
      }
    }
  });
}

await t.test('a detail replaces the general sentence', async (t) => {
  const options = { detail: 'Host is missing', keepAlive: false, isHead: false };
  const text = refusalAnswer('BAD_REQUEST', options);
  t.match(text, /\n400 BAD_REQUEST: Host is missing\n$/);
  t.notMatch(text, FAILURES.BAD_REQUEST.detail);
});

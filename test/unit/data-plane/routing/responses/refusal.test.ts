// The responses that the proxy makes itself.

import {
  HEALTHY,
  ownResponse,
} from '../../../../../src/data-plane/routing/responses/own-response.ts';
import t from 'tap';
import { FAILURES, FAILURE_CODES } from '../../../../../src/base/failures.ts';
import {
  refusalResponse,
  refusalFor,
  type Refusal,
} from '../../../../../src/data-plane/routing/responses/refusal.ts';
import { readResponse, statusOf, valuesOf, type Message } from '../../../../support/message.ts';

const KEPT = { keepAlive: true, isHead: false, lastFields: '' };

/** Returns the response as a client reads it; nothing may be missing and nothing may follow. */
function read(text: string, isHead: boolean): Message {
  const method = isHead ? 'HEAD' : 'GET';
  const response = readResponse(text, 0, { method, hasEnded: false });
  t.equal(response?.isComplete, true);
  t.equal(response?.end, text.length, 'nothing follows');
  return response!;
}

function readRefusal(refusal: Refusal): Message {
  return read(refusalResponse(refusal, KEPT), false);
}

for (const code of FAILURE_CODES) {
  await t.test(`${code} makes one whole response that names it`, async (t) => {
    for (const keepAlive of [true, false]) {
      for (const isHead of [true, false]) {
        const response = read(
          refusalResponse(refusalFor(code), { ...KEPT, keepAlive, isHead }),
          isHead,
        );
        t.equal(statusOf(response.start), FAILURES[code].status);
        t.strictSame(valuesOf(response.fields, 'x-turnout-failure'), [code]);
        t.strictSame(valuesOf(response.fields, 'connection'), keepAlive ? [] : ['close']);
        t.strictSame(valuesOf(response.fields, 'cache-control'), ['no-store']);
        const isBusy = FAILURES[code].status === 503;
        t.strictSame(valuesOf(response.fields, 'retry-after'), isBusy ? ['1'] : []);
        t.equal(response.body.includes(FAILURES[code].detail), !isHead);
      }
    }
  });
}

await t.test('a detail replaces the general sentence', async (t) => {
  const text = refusalResponse(refusalFor('BAD_REQUEST', 'Host is missing'), KEPT);
  t.match(text, /\n400 BAD_REQUEST: Host is missing\n$/);
  t.notMatch(text, FAILURES.BAD_REQUEST.detail);
});

await t.test('a refusal says when to come again', async (t) => {
  const response = readRefusal({ ...refusalFor('MAINTENANCE'), retryAfterSeconds: 120 });
  t.strictSame(valuesOf(response.fields, 'retry-after'), ['120']);
});

await t.test('a page stands for the sentence and is measured in bytes', async (t) => {
  const page = '<p>Zurück in fünf Minuten — 5 €</p>';
  const response = readRefusal({ ...refusalFor('MAINTENANCE'), page });
  t.strictSame(valuesOf(response.fields, 'content-type'), ['text/html; charset=utf-8']);
  t.equal(Buffer.from(response.body, 'latin1').toString(), page);
});

await t.test('a page has the length for HEAD that it has for GET, and no body', async (t) => {
  const refusal = { ...refusalFor('MAINTENANCE'), page: '<p>é</p>' };
  const head = read(refusalResponse(refusal, { ...KEPT, isHead: true }), true);
  t.strictSame(
    valuesOf(head.fields, 'content-length'),
    valuesOf(readRefusal(refusal).fields, 'content-length'),
  );
});

await t.test('a health check is answered in one whole piece', async (t) => {
  for (const keepAlive of [true, false]) {
    for (const isHead of [true, false]) {
      const response = read(ownResponse(HEALTHY, { ...KEPT, keepAlive, isHead }), isHead);
      t.equal(statusOf(response.start), 200);
      t.strictSame(valuesOf(response.fields, 'connection'), keepAlive ? [] : ['close']);
      t.strictSame(valuesOf(response.fields, 'cache-control'), ['no-store']);
      t.match(response.body, isHead ? /^$/ : /^ok\b/);
    }
  }
});

// What operators read when an authority refuses, is gone, or talks nonsense.

import t from 'tap';
import {
  problemOf,
  readAnswer,
  shortText,
} from '../../../../src/control-plane/acme/authority-answer.ts';
import { visibleText } from '../../../../src/base/visible-text.ts';
import type {
  ChallengeKind,
  OrderStep,
} from '../../../../src/control-plane/acme/order-messages.ts';
import { START_MS } from './acme-world.ts';

const ERROR = 'urn:ietf:params:acme:error:';

function answer(status: number, data: unknown, retryAfter?: unknown) {
  return readAnswer({ status, data, retryAfter }, START_MS);
}

function at(step: OrderStep, challenge: ChallengeKind = 'http-01') {
  return { step, challenge };
}

function wordsFor(code: string): string {
  const error = Object.assign(new Error('raw'), { code });
  return problemOf(error, at('directory'), undefined).words;
}

await t.test('an answer that tells of no failure is none', async (t) => {
  t.equal(answer(200, { status: 'valid' }), undefined);
  t.equal(answer(201, ''), undefined);
});

await t.test('a problem document is told by its type and its text', async (t) => {
  const data = {
    type: `${ERROR}caa`,
    detail: 'CAA record for a.test prevents issuance',
    status: 403,
  };
  const problem = problemOf(new Error('any'), at('order'), answer(403, data));
  t.strictSame(problem, {
    words:
      'the authority answered caa (while placing the order): CAA record for a.test prevents issuance',
    advice: 'the CAA records of the domain have to allow this authority',
    isRateLimited: false,
    retryAfterMs: undefined,
  });
});

await t.test('a challenge that failed has its reason inside of a good answer', async (t) => {
  const detail = 'Fetching http://a.test/.well-known/acme-challenge/x: Connection refused';
  const data = { status: 'invalid', error: { type: `${ERROR}connection`, detail } };
  t.match(problemOf(new Error('any'), at('validation'), answer(200, data)), {
    words: `the authority answered connection (while it validates the domain): ${detail}`,
  });
});

await t.test(
  'what comes from a gateway in front of the authority is told by its status',
  async (t) => {
    const problem = problemOf(new Error('Bad gateway'), at('directory'), answer(502, '<html>…'));
    t.equal(
      problem.words,
      'the authority answered status 502 (while asking for its directory): Bad gateway',
    );
  },
);

await t.test('the wait that an authority asks for is read in all its forms', async (t) => {
  const wait = (detail: string, retryAfter?: string) =>
    problemOf(
      new Error('any'),
      at('order'),
      answer(429, { type: `${ERROR}rateLimited`, detail }, retryAfter),
    );
  t.match(wait('too many', '3600'), { isRateLimited: true, retryAfterMs: 3_600_000 });
  const date = new Date(START_MS + 90_000).toUTCString();
  t.match(wait('too many', date), { retryAfterMs: 90_000 });
  t.match(wait('too many', 'soon'), { isRateLimited: true, retryAfterMs: undefined });
  t.match(wait('too many', '-5'), { retryAfterMs: undefined });
  const time = new Date(START_MS + 7_200_000).toISOString().slice(0, 19);
  t.match(wait(`too many certificates, retry after ${time}Z: see`), { retryAfterMs: 7_200_000 });
  t.match(wait(`too many, retry after ${time.replace('T', ' ')} UTC: see`), {
    retryAfterMs: 7_200_000,
  });
  t.match(problemOf(new Error('x'), at('order'), answer(429, 'no document')), {
    isRateLimited: true,
  });
});

await t.test(
  'an authority that cannot be reached is told with the reason and what to do',
  async (t) => {
    t.match(wordsFor('ECONNREFUSED'), /cannot be reached .*connection refused \(ECONNREFUSED\)/);
    t.match(wordsFor('ENOTFOUND'), /its name has no address/);
    t.match(wordsFor('CERT_HAS_EXPIRED'), /or the clock of this machine is wrong/);
    t.match(wordsFor('SELF_SIGNED_CERT_IN_CHAIN'), /not trusted; see acme\.caFile/);
    t.match(wordsFor('EODD'), /^the order failed .*: raw$/);
    const nonsense = problemOf(new TypeError('x is not iterable'), at('order'), undefined);
    t.match(nonsense.words, /makes no sense \(while placing the order\): x is not iterable/);
  },
);

await t.test('what can be done is said where one cause is likely', (t) => {
  const failed = answer(200, { error: { type: `${ERROR}connection`, detail: 'refused' } });
  const advice = (...asked: Parameters<typeof at>): string =>
    problemOf(new Error('any'), at(...asked), failed).advice;
  t.match(advice('validation', 'http-01'), /^port 80 of the domain .* without TLS/);
  t.match(advice('validation', 'tls-alpn-01'), /^port 443 of the domain .* with TLS/);
  t.equal(advice('certificate'), '');
  const limited = answer(429, { type: `${ERROR}rateLimited`, detail: 'too many' });
  t.match(problemOf(new Error('any'), at('order'), limited).advice, /tried again by itself/);
  const gone = Object.assign(new Error('any'), { code: 'ENOTFOUND' });
  t.match(problemOf(gone, at('directory'), undefined).advice, /^check acme\.ca/);
  t.end();
});

await t.test('texts of an authority cannot steer a terminal, and are cut', async (t) => {
  const detail = `\u001B[2Jgone\nlevel=error ${'x'.repeat(10_000)}`;
  const { words } = problemOf(new Error('any'), at('order'), answer(400, { type: '', detail }));
  t.equal(visibleText(words), words);
  t.ok(words.length < 420);
  t.equal(shortText('short'), 'short');
});

await t.test('an answer may have anything where a text belongs', async (t) => {
  for (const data of [
    null,
    7,
    [],
    { error: 7 },
    { error: { type: {}, detail: [] } },
    { type: 7 },
  ]) {
    const read = answer(500, data, { odd: true });
    t.match(read, { status: 500, type: '', detail: '', retryAfterMs: undefined });
  }
});

// Of which certificates an operator is told.

import t from 'tap';
import { noticesOf } from '../../../../src/control-plane/certificates/certificate-notices.ts';

const DAY_MS = 86_400_000;

function textsOf(lifeDays: number, leftDays: number, problem = ''): string[] {
  const nowMs = 1_000 * DAY_MS;
  const endsAtMs = nowMs + leftDays * DAY_MS;
  const beginsAtMs = endsAtMs - lifeDays * DAY_MS;
  const report = { name: 'a.test', names: [], source: '/a.pem', beginsAtMs, endsAtMs, problem };
  return noticesOf([report], nowMs).map(({ isOver, text }) => `${isOver ? '! ' : ''}${text}`);
}

await t.test('an end is told of two weeks ahead', (t) => {
  t.same(textsOf(90, 14.1), []);
  t.same(textsOf(90, 14), ['the certificate of a.test (/a.pem) ends in 14 d: renew it']);
  t.same(textsOf(13, 13), ['the certificate of a.test (/a.pem) ends in 13 d: renew it']);
  t.same(textsOf(90, -3), ['! the certificate of a.test (/a.pem) has ended 3 d ago: renew it']);
  t.end();
});

await t.test('one that lives for some days is not told of all its life', (t) => {
  t.same(textsOf(6, 2), []);
  t.same(textsOf(6, 1.5), ['the certificate of a.test (/a.pem) ends in 36 h: renew it']);
  t.same(textsOf(1, 0.3), []);
  t.end();
});

await t.test('a file that is not used is told of', (t) => {
  t.same(textsOf(90, 60, '/a.pem is empty'), [
    '/a.pem has changed, but what was in use stays: /a.pem is empty',
  ]);
  t.equal(textsOf(90, 1, 'wrong').length, 2);
  t.end();
});

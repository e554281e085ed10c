// How many, in words.

import t from 'tap';
import { countText } from '../../../src/base/count-text.ts';

await t.test('one is no plural', (t) => {
  t.equal(countText('1', 'session'), '1 session');
  t.equal(countText('0', 'session'), '0 sessions');
  t.equal(countText(1, 'session'), '1 session');
  t.equal(countText(12, 'session'), '12 sessions');
  t.equal(countText('-', 'session'), '- sessions');
  t.equal(countText('1', 'request waits', 'requests wait'), '1 request waits');
  t.equal(countText('2', 'request waits', 'requests wait'), '2 requests wait');
  t.end();
});

import t from 'tap';
import { Ignored } from '../../../../src/data-plane/shadow/ignored.ts';

await t.test('what stands between two texts is left out, as often as it comes', async (t) => {
  const ignored = new Ignored([['token="', '"']]);
  t.equal(ignored.strip('a token="1" b token="22" c', false), 'a token=" b token=" c');
});

await t.test('a text alone is left out itself', async (t) => {
  t.equal(new Ignored([['host-1']]).strip('by host-1 and host-1.', false), 'by  and .');
});

await t.test('several texts follow each other', async (t) => {
  const ignored = new Ignored([['<time ', '>', '</time>']]);
  t.equal(ignored.strip('x<time a="b">9:41</time>y', false), 'x<time y');
});

await t.test('a pattern whose end is missing leaves a whole text as it is', async (t) => {
  const ignored = new Ignored([['token="', '"']]);
  t.equal(ignored.strip('a token="1', false), 'a token="1');
});

await t.test('where more would follow, what has begun is left out', async (t) => {
  const ignored = new Ignored([['token="', '"']]);
  t.equal(ignored.strip('a token="1', true), 'a token="');
});

await t.test('letters beyond ASCII are compared as the bytes of UTF-8', async (t) => {
  const ignored = new Ignored([['für ', ' da']]);
  const text = Buffer.from('für Mia da').toString('latin1');
  t.equal(Buffer.from(ignored.strip(text, false), 'latin1').toString(), 'für ');
});

await t.test(
  'a text that a client would have to wait for costs each part one search',
  async (t) => {
    // With backtracking, these would take the square or the cube of the length.
    const ignored = new Ignored([['a', 'a', 'a', 'b']]);
    const text = 'a'.repeat(500_000);
    t.equal(ignored.strip(text, false), text);
    const halves = new Ignored([['a', 'b']]);
    t.equal(halves.strip('ab'.repeat(250_000), false), 'a'.repeat(250_000));
  },
);

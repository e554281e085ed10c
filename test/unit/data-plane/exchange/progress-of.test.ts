// Which side a request waits for, as an operator is told and a hold decides.

import t from 'tap';
import { ExchangeWorld } from '../support/exchange-world.ts';

const POST = 'POST /save HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n';
const CHUNKED = 'POST /save HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const GET = 'GET /poll?token=secret HTTP/1.1\r\nHost: a\r\n\r\n';

await t.test('an upload waits for its client, which still has to send the rest', async (t) => {
  const world = new ExchangeWorld().asks(POST);
  world.target.opens();
  world.sends('x'.repeat(40));
  t.strictSame(world.exchange.progress, { waitsFor: 'upload', movedBytes: 40, leftBytes: 60 });
});

await t.test('how much of a chunked upload is still to come is not known', async (t) => {
  const world = new ExchangeWorld().asks(CHUNKED);
  world.target.opens();
  world.sends('3\r\nabc\r\n');
  t.match(world.exchange.progress, { waitsFor: 'upload', movedBytes: 3, leftBytes: undefined });
});

await t.test('an upload that the target does not take waits for the target', async (t) => {
  const world = new ExchangeWorld().asks(POST);
  world.target.opens();
  world.target.gives(false);
  world.sends('x');
  t.match(world.exchange.progress, { waitsFor: 'target', movedBytes: 1 });
  world.target.gives(true);
  t.match(world.exchange.progress, { waitsFor: 'upload' });
});

await t.test('a request without a response waits for its target', async (t) => {
  const world = new ExchangeWorld().asks(GET);
  world.target.opens();
  t.match(world.exchange.progress, { waitsFor: 'target', movedBytes: 0 });
  t.equal(world.exchange.path, '/poll', 'and is named without its query');
});

await t.test('a response that is not read waits for the reader', async (t) => {
  for (const [framing, left] of [
    ['Content-Length: 100', 95],
    ['Transfer-Encoding: chunked', undefined],
  ] as const) {
    const world = new ExchangeWorld().asks(GET);
    world.target.opens();
    const body = left === undefined ? '5\r\nabcde\r\n' : 'abcde';
    world.target.says(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n${body}`);
    t.match(world.exchange.progress, { waitsFor: 'target' }, 'while it is read');
    const { length } = world.client.text;
    Object.assign(world.client.output, { isLimited: true, unsentBytes: 4 });
    t.strictSame(
      world.exchange.progress,
      {
        waitsFor: 'reader',
        movedBytes: length - 4,
        leftBytes: left === undefined ? undefined : left + 4,
      },
      framing,
    );
  }
});

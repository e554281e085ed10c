// Event streams and tunnels between a client and a target that are fakes: how they end by
// themselves, and how a drain ends them.

import t from 'tap';
import { PLACE_TO_CLOSE_MS } from '../../../../src/base/limits.ts';
import { OPCODE, RESTART, serverFrame } from '../../../support/ws-frames.ts';
import { EVENTS, GET, SWITCHING, UPGRADE } from '../support/exchange-texts.ts';
import { ExchangeWorld, isOver } from '../support/exchange-world.ts';

await t.test('a drain ends an event stream after an event', (t) => {
  const world = new ExchangeWorld().asks(GET);
  world.target.opens();
  world.target.says(`${EVENTS}b\r\ndata: half\n\r\n`);
  t.ok(world.counted.includes('streams of block 1: 1'));
  world.exchange.endGently();
  t.notOk(world.exchange.isOver, 'not within one');
  world.target.says('c\r\n\ndata: more\n\r\n');
  t.match(world.client.text, /data: half\n\r\n1\r\n\n\r\n0\r\n\r\n$/, 'nothing of the next one');
  isOver(t, world, { deeds: ['over'] });
  t.equal(world.client.keepAlive, true);
  t.end();
});

await t.test('a drain cuts an event stream whose event does not end', (t) => {
  const world = new ExchangeWorld().asks(GET);
  world.target.opens();
  world.target.says(`${EVENTS}b\r\ndata: half\n\r\n`);
  world.exchange.endGently();
  world.passTime(PLACE_TO_CLOSE_MS);
  isOver(t, world, { deeds: ['end', 'over'], failures: { DRAIN_ENDED: 1 } });
  t.end();
});

await t.test('a tunnel carries bytes both ways until both sides have ended', (t) => {
  const world = new ExchangeWorld().asks(UPGRADE);
  world.target.opens();
  world.target.says(`${SWITCHING}first`);
  t.match(world.client.text, /^HTTP\/1.1 101 [^]*\r\n\r\nfirst$/);
  t.ok(world.counted.includes('tunnels of block 1: 1'));
  t.notOk(world.counted.includes('requests of block 1: 1'), 'that was counted when it began');
  world.sends('hello');
  t.ok(world.target.text.endsWith('\r\n\r\nhello'));
  world.target.says('answer');
  t.ok(world.client.text.endsWith('firstanswer'));
  const { target } = world;
  target.ends();
  world.tells((exchange) => exchange.tunnel!.clientEnded());
  t.strictSame(target.deeds, ['touched', 'our side ends']);
  world.tells((exchange) => exchange.clientGone('CLIENT_GONE', true));
  t.ok(target.deeds.includes('abandoned'), 'its last bytes still go to the target');
  isOver(t, world, { deeds: ['tunnel', 'our side ends', 'end', 'over'] });
  t.end();
});

await t.test('a tunnel that the target breaks off ends behind what it had sent', (t) => {
  const world = new ExchangeWorld().asks(UPGRADE);
  world.target.opens();
  world.target.says(SWITCHING);
  world.target.breaksOff();
  isOver(t, world, { deeds: ['tunnel', 'end', 'over'] });
  t.end();
});

/** One of two frames of a message. */
function part(isFinal: boolean): string {
  const opcode = isFinal ? OPCODE.continuation : OPCODE.text;
  return serverFrame({ opcode, payload: 'part', isFinal });
}

await t.test('a drain says goodbye on a WebSocket between two messages', (t) => {
  const world = new ExchangeWorld().asks(UPGRADE);
  world.target.opens();
  world.target.says(SWITCHING);
  world.target.says(part(false));
  world.exchange.endGently();
  t.notOk(world.client.text.includes(RESTART));
  world.target.says(part(true));
  t.ok(world.client.text.endsWith(RESTART));
  world.tells((exchange) => exchange.clientGone('CLIENT_GONE', true));
  isOver(t, world, { deeds: ['tunnel', 'end', 'over'] });
  t.end();
});

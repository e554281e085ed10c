// How single tunnels end at a switch: where exactly the Close frame stands between the bytes of the
// target, and what becomes of tunnels in which one side does not play its part.

import t from 'tap';
import { Random } from '../support/random.ts';
import {
  clientFrame,
  closePayload,
  message,
  OPCODE,
  RESTART,
  serverFrame,
} from '../support/ws-frames.ts';
import { ending, startRawBench, switching, until, upgrade } from '../support/ws-raw-bench.ts';

/** What a client answers to a goodbye. */
const ANSWER = clientFrame({
  opcode: OPCODE.close,
  payload: closePayload(1012, 'service restart'),
  isFinal: true,
});

const seed = Date.now() % 2 ** 31;
t.comment(`seed ${seed}`);
const random = new Random(seed);

/** Returns `text` in pieces of random sizes. */
function pieces(text: string): string[] {
  const cuts = Array.from({ length: 9 }, () => random.below(text.length));
  const bounds = [0, ...cuts.toSorted((a, b) => a - b), text.length];
  return bounds.slice(1).map((to, i) => text.slice(bounds[i], to));
}

await t.test('a goodbye waits for the end of a large frame, whatever its pieces', async (t) => {
  const bench = await startRawBench(t);
  const { client, target, received } = await bench.open('websocket');
  const large = message('x'.repeat(200_000));
  const half = 1 + random.below(large.length - 1);
  target.send(message('first') + large.slice(0, half));
  const before = message('first').length + half;
  await until(client, 'first half', () => received().length === before);
  await bench.leave();
  t.equal(received().length, before, 'nothing stands inside the frame');
  for (const piece of pieces(large.slice(half) + message('late'))) target.send(piece);
  await until(client, 'goodbye', () => received().endsWith(RESTART));
  client.send(ANSWER);
  await until(target, 'answer', () => target.text.endsWith(ANSWER));
  target.send(message('later'));
  target.end();
  t.equal(await ending(client), 'end');
  t.ok(received() === message('first') + large + RESTART, 'every byte, and nothing behind it');
});

await t.test('a goodbye waits for the last fragment; a ping between two passes', async (t) => {
  const bench = await startRawBench(t);
  const { client, target, received } = await bench.open('websocket');
  const { text, ping, continuation } = OPCODE;
  const first = serverFrame({ opcode: text, payload: 'one ', isFinal: false });
  const check = serverFrame({ opcode: ping, payload: '?', isFinal: true });
  const second = serverFrame({ opcode: continuation, payload: 'two ', isFinal: false });
  const last = serverFrame({ opcode: continuation, payload: 'three', isFinal: true });
  target.send(first);
  await until(client, 'first fragment', () => received() === first);
  await bench.leave();
  target.send(check);
  await until(client, 'ping', () => received() === first + check);
  target.send(second);
  await until(client, 'fragment', () => received() === first + check + second);
  target.send(last);
  await until(client, 'goodbye', () => received().endsWith(RESTART));
  t.equal(received(), first + check + second + last + RESTART);
});

await t.test('a message that does not end is closed between two of its frames', async (t) => {
  const bench = await startRawBench(t);
  const { client, target, received } = await bench.open('websocket');
  const first = serverFrame({ opcode: OPCODE.text, payload: 'one ', isFinal: false });
  target.send(first);
  await until(client, 'first fragment', () => received() === first);
  await bench.leave();
  await until(client, 'goodbye', () => received() === first + RESTART);
  client.send(ANSWER);
  await until(target, 'answer', () => target.text.endsWith(ANSWER));
  target.end();
  t.equal(await ending(client), 'end');
});

await t.test('a frame that does not end is cut, without a goodbye inside it', async (t) => {
  const bench = await startRawBench(t);
  const { client, target, received } = await bench.open('websocket');
  const part = message('x'.repeat(100)).slice(0, 50);
  target.send(part);
  await until(client, 'part', () => received() === part);
  await bench.leave();
  t.equal(await ending(client), 'end');
  t.equal(received(), part);
  await ending(target);
});

await t.test('a target that has said goodbye itself is not spoken for again', async (t) => {
  const bench = await startRawBench(t);
  const goodbye = serverFrame({
    opcode: OPCODE.close,
    payload: closePayload(4321, 'my own words'),
    isFinal: true,
  });
  const whole = await bench.open('websocket');
  const begun = await bench.open('websocket');
  const at = 2 + random.below(goodbye.length - 2);
  whole.target.send(goodbye);
  begun.target.send(goodbye.slice(0, at));
  await until(whole.client, 'goodbye', () => whole.received() === goodbye);
  await until(begun.client, 'part', () => begun.received() === goodbye.slice(0, at));
  await bench.leave();
  begun.target.send(goodbye.slice(at));
  for (const { client, target, received } of [whole, begun]) {
    await until(client, 'goodbye', () => received() === goodbye);
    client.send(ANSWER);
    await until(target, 'answer', () => target.text.endsWith(ANSWER));
    target.end();
    t.equal(await ending(client), 'end');
    t.equal(received(), goodbye, 'one goodbye');
  }
});

await t.test('a client that never answers the goodbye is not waited for', async (t) => {
  const bench = await startRawBench(t);
  const { client, target, received } = await bench.open('websocket');
  await bench.leave();
  await until(client, 'goodbye', () => received() === RESTART);
  const saidMs = performance.now();
  t.equal(await ending(client), 'end');
  const waitedMs = performance.now() - saidMs;
  t.ok(waitedMs > 2_000, `it had ${waitedMs.toFixed(0)} ms for its answer`);
  await ending(target);
  t.equal(received(), RESTART);
});

await t.test('what the client is sending reaches the target before its answer', async (t) => {
  const bench = await startRawBench(t);
  const { client, target, received } = await bench.open('websocket');
  const before = target.text.length;
  const frame = clientFrame({
    opcode: OPCODE.binary,
    payload: 'y'.repeat(100_000),
    isFinal: true,
  });
  client.send(frame.slice(0, 40_000));
  await bench.leave();
  await until(client, 'goodbye', () => received() === RESTART);
  client.send(frame.slice(40_000) + ANSWER);
  client.end();
  await ending(target);
  t.ok(target.text.slice(before) === frame + ANSWER, 'every byte');
  target.end();
  t.equal(await ending(client), 'end');
});

await t.test('a tunnel of another protocol ends on both sides, after what was sent', async (t) => {
  const bench = await startRawBench(t);
  const { client, target, received } = await bench.open('bytes');
  const before = target.text.length;
  target.send('from the target');
  client.send('from the client');
  await until(client, 'bytes', () => received() === 'from the target');
  await until(target, 'bytes', () => target.text.slice(before) === 'from the client');
  await bench.leave();
  t.equal(await ending(client), 'end');
  t.equal(await ending(target), 'end');
  t.equal(received(), 'from the target');
  // A client that goes on all the same is cut, and no other notices.
  target.send('more');
  client.send('more');
  const { json } = await bench.admin.get('/v1/drain?wait=20s');
  t.strictSame(json['draining'], [], 'nothing is left');
});

await t.test('clients that do not read are gone within the grace', async (t) => {
  const bench = await startRawBench(t);
  const idle = await bench.open('websocket');
  const flooded = await bench.open('websocket');
  for (const { client } of [idle, flooded]) client.socket.pause();
  // More than the buffers on the way hold, so the proxy waits in the middle of the frame.
  flooded.target.send(message('x'.repeat(64 * 2 ** 20)));
  await bench.leave();
  for (const { target } of [idle, flooded]) {
    await ending(target);
  }
  const { json } = await bench.admin.get('/v1/drain?wait=20s');
  t.strictSame(json['draining'], [], 'nothing is left');
  for (const { client } of [idle, flooded]) client.socket.resume();
  t.equal(await ending(idle.client), 'end');
  t.equal(idle.received(), RESTART);
  t.equal(await ending(flooded.client), 'end');
  t.notOk(flooded.received().includes(RESTART), 'no goodbye stands inside the frame');
});

await t.test('a tunnel that opens on a side that drains already is closed as well', async (t) => {
  const bench = await startRawBench(t);
  const { client, target, received } = await bench.ask(upgrade('websocket'));
  await bench.leave();
  target.send(switching('websocket') + message('late'));
  await until(client, 'goodbye', () => received() === message('late') + RESTART);
});

await t.test('a tunnel that opens while the worker stops is closed in order as well', async (t) => {
  const bench = await startRawBench(t, { 'stop-deadline': '10s' });
  const { client, target, received } = await bench.ask(upgrade('websocket'));
  await bench.stop();
  target.send(switching('websocket') + message('late'));
  await until(client, 'goodbye', () => received() === message('late') + RESTART);
});

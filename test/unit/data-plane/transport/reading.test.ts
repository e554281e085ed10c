// Reading from a connected socket, for every way in which one comes to be: an owner that stops gets
// nothing more until it goes on, and then all of it in order, with the end behind it. It may also close
// or cut in the middle of being told.

import { randomBytes } from 'node:crypto';
import net from 'node:net';
import t from 'tap';
import { fillBuffers } from '../../../../src/data-plane/transport/secure-socket.ts';
import { turns } from '../../../support/raw-peer.ts';
import { becomes } from '../../../support/shared-counters.ts';
import { openPair, STREAM_WAYS } from '../support/stream-pair.ts';

/** Many records of TLS, and bytes of another place would show. */
const TEXT = randomBytes(400_000).toString('latin1');
/** More than it takes a socket of this process to read what has been sent to it. */
const TURNS_TO_READ = 8;

for (const way of STREAM_WAYS) {
  const [kind, side] = way;

  for (const how of ['by its answer', 'before it answers']) {
    await t.test(`${kind}, ${side}: an owner that stops after every read ${how}`, async (t) => {
      const { owner, stream, peer } = await openPair(t, way);
      if (side === 'connected') await owner.hears('onConnect');
      if (how === 'by its answer') owner.isFull = true;
      else {
        const receive = owner.onData.bind(owner);
        owner.onData = (bytes, length) => {
          stream.pause();
          return receive(bytes, length);
        };
      }
      peer.send(TEXT);
      peer.end();
      let reads = 0;
      while (owner.text.length < TEXT.length) {
        t.ok(await becomes(() => owner.calls.length > reads));
        await turns(TURNS_TO_READ);
        t.equal(owner.calls.filter((call) => call === 'onData').length, reads + 1, 'one at a time');
        reads++;
        t.notOk(owner.has('onEnd'), 'the end is not told before the rest');
        stream.resume();
      }
      t.equal(owner.text, TEXT);
      t.ok(await owner.hears('onEnd'));
      t.strictSame(owner.faults, []);
    });
  }

  await t.test(`${kind}, ${side}: an owner that is stopped from outside`, async (t) => {
    const { owner, stream, peer } = await openPair(t, way);
    if (side === 'connected') await owner.hears('onConnect');
    stream.pause();
    peer.send(TEXT);
    await turns(TURNS_TO_READ);
    const early = owner.text.length;
    t.equal(early, 0);
    stream.resume();
    t.ok(await becomes(() => owner.text === TEXT));
  });

  for (const how of ['cut', 'close'] as const) {
    await t.test(`${kind}, ${side}: a ${how} while something is read`, async (t) => {
      const { owner, stream, peer } = await openPair(t, way);
      if (side === 'connected') await owner.hears('onConnect');
      const receive = owner.onData.bind(owner);
      owner.onData = (bytes, length) => {
        receive(bytes, length);
        stream[how]();
        return false;
      };
      peer.send(TEXT);
      t.ok(await becomes(() => owner.has('onClosed') || owner.has('onClosed by an error')));
      const { length } = owner.text;
      stream.resume();
      stream.pause();
      await turns(TURNS_TO_READ);
      t.equal(owner.text.length, length, 'nothing is told of what is closed');
      t.strictSame(owner.faults, []);
    });
  }
}

void t.test('a socket that Node has made otherwise is left as it is', (t) => {
  const socket = new net.Socket();
  const options = { buffer: () => Buffer.alloc(1), callback: () => true };
  t.equal(fillBuffers(socket, options), undefined, 'it has no handle');
  const handle = { onread: () => undefined, bytesRead: 0, useUserBuffer: () => 0, reading: true };
  Object.assign(socket, { _handle: { ...handle } });
  t.equal(fillBuffers(socket, options), undefined, 'its handle can not be stopped');
  t.match((socket as unknown as { readonly _handle: object })._handle, handle);
  Object.assign(socket, { _handle: null });
  t.end();
});

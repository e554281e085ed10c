// One connected socket, over TCP and over a Unix socket, accepted and connected: what is thrown in
// an event stays on the connection, a cut says as much as the socket can say, and writes tell when
// the system has taken them. (An error that nothing catches fails a test by itself: tap listens.)

import { linkSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { ByteStream } from '../../../../src/data-plane/transport/byte-stream.ts';
import { turns } from '../../../support/raw-peer.ts';
import { becomes } from '../../../support/shared-counters.ts';
import { OWNER_CALLS, RecordingOwner, type OwnerCall } from '../support/recording-owner.ts';
import { listenOn, openPair, STREAM_WAYS, type StreamPair } from '../support/stream-pair.ts';

/** More than the system takes of one socket that nothing reads from. */
const MUCH = Buffer.alloc(16_777_216, 'x');

/** More than it takes a socket of this process to read what has been sent to it. */
const TURNS_TO_READ = 8;

/** Brings about each event on a pair that is open. */
const BRING_ABOUT: Readonly<Record<OwnerCall, (pair: StreamPair) => void>> = {
  nextBuffer: ({ peer }) => peer.send('hello'),
  onConnect: () => undefined, // It comes by itself.
  onData: ({ peer }) => peer.send('hello'),
  onEnd: ({ peer }) => peer.end(),
  onClosed: ({ peer, stream }) => {
    peer.socket.destroy();
    stream.end();
  },
  onRoom: ({ stream }) => {
    stream.write(MUCH);
  },
  onSilence: ({ stream }) => stream.limitSilence(1),
};

/** Waits for the fault, and for what a broken `onFault` must lead to. */
async function expectContained(t: Test, { owner, peer }: StreamPair, text: string): Promise<void> {
  t.ok(await becomes(() => owner.faults.length > 0), 'the owner hears of it');
  t.match(owner.faults[0], { message: text });
  if (!owner.isFaultBroken) return;
  await peer.ended();
  t.ok(await owner.hears('onClosed'), 'the socket is closed');
}

for (const way of STREAM_WAYS) {
  const [kind, side] = way;
  for (const call of OWNER_CALLS) {
    if (call === 'onConnect' && side === 'accepted') continue;
    // An accepted TLS socket reads into memory of its own.
    if (call === 'nextBuffer' && kind.startsWith('tls') && side === 'accepted') continue;
    for (const isFaultBroken of [false, true]) {
      const and = isFaultBroken ? ', and in onFault as well' : '';
      await t.test(`${kind}, ${side}: an error in ${call}${and}`, async (t) => {
        const prepare = (owner: RecordingOwner): void => {
          owner.isFaultBroken = isFaultBroken;
          if (call === 'onConnect') owner.throwIn = call;
        };
        const pair = await openPair(t, way, prepare);
        if (call !== 'onConnect') {
          if (side === 'connected') await pair.owner.hears('onConnect');
          pair.owner.throwIn = call;
        }
        BRING_ABOUT[call](pair);
        await expectContained(t, pair, `thrown in ${call}`);
      });
    }
  }

  await t.test(`${kind}, ${side}: an error in what is called at the end of writing`, async (t) => {
    const pair = await openPair(t, way);
    pair.stream.end(() => {
      throw new Error('thrown at the end');
    });
    await expectContained(t, pair, 'thrown at the end');
  });

  await t.test(`${kind}, ${side}: an error when all of a view is taken`, async (t) => {
    const pair = await openPair(t, way);
    if (side === 'connected') await pair.owner.hears('onConnect');
    pair.owner.throwIn = 'onRoom';
    pair.stream.writeView(MUCH); // More than is taken at once: only then its end is told.
    await expectContained(t, pair, 'thrown in onRoom');
  });

  await t.test(`${kind}, ${side}: an owner whose onClosed throws is told again`, async (t) => {
    const pair = await openPair(t, way);
    const { owner } = pair;
    if (side === 'connected') await owner.hears('onConnect');
    owner.throwIn = 'onClosed';
    BRING_ABOUT.onClosed(pair);
    t.ok(await becomes(() => owner.faults.length === 1));
    t.ok(await becomes(() => closesOf(owner) > 1), 'or it would count the connection for ever');
  });

  // What is below a TLS socket that connects can't be reached: the framing has to show a cut.
  const isSeen = kind === 'tcp' || (kind === 'tls over tcp' && side === 'accepted');
  const cutLooks = isSeen ? 'is an error to the peer' : 'closes, and throws nothing';

  await t.test(`${kind}, ${side}: a cut ${cutLooks}`, async (t) => {
    const { owner, stream, peer, peerError } = await openPair(t, way);
    if (side === 'connected') await owner.hears('onConnect');
    stream.write('part of');
    await peer.until('part', () => (peer.text === 'part of' ? true : undefined));
    stream.cut();
    await peer.ended();
    if (isSeen) t.equal(peerError(), 'ECONNRESET');
    t.ok(await owner.hears('onClosed'));
    stream.cut();
    t.strictSame(owner.faults, [], 'a second cut does nothing');
  });

  await t.test(`${kind}, ${side}: so does a cut before all is written that ended`, async (t) => {
    const { owner, stream, peer, peerError } = await openPair(t, way);
    if (side === 'connected') await owner.hears('onConnect');
    peer.socket.pause();
    stream.write(MUCH);
    stream.end();
    t.notOk(stream.isFlushed);
    stream.cut();
    t.ok(await becomes(() => closesOf(owner) > 0));
    peer.socket.resume();
    await peer.ended();
    t.ok(peer.text.length < MUCH.length, 'it must not look like a whole message');
    if (isSeen) t.equal(peerError(), 'ECONNRESET');
  });

  await t.test(`${kind}, ${side}: a cut after the end lets go of the socket`, async (t) => {
    const { owner, stream, peer } = await openPair(t, way);
    const isTaken = Promise.withResolvers<void>();
    stream.write('all of it');
    stream.end(isTaken.resolve);
    await isTaken.promise;
    stream.cut();
    t.ok(await owner.hears('onClosed'));
    await peer.ended();
    t.equal(peer.text, 'all of it');
  });

  await t.test(`${kind}, ${side}: pieces arrive in the order they were written`, async (t) => {
    const { owner, stream, peer } = await openPair(t, way);
    if (side === 'connected') await owner.hears('onConnect');
    t.ok(stream.write('a\xff'));
    t.ok(stream.write(Buffer.from('b')));
    t.ok(stream.writeBoth('c', Buffer.from('d')));
    stream.writeView(Buffer.from('e'));
    t.ok(stream.write('f'));
    stream.end();
    t.equal(await peer.ended(), 'end');
    t.equal(peer.text, 'a\xffbcdef');
    t.ok(stream.isFlushed);
    t.notOk(stream.hasPendingView);
  });

  await t.test(`${kind}, ${side}: a peer that does not read makes writers wait`, async (t) => {
    const { owner, stream, peer } = await openPair(t, way);
    if (side === 'connected') await owner.hears('onConnect');
    peer.socket.pause();
    t.notOk(stream.write(MUCH), 'the writer is told to wait');
    t.notOk(stream.hasRoom);
    t.notOk(stream.isFlushed);
    t.notOk(stream.writeView(Buffer.from('last')));
    t.ok(stream.hasPendingView);
    t.notOk(stream.writeBoth('one', Buffer.from('two')));
    t.notOk(owner.has('onRoom'));
    peer.socket.resume();
    t.ok(await becomes(() => owner.has('onRoom') && stream.hasRoom), 'and when to go on');
    t.ok(await becomes(() => stream.isFlushed && !stream.hasPendingView));
    stream.end();
    await peer.ended();
    t.equal(peer.text.length, MUCH.length + 'lastonetwo'.length);
    t.ok(peer.text.endsWith('xlastonetwo'));
  });

  await t.test(
    `${kind}, ${side}: an owner that is full is read from when it says so`,
    async (t) => {
      const { owner, stream, peer } = await openPair(t, way);
      owner.isFull = true;
      peer.send('first');
      t.ok(await owner.hears('onData'));
      peer.send('second');
      await turns(TURNS_TO_READ);
      t.equal(owner.text, 'first');
      owner.isFull = false;
      stream.resume();
      t.ok(await becomes(() => owner.text === 'firstsecond'));
    },
  );

  await t.test(`${kind}, ${side}: silence is told while a write waits, 0 is never`, async (t) => {
    const { owner, stream, peer } = await openPair(t, way);
    if (side === 'connected') await owner.hears('onConnect');
    peer.socket.pause();
    stream.write(MUCH);
    stream.limitSilence(1);
    t.ok(await owner.hears('onSilence'));
    stream.limitSilence(0);
    peer.socket.resume();
    t.ok(await becomes(() => stream.isFlushed));
  });

  await t.test(`${kind}, ${side}: a close after the last write loses nothing of it`, async (t) => {
    const { owner, stream, peer } = await openPair(t, way);
    if (side === 'connected') await owner.hears('onConnect');
    stream.write(MUCH);
    stream.closeAfterFlush();
    t.equal(await peer.ended(), 'end');
    t.equal(peer.text.length, MUCH.length);
    t.ok(await owner.hears('onClosed'));
  });
}

for (const kind of ['tcp', 'unix'] as const) {
  await t.test(`${kind}: a connection that can't be made is closed by an error`, async (t) => {
    const server = createServer();
    const address = await listenOn(t, server, kind);
    await promisify(server.close.bind(server))();
    const owner = new RecordingOwner();
    ByteStream.connect(owner, address);
    t.ok(await owner.hears('onClosed by an error'));
    t.notOk(owner.has('onConnect'));
  });
}

await t.test(
  'a path that has come to lead to a listener of ours is not connected to',
  async (t) => {
    const own = createServer();
    const app = createServer();
    let connectionCount = 0;
    own.on('connection', () => connectionCount++);
    const [ours, theirs] = [await listenOn(t, own, 'unix'), await listenOn(t, app, 'unix')];
    t.teardown(() => [own.close(), app.close()]);
    if (ours.kind === 'tcp' || theirs.kind === 'tcp') throw new Error('expected sockets');
    const dir = dirname(ours.path);
    const aliases = ['link.sock', 'hard.sock', 'direct.sock'].map((name) => join(dir, name));
    symlinkSync(ours.path, aliases[0]!);
    linkSync(ours.path, aliases[1]!);
    symlinkSync(aliases[0]!, aliases[2]!);
    for (const path of [ours.path, `${dir}/./${basename(ours.path)}`, ...aliases]) {
      const owner = new RecordingOwner();
      ByteStream.connect(
        owner,
        { kind: 'unix', path },
        { rules: { own: ['/nowhere/a.sock', ours.path], allowed: [] } },
      );
      t.ok(await owner.hears('onClosed by an error'), path);
      t.notOk(owner.has('onConnect'));
    }
    t.equal(connectionCount, 0);
    const owner = new RecordingOwner();
    const rules = { own: [ours.path], allowed: [] };
    const stream = ByteStream.connect(owner, theirs, { rules });
    t.ok(await owner.hears('onConnect'), 'others are');
    stream.close();
  },
);

await t.test('a link that leads out of the folders of a rule is not connected to', async (t) => {
  const app = createServer();
  const there = await listenOn(t, app, 'unix');
  t.teardown(() => app.close());
  if (there.kind === 'tcp') throw new Error('expected a socket');
  const link = join(dirname(there.path), 'link.sock');
  symlinkSync(there.path, link);
  const within = [`unix:${dirname(there.path)}`];
  t.equal(await connects(link, ['unix:/elsewhere']), false);
  t.equal(await connects(link, within, ['10.0.0.0/8']), false, 'each list has to allow it');
  t.equal(await connects(link, within, []), true);
  t.equal(await connects(link), true, 'without rules it may lead anywhere');
  t.equal(await connects(there.path, ['unix:/elsewhere']), true, 'what is there already stays');
});

/** Whether a connection to the socket at `path` opens under these lists of rules. */
async function connects(path: string, ...allowed: string[][]): Promise<boolean> {
  const owner = new RecordingOwner();
  const stream = ByteStream.connect(owner, { kind: 'unix', path }, { rules: { own: [], allowed } });
  await becomes(() => owner.has('onConnect') || owner.has('onClosed by an error'));
  stream.close();
  return owner.has('onConnect');
}

/** How often the owner was told that the socket is gone. */
function closesOf(owner: RecordingOwner): number {
  return owner.calls.filter((call) => call.startsWith('onClosed')).length;
}

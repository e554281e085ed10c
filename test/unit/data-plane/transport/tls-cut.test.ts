// Cuts of TLS connections in every state, many times: the client never takes a part for the whole, and
// the process survives what is done to a TLS socket whose ground is gone.

import t from 'tap';
import { becomes } from '../../../support/shared-counters.ts';
import { Random } from '../../../support/random.ts';
import { openPair, type StreamPair } from '../support/stream-pair.ts';

/** A longer run: `TURNOUT_TLS_CUTS=10000`. */
const CUTS = Number(process.env['TURNOUT_TLS_CUTS'] ?? '300');
/** Connections that are open at once in the end. */
const BATCH = 50;
const SIZES = [0, 1, 1_000, 16_384, 100_000, 1_000_000, 5_000_000];

t.setTimeout(600_000);

/** What may have been begun when the connection is cut. */
const BEGUN: readonly ((pair: StreamPair, size: number) => void)[] = [
  () => {},
  ({ stream }, size) => void stream.write(Buffer.alloc(size, 'x')),
  ({ stream }, size) => void stream.writeView(Buffer.alloc(size, 'x')),
  ({ stream }, size) => {
    stream.write(Buffer.alloc(size, 'x'));
    stream.whenFlushed(() => {});
  },
  ({ peer }) => peer.socket.pause(),
  ({ stream }) => stream.pause(),
  ({ stream }) => stream.limitSilence(1),
];
/** The same of a client that sends: its failed write may eat the error, on plain TCP as well. */
const BEGUN_BY_CLIENT: typeof BEGUN = [
  ({ peer }, size) => peer.send('y'.repeat(size)),
  ({ peer }) => void peer.socket.end(),
];
/** What an owner may still do afterwards. */
const AFTERWARDS: readonly ((pair: StreamPair) => void)[] = [
  ({ stream }) => stream.close(),
  ({ stream }) => stream.cut(),
  ({ stream }) => void stream.write('more'),
  ({ stream }) => void stream.writeView(Buffer.from('more')),
  ({ stream }) => stream.end(),
  ({ stream }) => stream.pause(),
  ({ stream }) => stream.resume(),
  ({ stream }) => stream.lookAfter(),
  ({ stream }) => stream.closeAfterFlush(),
  ({ peer }) => peer.send('more'),
];

for (const kind of ['tls over tcp', 'tls over unix'] as const) {
  const seed = Math.floor(Math.random() * 1_000_000);
  const random = new Random(seed);
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!;
  for (let done = 0; done < CUTS; done += BATCH) {
    await t.test(`${kind}: cuts from ${done} on, seed ${seed}`, async (t) => {
      for (let count = 0; count < BATCH; count++) {
        const pair = await openPair(t, [kind, 'accepted']);
        const { stream, owner, peer } = pair;
        stream.write('part of ');
        const hasSent = random.below(2) === 0;
        const begun = hasSent ? [...BEGUN, ...BEGUN_BY_CLIENT] : BEGUN;
        for (let steps = random.below(4); steps > 0; steps--) pick(begun)(pair, pick(SIZES));
        stream.cut();
        for (let steps = random.below(4); steps > 0; steps--) pick(AFTERWARDS)(pair);
        peer.socket.resume();
        const ending = await peer.ended();
        if (ending === 'end' && kind === 'tls over tcp' && !hasSent) t.fail('a part looks whole');
        await becomes(() => owner.has('onClosed') || owner.has('onClosed by an error'));
        if (owner.faults.length > 0) t.fail(String(owner.faults[0]));
      }
      t.pass();
    });
  }
}

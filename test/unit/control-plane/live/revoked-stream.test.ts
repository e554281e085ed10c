// A stream ends once its caller may read no more.

import { mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { STREAM_COMMENT_MS } from '../../../../src/control-plane/base/control-limits.ts';
import { Streams } from '../../../../src/control-plane/live/streams.ts';

await t.test('the next look ends the stream of a token that was revoked, no other', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  const streams = new Streams({
    version: '1',
    generation: () => 1,
    tick: () => new Map(),
    startedAtMs: 1,
    lastRow: () => 0,
    rowsAfter: () => undefined,
  });
  const destroyed: string[] = [];
  let isRevoked = false;
  for (const actor of ['ann', 'bob']) {
    const socket = {
      write: () => {},
      unsentBytes: () => 0,
      end: () => {},
      destroy: () => void destroyed.push(actor),
    };
    const isStillAllowed = async () => actor === 'bob' || !isRevoked;
    streams.open({
      socket,
      actor,
      services: undefined,
      only: undefined,
      lastEventId: undefined,
      isLocal: true,
      isStillAllowed,
    });
  }
  mock.timers.tick(STREAM_COMMENT_MS);
  await turn();
  t.strictSame(destroyed, []);
  isRevoked = true;
  mock.timers.tick(STREAM_COMMENT_MS);
  await turn();
  t.strictSame(destroyed, ['ann']);
  t.equal(streams.count, 1);
  streams.close(1);
});

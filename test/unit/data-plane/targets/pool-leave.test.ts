// A target leaves while requests wait for one of its connections: each of them goes to another target,
// and an error in one of them is its own.

import { createServer } from 'node:net';
import t from 'tap';
import { NO_CERTIFICATES } from '../../../../src/contract/certificates.ts';
import { TargetTls } from '../../../../src/contract/target-tls.ts';
import { workerRegion } from '../../../../src/contract/counters.ts';
import { allocateSharedMemory } from '../../../../src/contract/shared-memory.ts';
import { Tally } from '../../../../src/data-plane/base/tally.ts';
import { Wheel } from '../../../../src/data-plane/base/wheel.ts';
import { EndpointPool } from '../../../../src/data-plane/targets/pool.ts';
import { ReadBuffers } from '../../../../src/data-plane/targets/read-buffer.ts';
import { ResponseHead } from '../../../../src/http/heads/response-head.ts';
import { testSettings } from '../../../support/plane.ts';
import { GET } from '../support/exchange-texts.ts';
import { FakeRequest } from '../support/fake-request.ts';
import { listenOn } from '../support/stream-pair.ts';

class BrokenRequest extends FakeRequest {
  override sendElsewhere(): void {
    throw new Error('thrown by this one');
  }
}

await t.test('requests that wait go elsewhere, each for itself', async (t) => {
  const settings = testSettings({ upstream: { connectionsMax: 1, waitingMax: 8 } });
  const server = createServer((socket) => t.teardown(() => socket.destroy()));
  t.teardown(() => server.close());
  const address = await listenOn(t, server, 'tcp');
  const url = 'http://target.test';
  const pool = new EndpointPool(
    { address, slot: 0, deployment: 1, url, authority: 'target.test' },
    {
      settings,
      wheel: new Wheel(),
      tally: new Tally(workerRegion(allocateSharedMemory(1).counters, 0)),
      responseHead: new ResponseHead(settings.upstream),
      readBuffers: new ReadBuffers(),
      targetTls: new TargetTls(NO_CERTIFICATES),
      contained: (error) => t.fail(String(error)),
    },
  );
  const [running, broken, waiting] = [
    new FakeRequest(GET),
    new BrokenRequest(GET),
    new FakeRequest(GET),
  ] as const;
  for (const request of [running, broken, waiting]) t.ok(pool.serve(request, false));
  pool.leave();
  t.strictSame(running.told, [], 'the one that has the connection keeps it');
  t.strictSame(broken.told, ['error Error: thrown by this one']);
  t.strictSame(waiting.told, ['elsewhere'], 'the next one goes on all the same');
  running.stream?.close();
});

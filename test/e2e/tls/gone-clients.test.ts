// Clients over TLS that end their side, as if they waited for the response, and are gone a moment later:
// each is noticed though its target is silent and nothing is written to it.

import { once } from 'node:events';
import { connect } from 'node:net';
import tls from 'node:tls';
import { join } from 'node:path';
import t from 'tap';
import { LOOK_AFTER_MS } from '../../../src/base/limits.ts';
import type { ListenAddress } from '../../../src/contract/worker-settings.ts';
import { GET, withBench } from '../../support/fault-bench.ts';
import { skipWithout } from '../../support/installed.ts';
import { turns } from '../../support/raw-peer.ts';
import { becomes, gaugesOf } from '../../support/shared-counters.ts';
import {
  TEST_ADDRESS,
  testCertificates,
  TLS_TEST_POLICY,
} from '../../support/test-certificates.ts';
import { temporaryDirectory } from '../turnout-process.ts';

const skip = skipWithout('openssl');
const TURNS_TO_READ = 10;
/** Far less time than a target has for its response. */
const LOOKS = 3;

await t.test('a client that is gone after it has ended its side', { skip }, async (t) => {
  const path = join(temporaryDirectory(t), 's');
  const addresses: readonly ListenAddress[] = [TEST_ADDRESS, { kind: 'unix', path }];
  for (const address of addresses) {
    const listener = { tls: TLS_TEST_POLICY };
    const patch = { listen: address, listener, certificates: testCertificates(address) };
    await t.test(address.kind, async (t) => {
      await withBench(t, { script: () => {}, patch }, async (bench) => {
        const { plane } = bench;
        const place = address.kind === 'unix' ? { path } : { port: plane.port };
        const below = connect({ ...place, allowHalfOpen: true });
        const client = tls.connect({ socket: below, rejectUnauthorized: false });
        client.on('error', () => {});
        await once(client, 'secureConnect');
        client.end(GET);
        t.ok(await becomes(() => gaugesOf(plane).inflight === 1));
        await turns(TURNS_TO_READ);
        bench.passTime(LOOK_AFTER_MS);
        await turns(TURNS_TO_READ);
        t.equal(gaugesOf(plane).inflight, 1, 'it may wait for the response');
        // A TLS socket of Node must not be touched after this.
        if (address.kind === 'unix') below.destroy();
        else below.resetAndDestroy();
        for (let look = 0; look < LOOKS; look++) {
          await turns(TURNS_TO_READ);
          bench.passTime(LOOK_AFTER_MS);
        }
        t.ok(await becomes(() => gaugesOf(plane).inflight === 0));
      });
    });
  }
});

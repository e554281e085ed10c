// Every worker dies once, over TLS: those that are born have the certificates and the keys of tickets, so
// no handshake fails at them and sessions of TLS from before go on.

import t from 'tap';
import { keyOfListener, printAddress } from '../../../src/contract/worker-settings.ts';
import { startDaemon } from '../../../src/control-plane/daemon.ts';
import { AdminClient, seriesOf } from '../../support/admin-client.ts';
import { openColoredApp } from '../../support/colored-app.ts';
import { skipWithout } from '../../support/installed.ts';
import { MORTAL_ENTRY, MortalControl } from '../../support/mortal-channel.ts';
import { metricsUntil } from '../../support/settled-metrics.ts';
import { TLS_TEST_POLICY } from '../../support/test-certificates.ts';
import {
  config,
  serviceConfig,
  settings,
  target,
  TestLog,
} from '../../unit/control-plane/support/fixtures.ts';
import { pki } from '../../unit/control-plane/support/pki.ts';
import { temporaryDirectory } from '../turnout-process.ts';
import { HOST } from './tls-scene.ts';
import { visit } from './visit.ts';

const WORKERS = 2;
/** More connections than one of two workers gets by chance. */
const VISITS = 16;
const skip = skipWithout('openssl');

await t.test('workers that are born later', { skip }, async (t) => {
  const blue = await openColoredApp(t, 'blue');
  const { cert, key, certText } = pki(t).issue(HOST);
  const plain = settings();
  const listener = { ...plain.listeners[0]!, tls: TLS_TEST_POLICY };
  const source = { listener: keyOfListener(listener), certificates: [{ cert, key }] };
  const log = new TestLog();
  const daemon = await startDaemon(
    config(temporaryDirectory(t), {
      workers: WORKERS,
      dataPlane: { ...plain, listeners: [listener] },
      tls: [{ ...source, usesAcme: false, clientCa: undefined }],
      services: [serviceConfig({ blue: { release: '', targets: [target(blue.port)] } })],
    }),
    { log, workerEntry: MORTAL_ENTRY },
  );
  t.teardown(async () => daemon.cut());
  const admin = new AdminClient(printAddress(daemon.adminAddress));
  t.teardown(() => admin.close());
  const { proxyAddress } = daemon;
  if (proxyAddress.kind !== 'tcp') throw new Error('expected a port');
  const door = { host: '127.0.0.1', port: proxyAddress.port, servername: HOST, ca: certText };
  const first = await visit(door);
  const mortals = new MortalControl(t);
  for (let index = 0; index < WORKERS; index++) {
    await mortals.order({ kind: 'throw', index });
    await metricsUntil(
      admin,
      (text) =>
        seriesOf(text, 'turnout_worker_restarts_total') === index + 1 &&
        seriesOf(text, 'turnout_workers') === WORKERS,
    );
  }
  for (let count = 0; count < VISITS; count++) {
    const resumed = await visit(door, first.session);
    t.match(resumed, { isReused: true, color: 'blue' });
    const full = await visit(door);
    t.match(full, { isReused: false, color: 'blue', fingerprint: first.fingerprint });
  }
});

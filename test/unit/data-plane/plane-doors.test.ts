// What TLS of listeners costs is spent before a connection comes: contexts are made at birth, and before
// a worker says that a table is prepared.

import tls from 'node:tls';
import t from 'tap';
import type { CertificateSet } from '../../../src/contract/certificates.ts';
import type { RoutingTable } from '../../../src/contract/table.ts';
import { keyOfListener } from '../../../src/contract/worker-settings.ts';
import { openTestPlane, testSettings, testTable, FIRST_VERSION } from '../../support/plane.ts';
import { TEST_ADDRESS, TLS_TEST_POLICY } from '../../support/test-certificates.ts';
import { eventually } from '../../support/shared-counters.ts';
import { certificateFor } from './support/tls-client.ts';

const TARGETS = { blue: [1], green: [1] };
const certificates = ['a', 'b', 'c'].map((id) => certificateFor(id, [`${id}.test`]));
const listener = keyOfListener({ address: TEST_ADDRESS, use: 'traffic' });
const set: CertificateSet = {
  version: 1,
  certificates,
  doors: [{ listener, certificates: ['a', 'b', 'c'], clientAuthorities: '' }],
  ticketKeys: new Uint8Array(48),
  upstreams: [],
  challenges: [],
};

/** Contexts that were made of certificates since the start of this file, servers included. */
let made = 0;
const { createSecureContext } = tls;
tls.createSecureContext = (options) => {
  made++;
  return createSecureContext(options);
};

async function shown(port: number, servername: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  // Its own is not counted.
  const secureContext = createSecureContext();
  const options = { host: '127.0.0.1', port, servername, secureContext, rejectUnauthorized: false };
  const socket = tls.connect(options, () => {
    resolve(String(socket.getPeerCertificate().subject?.CN));
    socket.destroy();
  });
  socket.once('error', reject);
  return await promise;
}

await t.test('no connection makes a context', async (t) => {
  const tlsListener = { tls: TLS_TEST_POLICY };
  const bench = await openTestPlane(TARGETS, { listener: tlsListener, certificates: set });
  t.teardown(async () => bench.stop());
  t.equal(made, 3, 'at birth: two for names, and a server with the first');
  for (const name of ['a', 'b', 'c']) t.equal(await shown(bench.port, `${name}.test`), name);
  t.equal(made, 3);

  // A reload that allows TLS 1.3 alone: other contexts, made before the table is prepared.
  const settings = testSettings({
    listener: { tls: { ...TLS_TEST_POLICY, minVersion: 'TLSv1.3' } },
  });
  const version = FIRST_VERSION + 1;
  const table = { ...testTable(version, 'blue', TARGETS), settings };
  bench.plane.obey({ kind: 'prepare', table });
  await eventually(
    () => bench.reports.some(({ kind }) => kind === 'prepared') || undefined,
    () => undefined,
  );
  t.equal(made, 6);
  Atomics.store(bench.memory.pointer, 0, version);
  bench.plane.obey({ kind: 'adopt', version });
  for (const name of ['a', 'b', 'c']) t.equal(await shown(bench.port, `${name}.test`), name);
  t.equal(made, 6);

  // Another set: what stays the same is kept, for the listeners of both tables.
  bench.plane.obey({ kind: 'certificates', set: { ...set, version: 2 } });
  await eventually(
    () => bench.reports.some(({ kind }) => kind === 'certified') || undefined,
    () => undefined,
  );
  t.equal(made, 8, 'a server for each policy');
  t.equal(await shown(bench.port, 'b.test'), 'b');
  t.equal(made, 8);
});

await t.test('a table that is refused elsewhere meanwhile opens nothing', async (t) => {
  const bench = await openTestPlane(TARGETS, {});
  t.teardown(async () => bench.stop());
  const before = openServers();
  const [version, next] = [FIRST_VERSION + 1, FIRST_VERSION + 2];
  const own = testSettings({});
  const more = { ...own.listeners[0]!, use: 'preview' as const };
  const settings = { ...own, listeners: [...own.listeners, more] };
  const prepare = (table: RoutingTable): void => bench.plane.obey({ kind: 'prepare', table });
  prepare({ ...testTable(version, 'blue', TARGETS), settings });
  bench.plane.obey({ kind: 'forget', version });
  prepare({ ...testTable(next, 'blue', TARGETS), settings: own });
  await eventually(
    () => bench.reports.find((report) => report.kind === 'prepared' && report.version === next),
    () => undefined,
  );
  t.equal(openServers(), before);
});

function openServers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'TCPServerWrap').length;
}

// A worker thread dies under load: the other worker's clients notice nothing, the thread is
// replaced with the table that holds, and switches go on before, during and after.

import t, { type Test } from 'tap';
import { startDaemon } from '../../src/control-plane/daemon.ts';
import { printAddress } from '../../src/contract/worker-settings.ts';
import { AdminClient, seriesOf } from '../support/admin-client.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { startLoad, type LoadProcess, type Verdict } from '../support/load-process.ts';
import { MortalControl, MORTAL_ENTRY, type MortalOrder } from '../support/mortal-channel.ts';
import { testPolicy } from '../support/policy.ts';
import { metricsUntil, settledMetrics } from '../support/settled-metrics.ts';
import { config, serviceConfig, target, TestLog } from '../unit/control-plane/support/fixtures.ts';
import { temporaryDirectory } from './turnout-process.ts';

/** So many that the kernel gives some to each worker. */
const CONNECTIONS = 32;
const WORKERS = 2;

interface Scene {
  readonly load: LoadProcess;
  readonly log: TestLog;
  readonly admin: AdminClient;
  readonly mortals: MortalControl;
}

async function open(t: Test): Promise<Scene> {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const service = serviceConfig({
    blue: { release: '', targets: [target(blue.port)] },
    green: { release: '', targets: [target(green.port)] },
    // After a switch no client shall be asked to reconnect: what closes here, the crash has closed.
    policy: testPolicy({ drain: { longLived: 'linger' } }),
  });
  const log = new TestLog();
  const daemon = await startDaemon(
    config(temporaryDirectory(t), { workers: WORKERS, services: [service] }),
    {
      log,
      workerEntry: MORTAL_ENTRY,
    },
  );
  t.teardown(async () => daemon.cut());
  const admin = new AdminClient(printAddress(daemon.adminAddress));
  t.teardown(() => admin.close());
  const load = await startLoad(t, {
    port: daemon.proxyAddress.kind === 'tcp' ? daemon.proxyAddress.port : 0,
    admin: printAddress(daemon.adminAddress),
    active: 'blue',
    connections: CONNECTIONS,
    probes: 0,
    reopens: false,
    straddles: false,
  });
  return { load, log, admin, mortals: new MortalControl(t) };
}

/** Asks the load until `isTrue` of what it knows; a reset needs its time to be read. */
async function toldUntil(load: LoadProcess, isTrue: (told: Verdict) => boolean): Promise<Verdict> {
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const told = await load.tell();
    if (isTrue(told) || performance.now() > endMs) return told;
  }
}

function openIn(text: string): number | undefined {
  return seriesOf(text, 'turnout_connections_open');
}

for (const kind of ['throw', 'exit'] as const satisfies readonly MortalOrder['kind'][]) {
  await t.test(`a worker that ends (${kind}) takes only its own connections along`, async (t) => {
    const { load, log, admin, mortals } = await open(t);
    await load.switch(5);
    t.equal((await load.tell()).lost, 0);

    // The call is on its way while the thread dies.
    const [lost, during] = await Promise.all([mortals.order({ kind, index: 0 }), load.switch(5)]);
    t.equal(during.count, 5, 'switches during the crash are made');
    await log.until(/a worker ended unasked and is replaced/);
    t.ok(lost > 0 && lost < CONNECTIONS, `worker 0 had ${lost} of ${CONNECTIONS} connections`);
    const text = await metricsUntil(
      admin,
      (text) =>
        seriesOf(text, 'turnout_workers') === WORKERS && openIn(text) === CONNECTIONS - lost,
    );
    t.equal(seriesOf(text, 'turnout_worker_restarts_total'), 1);
    t.equal(openIn(text), CONNECTIONS - lost, 'gauges forget the dead');
    const after = await toldUntil(load, (told) => told.lost >= lost);
    t.equal(after.lost, lost, 'the connections of the other worker stay');
    t.ok(after.failed <= lost, `${after.failed} requests were on the dead worker`);

    t.equal(await load.reopen(), lost);
    t.ok((await mortals.order({ kind: 'count', index: 0 })) > 0, 'the new worker has clients');
    await load.switch(20);
    const verdict = await load.rest();
    t.equal(verdict.failed, after.failed, 'no request failed afterwards');
    t.match(verdict, { wrong: 0, lost: 0, open: CONNECTIONS, switches: 30 });
    await checkRest(t, admin, verdict);
    await load.close();
    await metricsUntil(admin, (text) => openIn(text) === 0); // Closing a socket takes its time.
    const errors = log.lines.filter(({ level }) => level === 'error');
    t.equal(errors.length, 1, 'one line tells of it');
    if (kind === 'throw') t.match(errors[0]?.fields, { err: { message: 'ended by a test' } });
  });
}

/** With nothing on its way, gauges say so, and the counters hold every answer. */
async function checkRest(t: Test, admin: AdminClient, verdict: Verdict): Promise<void> {
  const text = await settledMetrics(admin);
  t.equal(openIn(text), CONNECTIONS);
  // Responses of our own have a series once there was one, as where a worker died.
  const inflight = [...text.matchAll(/^turnout_inflight_requests\{.*color="[a-z]+".*\} (\d+)$/gm)];
  t.strictSame(
    inflight.map(([, count]) => count),
    ['0', '0'],
  );
  const answered = [...text.matchAll(/^turnout_requests_total\{.*code="200".*\} (\d+)$/gm)];
  const total = answered.reduce((sum, [, count]) => sum + Number(count), 0);
  t.ok(total >= verdict.requests, `${total} counted, ${verdict.requests} answers seen`);
  t.ok(total <= verdict.requests + verdict.failed, 'nothing was counted twice');
}

await t.test('a replacement serves the color that was active before it was born', async (t) => {
  const { load, log, mortals } = await open(t);
  await load.switch(1);
  const lost = await mortals.order({ kind: 'exit', index: 0 });
  await log.until(/a worker ended unasked/);
  await toldUntil(load, (told) => told.lost >= lost);
  t.equal(await load.reopen(), lost);
  t.match(await load.close(), { active: 'green', wrong: 0 });
});

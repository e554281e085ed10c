// The whole program renews certificates of a real authority, Pebble, while clients connect: no handshake
// fails, through an upgrade and the death of the program in the middle of an order.

import { once } from 'node:events';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { skipWithout } from '../support/installed.ts';
import { isAlive } from '../support/is-alive.ts';
import { startPebble } from '../support/pebble.ts';
import { startAsGiven, temporaryDirectory, type Running } from './turnout-process.ts';

t.setTimeout(180_000);

const skip = skipWithout('pebble', 'pebble-challtestsrv', 'openssl');
const CLOCK = new URL('../support/told-clock.ts', import.meta.url).href;
const HOUR_MS = 3_600_000;
/** Of the five years for which Pebble issues, more than two thirds. */
const RENEWAL_MS = 3.6 * 365 * 24 * HOUR_MS;
/** Between two certificates for one domain, and more. */
const REST_MS = 7 * HOUR_MS;
/** More connections than one of two workers gets by chance. */
const VISITS = 16;
const NAME = 'a.shop.test';

async function open(t: Test) {
  const pebble = await startPebble(t);
  const { host, httpPort, tlsPort, directory, caFile } = pebble;
  const dir = temporaryDirectory(t);
  const [file, clock, state] = [join(dir, 'turnout.yaml'), join(dir, 'clock'), join(dir, 'state')];
  const config = {
    watch: false,
    listen: [
      { address: `${host}:${tlsPort}`, tls: { acme: true, unknownNames: 'refuse' } },
      { address: `${host}:${httpPort}`, redirect: true },
    ],
    acme: { domains: [NAME], ca: directory, caFile },
    admin: { listen: '127.0.0.1:0' },
    state: { dir: state },
    workers: 2,
    services: [{ name: 'shop', blue: { targets: ['http://127.0.0.1:1'] } }],
  };
  writeFileSync(file, JSON.stringify(config));
  let aheadMs = 0;
  const advance = (ms: number): void => {
    aheadMs += ms;
    writeFileSync(clock, String(aheadMs));
  };
  advance(0);
  const begin = async (): Promise<Running> =>
    startAsGiven(t, ['--config', file], {
      NODE_OPTIONS: `--import=${CLOCK}`,
      TOLD_CLOCK_FILE: clock,
    });
  /** Resolves with the serial number of what a new connection is shown; rejects where it fails. */
  const shown = async (ca: string, servername = NAME): Promise<string> => {
    const socket = tls.connect({ host, port: tlsPort, servername, ca });
    await once(socket, 'secureConnect');
    const { serialNumber } = socket.getPeerX509Certificate()!;
    socket.destroy();
    return serialNumber;
  };
  return { pebble, begin, shown, advance, acmeDir: join(state, 'acme') };
}

/** Connects again and again until it is stopped. */
function crowd(connect: () => Promise<string>) {
  const serials = new Set<string>();
  const failures: unknown[] = [];
  let count = 0;
  const state = { isOver: false };
  const client = async (): Promise<void> => {
    while (!state.isOver) {
      try {
        serials.add(await connect());
        count++;
      } catch (error) {
        failures.push(error);
      }
    }
  };
  const clients = Promise.all([client(), client()]);
  return {
    serials,
    failures,
    stop: async (): Promise<number> => {
      state.isOver = true;
      await clients;
      return count;
    },
  };
}

function saidIn({ lines }: Running, part: string): number {
  return lines.filter((text) => text.includes(part)).length;
}

async function said(running: Running, part: string, count: number): Promise<void> {
  await running.line(() => saidIn(running, part) >= count);
}

const ORDERED = '"msg":"a certificate is ordered"';
const OBTAINED = '"msg":"a certificate was obtained"';

async function call(running: { readonly admin: string }, path: string): Promise<{ pid?: number }> {
  const response = await fetch(`http://${running.admin}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  return (await response.json()) as { pid?: number };
}

await t.test('renewals, an upgrade and a death in an order, under load', { skip }, async (t) => {
  const { pebble, begin, shown, advance, acmeDir } = await open(t);
  const running = await begin();
  await said(running, OBTAINED, 1);
  const root = await pebble.root();
  const before = await shown(root);
  const clients = crowd(async () => shown(root));
  /** All workers show the same, and it is not one of before. */
  const isRenewed = async (known: readonly string[]): Promise<string> => {
    const found = new Set<string>();
    for (let i = 0; i < VISITS; i++) found.add(await shown(root));
    t.equal(found.size, 1, 'all workers show one');
    const [serial = ''] = found;
    t.notOk(known.includes(serial), 'it is a new one');
    return serial;
  };

  await call(running, '/v1/reload');
  t.equal(saidIn(running, ORDERED), 1, 'nothing is due');
  advance(RENEWAL_MS);
  await call(running, '/v1/reload');
  await said(running, OBTAINED, 2);
  const second = await isRenewed([before]);

  // In the middle of an order it hands over: the next process takes the order up.
  await call(running, '/v1/reload');
  t.equal(saidIn(running, ORDERED), 2, 'a certificate that is old when it comes is left alone');
  advance(REST_MS);
  await call(running, '/v1/reload');
  await said(running, ORDERED, 3);
  const { pid = 0 } = await call(running, '/v1/upgrade');
  t.teardown(() => {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  await said(running, OBTAINED, 3);
  const third = await isRenewed([before, second]);
  t.equal(saidIn(running, 'no certificate was obtained'), 0);
  t.equal(saidIn(running, OBTAINED), 3, 'by one process alone');

  const count = await clients.stop();
  t.strictSame(clients.failures, [], `of ${count} handshakes`);
  t.strictSame(clients.serials, new Set([before, second, third]), 'each was shown');
  for (const name of readdirSync(acmeDir))
    t.equal(statSync(join(acmeDir, name)).mode & 0o777, 0o600);

  // The program dies in the middle of an order.
  advance(REST_MS);
  const ready = JSON.parse(running.lines.findLast((text) => text.includes('"msg":"ready"'))!) as {
    readonly admin: string;
  };
  await call(ready, '/v1/reload');
  await said(running, ORDERED, 5);
  process.kill(pid, 'SIGKILL');
  await running.ended;
  writeFileSync(
    join(
      acmeDir,
      readdirSync(acmeDir).find((name) => name.startsWith('account'))!,
    ),
    '{',
  );
  const next = await begin();
  t.equal(await shown(root), third, 'what was obtained is shown at once');
  const admin = new AdminClient(next.admin);
  t.teardown(() => admin.close());
  await call(next, '/v1/reload');
  t.match((await admin.get('/v1/status')).json, {
    acme: [{ failures: 1, problem: 'the program ended in the middle of the order' }],
  });
  t.equal(saidIn(next, ORDERED), 0, 'a death is a failure: the next try waits');
  advance(HOUR_MS);
  await call(next, '/v1/reload');
  await said(next, OBTAINED, 1);
  await isRenewed([before, second, third]);
  t.equal(saidIn(next, 'a file of ACME cannot be used; it was set aside'), 1, 'the account is new');
  t.match((await admin.get('/v1/status')).json, { acme: [{ failures: 0, problem: null }] });

  // Nothing is ordered because a client asks for it.
  await t.rejects(shown(root, 'other.shop.test'));
  await t.rejects(shown(root, 'b.a.shop.test'));
  t.equal(saidIn(next, ORDERED), 1);
  t.notMatch(pebble.output(), /other\.shop\.test/);
});

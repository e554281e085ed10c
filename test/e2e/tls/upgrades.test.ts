// Upgrades and reloads under load over TLS: no request and no handshake fails, the certificate is the
// same, and a session of TLS from before the first upgrade is resumed after the last one.

import { once } from 'node:events';
import t from 'tap';
import { skipWithout } from '../../support/installed.ts';
import { startLoad } from '../../support/load-process.ts';
import { freePort } from '../../support/own-address.ts';
import { until } from '../upgrade-scene.ts';
import { openTlsScene, type Door } from './tls-scene.ts';
import { visit } from './visit.ts';

/** A longer run: `TURNOUT_TLS_UPGRADES=100`. */
const UPGRADES = Number(process.env['TURNOUT_TLS_UPGRADES'] ?? 3);
const KEPT = 8;
/** Clients that open a connection for each request. */
const NEWCOMERS = 2;
/** More would be a proxy that is gone. */
const FAILURES_MAX = 20;
const skip = skipWithout('openssl');

class Newcomers {
  readonly failures: string[] = [];
  readonly fingerprints = new Set<string>();
  full = 0;
  resumed = 0;
  #isOver = false;
  readonly #all: Promise<unknown>;

  /** Every second visit comes with `session`. */
  constructor(door: Door, session: Buffer) {
    const clients = Array.from({ length: NEWCOMERS }, async () => this.#client(door, session));
    this.#all = Promise.all(clients);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#all;
  }

  async #client(door: Door, session: Buffer): Promise<void> {
    for (let count = 0; !this.#isOver && this.failures.length < FAILURES_MAX; count++) {
      const resumes = count % 2 === 1;
      try {
        const { isReused, fingerprint, color } = await visit(door, resumes ? session : undefined);
        if (isReused !== resumes) this.failures.push(resumes ? 'not resumed' : 'resumed');
        if (color !== 'blue' && color !== 'green') this.failures.push(`answer ${color}`);
        if (isReused) this.resumed++;
        else {
          this.full++;
          this.fingerprints.add(fingerprint);
        }
      } catch (error) {
        this.failures.push(String(error));
      }
    }
  }
}

await t.test(`${UPGRADES} upgrades, each with reloads, under load`, { skip }, async (t) => {
  const scene = await openTlsScene(t, { service: { affinity: { mode: 'off' } } });
  const { door, running } = scene;
  const before = await visit(door);
  t.notOk(before.isReused);
  const extra = { ...door, port: await freePort(door.host) };
  const load = await startLoad(t, {
    port: door.port,
    host: door.host,
    isTls: true,
    admin: running.admin,
    active: 'blue',
    connections: KEPT,
    probes: 2,
    reopens: true,
    straddles: true,
  });
  const newcomers = new Newcomers(door, before.session!);
  let inCharge = running.process.pid!;
  for (let round = 1; round <= UPGRADES; round++) {
    await scene.reload([scene.listener(extra.port)], { client: { headSize: '40KiB' } });
    const second = await visit(extra);
    t.equal(second.fingerprint, before.fingerprint, 'a second listener');
    await load.switch(1);
    inCharge = await scene.upgrade();
    t.ok((await visit(extra, second.session)).isReused, 'handed on, with the keys of its tickets');
    await load.switch(1);
    await scene.reload();
    // The process before accepts there for a moment longer, until its answer to the operator is out.
    await until(async () => isRefused(extra), 'the end of the second listener');
    const count = running.lines.length;
    process.kill(inCharge, 'SIGHUP');
    // The new process writes to the output of the first.
    await until(() => running.lines.slice(count).some(isReloaded), 'a reload by SIGHUP');
  }
  await newcomers.end();
  const verdict = await load.close();
  t.comment(`${verdict.requests} kept, ${newcomers.full} new, ${newcomers.resumed} resumed`);
  t.strictSame(verdict.failures, {});
  t.equal(verdict.wrong, 0);
  t.ok(verdict.judged > 100 && verdict.straddling > 0);
  t.strictSame(newcomers.failures, []);
  t.strictSame([...newcomers.fingerprints], [before.fingerprint], 'one certificate all the time');
  t.ok(newcomers.full > UPGRADES && newcomers.resumed > UPGRADES);
  const after = await visit(door, before.session);
  t.ok(after.isReused, 'a session from before all of them');
  t.strictSame(
    running.lines.filter((line) => line.includes('"level":"error"')),
    [],
  );
  const first = running.process;
  if (first.exitCode === null) await once(first, 'exit');
  t.equal(first.exitCode, 0, 'the first has ended in order');
});

async function isRefused(door: Door): Promise<boolean> {
  const outcome = await visit(door).then(() => 'answered', String);
  return outcome.includes('ECONNREFUSED');
}

function isReloaded(line: string): boolean {
  return line.includes('the configuration was read again');
}

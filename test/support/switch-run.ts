// A thousand switches of a real Turnout process under load: the same run for each worker count.

import type { Test } from 'tap';
import { startTurnout } from '../e2e/turnout-process.ts';
import { openColoredApp } from './colored-app.ts';
import { startLoad } from './load-process.ts';

const SWITCHES = Number(process.env['TURNOUT_TEST_SWITCHES'] ?? 1_000);
const CONNECTIONS = 24;
/** With two workers and connections spread by the kernel, each worker has some of them. */
const PROBES = 6;

/** Checks that no client notices any of the switches. */
export async function checkSwitches(t: Test, workers: number): Promise<void> {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const targets = ['--blue', blue.url, '--green', green.url, '--health-interval', '100ms'];
  const running = await startTurnout(t, [...targets, '--workers', String(workers)]);
  await running.line((line) => line.includes(`green ${green.url} is up`));
  const load = await startLoad(t, {
    port: Number(running.proxy.split(':')[1]),
    admin: running.admin,
    active: 'blue',
    connections: CONNECTIONS,
    probes: PROBES,
    reopens: true,
    straddles: true,
  });
  const calls = await load.switch(SWITCHES);
  const verdict = await load.close();
  t.comment(
    `${workers} worker(s): ${verdict.switches} switches, ${verdict.requests} requests, ` +
      `${verdict.judged} of a certain color, ${verdict.straddling} across a switch; ` +
      `call p50 ${calls.p50Ms.toFixed(2)} ms, p99 ${calls.p99Ms.toFixed(2)} ms`,
  );
  t.strictSame(verdict.failures, {}, 'no request failed');
  t.equal(verdict.wrong, 0, 'none had the old color after a call had answered');
  t.equal(verdict.closedIdle, 0, 'no connection was closed');
  t.equal(verdict.switches, SWITCHES, 'every call was answered with success');
  t.ok(verdict.judged >= SWITCHES * PROBES, 'the probes behind each call were judged');
  t.ok(verdict.straddling >= SWITCHES, 'at least the upload of each call ran across it');
  // Answered by Turnout, counted by the targets: nothing came from elsewhere or twice.
  t.equal(blue.requestCount + green.requestCount, verdict.requests);
  running.process.kill('SIGTERM');
  t.equal(await running.ended, 0);
}

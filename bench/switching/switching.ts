// Switches Turnout back and forth and measures the calls. Under full load it also counts what
// clients noticed. Clients and origins share one core, as if they were elsewhere; Turnout may
// use all.

import { mkdtempSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Child } from '../harness/child.ts';
import { leastBusyShare } from '../harness/machine.ts';
import { answersWithin, freePort, LOOPBACK } from '../harness/ports.ts';
import { percentile } from '../harness/statistics.ts';
import { nodeOriginCommand } from '../origin/origin.ts';
import { peerNamed, startPeer } from '../peers/peers.ts';
import type { Color, Switch, Verdict } from './judge.ts';
import type { SwitchResult } from './result.ts';

const CLIENT_PROCESSES = 2;
const CONNECTIONS_PER_PROCESS = 32;
/** A stretch of one color between two calls, long enough to hold whole requests. */
const PAUSE_MS = 8;
/** Until both colors have passed their health checks. */
const HEALTHY_WITHIN_MS = 30_000;
const END_WITHIN_MS = 30_000;
const START_WITHIN_MS = 10_000;

export interface SwitchOptions {
  readonly dir: string;
  readonly workers: number;
  readonly switches: number;
  readonly load: SwitchResult['load'];
}

/** Runs `switches` switches on Turnout with `workers` workers. */
export async function runSwitches(options: SwitchOptions): Promise<SwitchResult> {
  const [bluePort, greenPort] = [await freePort(), await freePort()];
  const origins = [await startColor(bluePort, 'blue'), await startColor(greenPort, 'green')];
  const running = await startPeer(peerNamed('turnout'), {
    dir: mkdtempSync(join(options.dir, 'switch-')),
    originPort: bluePort,
    greenPort,
    workers: options.workers,
    place: 'anywhere',
    nodeFlags: [],
  });
  await waitForColors(running.adminPort);
  const length = options.load === 'full' ? CLIENT_PROCESSES : 0;
  const clients = Array.from({ length }, () => startClient(running.port));
  await delay(1_000); // Connections open and code compiled before the first call counts.
  const coresBefore = cpus();
  const switches = await switchBackAndForth(running.adminPort, options.switches);
  const leastBusyCore = leastBusyShare(coresBefore, cpus());
  const verdicts = await Promise.all(clients.map((client) => verdictOf(client, switches)));
  await running.child.stop();
  for (const origin of origins) await origin.stop();
  const tookMs = switches.map((one) => one.answeredMs - one.calledMs);
  const sum = (field: 'requests' | 'judged' | 'wrong' | 'failed'): number =>
    verdicts.reduce((total, verdict) => total + verdict[field], 0);
  return {
    workers: options.workers,
    load: options.load,
    leastBusyCore,
    switches: switches.length,
    requests: sum('requests'),
    judged: sum('judged'),
    wrong: sum('wrong'),
    failed: sum('failed'),
    failures: Object.assign({}, ...verdicts.map((verdict) => verdict.failures)),
    p50Ms: percentile(tookMs, 50),
    p99Ms: percentile(tookMs, 99),
    maxMs: percentile(tookMs, 100),
  };
}

async function switchBackAndForth(adminPort: number, count: number): Promise<Switch[]> {
  const agent = new Agent({ keepAlive: true });
  const switches: Switch[] = [];
  let to: Color = 'green';
  try {
    for (let index = 0; index < count; index++) {
      const calledMs = monotonicMs();
      const { status, body } = await callSwitch(adminPort, { to, agent });
      const answeredMs = monotonicMs();
      if (status !== 200) throw new Error(`expected a switch to ${to}, got ${status} ${body}`);
      switches.push({ calledMs, answeredMs, to });
      to = to === 'blue' ? 'green' : 'blue';
      await delay(PAUSE_MS);
    }
  } finally {
    agent.destroy();
  }
  return switches;
}

/** Asks for blue, which is active anyway, and for green and back, until both are allowed. */
async function waitForColors(adminPort: number): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  const endMs = performance.now() + HEALTHY_WITHIN_MS;
  let last = '';
  for (const to of ['green', 'blue'] as const) {
    for (;;) {
      // The admin API may open later than the traffic port.
      const answer = await callSwitch(adminPort, { to, agent }).catch(String);
      if (typeof answer !== 'string' && answer.status === 200) break;
      last = JSON.stringify(answer);
      if (performance.now() > endMs) throw new Error(`expected ${to} to get healthy, got ${last}`);
      await delay(100);
    }
  }
  agent.destroy();
}

function callSwitch(
  adminPort: number,
  call: { readonly to: Color; readonly agent: Agent },
): Promise<{ readonly status: number; readonly body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{
    readonly status: number;
    readonly body: string;
  }>();
  const sent = request(
    {
      host: LOOPBACK,
      port: adminPort,
      agent: call.agent,
      timeout: 1e4,
      method: 'POST',
      path: '/v1/switch',
      headers: { 'content-type': 'application/json' },
    },
    (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => (body += text));
      answer.once('error', reject);
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body }));
    },
  );
  sent.once('timeout', () => sent.destroy(new Error('the admin API did not answer in time')));
  sent.once('error', reject);
  sent.end(JSON.stringify({ to: call.to }));
  return promise;
}

async function startColor(port: number, color: Color): Promise<Child> {
  const child = new Child(nodeOriginCommand(port, color), { place: 'load' });
  const options = { path: '/healthz', withinMs: START_WITHIN_MS, isAlive: () => child.isRunning };
  if (await answersWithin(port, options)) return child;
  throw new Error(`expected the ${color} origin to answer, got ${child.output}`);
}

function startClient(port: number): Child {
  const script = join(import.meta.dirname, 'client.ts');
  const command = [process.execPath, script, String(port), String(CONNECTIONS_PER_PROCESS)];
  return new Child(command, { place: 'load' });
}

async function verdictOf(client: Child, switches: readonly Switch[]): Promise<Verdict> {
  client.process.stdin?.end(JSON.stringify(switches));
  await Promise.race([client.exited, delay(END_WITHIN_MS, undefined, { ref: false })]);
  const line = /^RESULT (.*)$/m.exec(client.output)?.[1];
  await client.stop();
  if (line === undefined) throw new Error(`expected a verdict, got ${client.output}`);
  // Printed by client.ts.
  return JSON.parse(line) as Verdict;
}

/** CLOCK_MONOTONIC, which all processes share. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

// What sessions cost: Turnout with affinity off, against itself giving a cookie with every answer,
// reading one of the active release, and checking one of a release that drains.

import { mkdirSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LOOPBACK } from './harness/ports.ts';
import { shuffled } from './harness/statistics.ts';
import { measureSpeed, type Sample } from './measure.ts';
import { peerNamed, startPeer, type RunningPeer } from './peers/peers.ts';
import { scenarioNamed, type Scenario } from './scenarios.ts';

/** What the requests of a run say about their session; `off` is what the others are compared with. */
export const AFFINITY_KINDS = {
  off: 'affinity off',
  given: 'no cookie comes, each answer gives one',
  active: 'cookie of the active release, read',
  draining: 'cookie of a release that drains, checked',
} as const;

export type AffinityKind = keyof typeof AFFINITY_KINDS;

export interface AffinityOptions {
  readonly dir: string;
  readonly originPort: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly random: () => number;
}

const WARM_SECONDS = 2;
const HEALTHY_WITHIN_MS = 15_000;

/** Returns the samples of all kinds, rounds interleaved; `peer` is the kind. */
export async function measureAffinity(options: AffinityOptions): Promise<Sample[]> {
  const { rounds, seconds, random } = options;
  const kinds = Object.keys(AFFINITY_KINDS) as AffinityKind[];
  const started = await Promise.all(kinds.map((kind) => startKind(kind, options)));
  for (const one of started) {
    await measureSpeed(one.running, one.scenario, {
      dir: one.dir,
      seconds: WARM_SECONDS,
      round: -1,
    });
  }
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const { kind, running, scenario, dir } of shuffled(started, random)) {
      const sample = await measureSpeed(running, scenario, { dir, seconds, round });
      if (sample.errors > 0) throw new Error(`${kind}: ${sample.errors} requests failed`);
      samples.push({ ...sample, peer: kind });
    }
  }
  for (const { running } of started) await running.child.stop();
  return samples;
}

interface StartedKind {
  readonly kind: AffinityKind;
  readonly running: RunningPeer;
  readonly scenario: Scenario;
  readonly dir: string;
}

async function startKind(kind: AffinityKind, options: AffinityOptions): Promise<StartedKind> {
  const dir = join(options.dir, `affinity-${kind}`);
  mkdirSync(dir, { recursive: true });
  const running = await startPeer(peerNamed('turnout'), {
    dir,
    originPort: options.originPort,
    workers: 1,
    nodeFlags: [],
    turnoutFlags: kind === 'off' ? ['--affinity-mode', 'off'] : [],
  });
  const small = scenarioNamed('small');
  if (kind === 'off' || kind === 'given') return { kind, running, dir, scenario: small };
  const cookie = await cookieOf(running.port);
  if (kind === 'draining') await switchAway(running.adminPort);
  return { kind, running, dir, scenario: { ...small, cookie } };
}

/** Returns the cookie of a new session. */
async function cookieOf(port: number): Promise<string> {
  const { headers } = await ask(port, { method: 'GET', path: '/small', body: '' });
  const cookie = headers['set-cookie']?.[0]?.split(';', 1)[0];
  if (cookie === undefined) throw new Error('expected a cookie, got none');
  return cookie;
}

async function switchAway(adminPort: number): Promise<void> {
  const endMs = performance.now() + HEALTHY_WITHIN_MS;
  for (;;) {
    const call = { method: 'POST', path: '/v1/switch', body: '{}' };
    // The admin API may open later than the traffic port.
    const answer = await ask(adminPort, call).catch(String);
    if (typeof answer !== 'string' && answer.status === 200) return;
    const got = typeof answer === 'string' ? answer : answer.text;
    if (performance.now() > endMs) throw new Error(`expected a switch, got ${got}`);
    await delay(100);
  }
}

async function ask(
  port: number,
  { method, path, body }: { readonly method: string; readonly path: string; readonly body: string },
): Promise<{
  readonly status: number;
  readonly headers: NodeJS.Dict<string[]> & { 'set-cookie'?: string[] };
  readonly text: string;
}> {
  const agent = new Agent();
  const sent = request({
    host: LOOPBACK,
    port,
    agent,
    method,
    path,
    headers: { 'content-type': 'application/json' },
  });
  sent.end(body);
  const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof ask>>>();
  sent.once('error', reject);
  sent.once('response', (answer) => {
    let text = '';
    answer.setEncoding('utf8').on('data', (part: string) => (text += part));
    answer.once('error', reject);
    answer.once('end', () =>
      resolve({ status: answer.statusCode ?? 0, headers: answer.headersDistinct, text }),
    );
  });
  try {
    return await promise;
  } finally {
    agent.destroy();
  }
}

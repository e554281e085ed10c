// examples/ci/deploy.sh against a running Turnout: a good release serves, each kind of bad one ends
// with traffic where it was before.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { startTurnout, temporaryDirectory } from '../e2e/turnout-process.ts';
import { skipWithout } from '../support/installed.ts';
import { serve } from '../support/serving.ts';
import { ROOT } from '../tidy/source-files.ts';

const RECIPE = join(ROOT, 'examples/ci/deploy.sh');
const skip = skipWithout('curl', 'jq');

/** An app; `good`: how many requests for its page succeed before all others fail. */
async function app(t: Test, good: number, health = 200): Promise<string> {
  let left = good;
  const server = createServer((request, response) => {
    const isHealth = request.url === '/healthz';
    response.statusCode = isHealth ? health : left-- > 0 ? 200 : 500;
    response.end();
  });
  const { port } = await serve(t, server);
  return `http://127.0.0.1:${port}`;
}

interface Scene {
  readonly proxy: string;
  readonly active: () => Promise<string>;
  readonly deploy: (release: string, target: string, settings?: object) => Deploying;
}

interface Deploying {
  readonly process: ChildProcess;
  readonly said: () => string;
  readonly ended: Promise<number | null>;
}

/** Turnout with release v1 active, and the command `turnout` on the path. */
async function openScene(t: Test): Promise<Scene> {
  const flags = ['--blue', await app(t, Infinity), '--blue-release', 'v1'];
  const health = ['--health-interval', '100ms', '--health-rise', '1', '--affinity-mode', 'off'];
  const { proxy, admin } = await startTurnout(t, [...flags, ...health]);
  const bin = temporaryDirectory(t);
  const command = `#!/bin/sh\nexec ${process.execPath} ${join(ROOT, 'src/main.ts')} "$@"\n`;
  writeFileSync(join(bin, 'turnout'), command, { mode: 0o755 });
  const environment = {
    ...process.env,
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    TURNOUT_ADMIN: admin,
    SITE: `http://${proxy}`,
    SMOKE_PATHS: '/ /login',
    WATCH_SECONDS: '1',
    HEALTHY_WITHIN: '20s',
  };
  return {
    proxy,
    active: async () => {
      const status = await (await fetch(`http://${admin}/v1/status`)).json();
      const [service] = (status as { services: Record<string, { release: string }>[] }).services;
      return service![service!['active'] as unknown as string]!.release;
    },
    deploy: (release, target, settings = {}) => {
      const child = spawn('sh', [RECIPE, release, target], {
        env: { ...environment, ...settings },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      t.teardown(() => child.kill('SIGKILL'));
      let text = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (part: Buffer) => (text += part.toString()));
      }
      const ended = once(child, 'close').then(([code]) => code as number | null);
      return { process: child, said: () => text, ended };
    },
  };
}

await t.test('a good release serves', { skip }, async (t) => {
  const { deploy, active } = await openScene(t);
  const { ended, said } = deploy('v2', await app(t, Infinity));
  t.equal(await ended, 0, said());
  t.equal(await active(), 'v2');
});

await t.test(
  'one that fails its smoke test, or has no health, gets no traffic',
  { skip },
  async (t) => {
    const { deploy, active } = await openScene(t);
    const smoke = deploy('v2', await app(t, 1));
    t.equal(await smoke.ended, 1);
    t.match(smoke.said(), '/login answers with 500: v2 gets no traffic');
    t.equal(await active(), 'v1');
    const sick = deploy('v3', await app(t, Infinity, 500), { HEALTHY_WITHIN: '500ms' });
    t.equal(await sick.ended, 1, sick.said());
    t.equal(await active(), 'v1');
  },
);

await t.test(
  'one that fails once it has traffic is rolled back and locked out',
  { skip },
  async (t) => {
    const { deploy, active, proxy } = await openScene(t);
    const bad = await app(t, 2);
    const { process: child, ended, said } = deploy('v2', bad, { WATCH_SECONDS: '60' });
    // Clients, until the recipe has seen enough.
    while (child.exitCode === null) {
      await fetch(`http://${proxy}/`).then(async (answer) => answer.text());
      await turn();
    }
    t.equal(await ended, 1);
    t.match(said(), /too many of its answers are errors: bad [\d.]+\n.*rolling back from v2/);
    t.equal(await active(), 'v1');
    const again = deploy('v2', await app(t, Infinity));
    t.equal(await again.ended, 2, again.said());
    t.match(again.said(), 'locked out');
  },
);

await t.test('a pipeline that is called off takes its switch back', { skip }, async (t) => {
  const { deploy, active } = await openScene(t);
  const {
    process: child,
    ended,
    said,
  } = deploy('v2', await app(t, Infinity), {
    WATCH_SECONDS: '60',
  });
  while (!said().includes('watching it')) await once(child.stderr!, 'data');
  t.equal(await active(), 'v2');
  child.kill('SIGTERM');
  t.equal(await ended, 143);
  t.equal(await active(), 'v1');
});

await t.test('a release that another pipeline has replaced is left alone', { skip }, async (t) => {
  const { deploy, active } = await openScene(t);
  const first = deploy('v2', await app(t, Infinity), { WATCH_SECONDS: '60' });
  while (!first.said().includes('watching it')) await once(first.process.stderr!, 'data');
  const second = deploy('v3', await app(t, Infinity));
  t.equal(await second.ended, 0, second.said());
  t.equal(await first.ended, 1);
  t.match(first.said(), 'another release was switched to meanwhile');
  t.equal(await active(), 'v3', 'its switch is not taken back');
});

// A real Prometheus reads what a running Turnout says of itself, and promtool finds no fault.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { skipWithout } from '../support/installed.ts';
import { startTurnout, temporaryDirectory } from './turnout-process.ts';

/** Between two questions to a server that cannot tell when something becomes true. */
const POLL_MS = 100;
const TRUE_WITHIN_MS = 30_000;

const skip = skipWithout('prometheus', 'promtool');

interface Prometheus {
  /** URL of its API. */
  readonly api: string;
  /** Lines of its log that are warnings or errors. */
  readonly complaints: readonly string[];
}

/** Starts a Prometheus that scrapes `target` each second. */
async function startPrometheus(t: Test, target: string): Promise<Prometheus> {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'prometheus.yml');
  writeFileSync(
    file,
    'global: { scrape_interval: 1s, scrape_timeout: 1s }\n' +
      `scrape_configs: [{ job_name: turnout, static_configs: [{ targets: ['${target}'] }] }]\n`,
  );
  const child = spawn(
    'prometheus',
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      '--web.listen-address=127.0.0.1:0',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const complaints: string[] = [];
  const api = Promise.withResolvers<string>();
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (/\blevel=(?:warn|error)\b/.test(line)) complaints.push(line);
    const address = /msg="Listening on" address=(\S+)/.exec(line)?.[1];
    if (address !== undefined) api.resolve(`http://${address}/api/v1`);
  });
  const early = ended.then(([code]) => {
    throw new Error(`expected a Prometheus, got code ${String(code)}: ${complaints.join('\n')}`);
  });
  early.catch(() => {}); // It is ended with the test.
  return { api: await Promise.race([api.promise, early]), complaints };
}

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [atSeconds: number, value: string];
}

/** Returns the samples that `expression` has now. */
async function query(api: string, expression: string): Promise<readonly Sample[]> {
  const answer = await fetch(`${api}/query?query=${encodeURIComponent(expression)}`);
  const { data, warnings } = (await answer.json()) as {
    readonly data?: { readonly result: readonly Sample[] };
    readonly warnings?: readonly string[];
  };
  if (warnings !== undefined) throw new Error(warnings.join('; '));
  // Not ready yet: nothing is known.
  return data?.result ?? [];
}

/** Asks until the only sample of `expression` is `value`; returns the last answer. */
async function queryUntil(
  api: string,
  expression: string,
  value: string,
): Promise<readonly Sample[]> {
  const endMs = performance.now() + TRUE_WITHIN_MS;
  for (;;) {
    const samples = await query(api, expression);
    const isTrue = samples.length === 1 && samples[0]!.value[1] === value;
    if (isTrue || performance.now() > endMs) return samples;
    await delay(POLL_MS);
  }
}

async function send(url: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await (await fetch(url)).arrayBuffer();
}

await t.test('a Prometheus scrapes what was sent, and sees a switch', { skip }, async (t) => {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const targets = ['--blue', blue.url, '--green', green.url, '--health-kind', 'none'];
  const releases = ['--blue-release', 'v41', '--green-release', 'v42'];
  const running = await startTurnout(t, [...targets, ...releases, '--workers', '2']);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const prometheus = await startPrometheus(t, running.admin);
  const { api } = prometheus;
  const only = async (expression: string, value: string, labels: object): Promise<void> => {
    const [sample, ...others] = await queryUntil(api, expression, value);
    t.match(sample, { metric: labels, value: [Number, value] }, expression);
    t.strictSame(others, [], 'it is the only one');
  };

  await only('up', '1', { job: 'turnout', instance: running.admin });
  await only('turnout_active{color="blue"}', '1', { service: 'default' });
  await only('turnout_active{color="green"}', '0', { service: 'default' });
  await send(`http://${running.proxy}/length/100`, 17);
  const labels = { service: 'default', code: '200', reason: 'active' };
  await only('turnout_requests_total', '17', { ...labels, color: 'blue', release: 'v41' });
  t.equal((await admin.post('/v1/switch', { to: 'green' })).status, 200);
  await only('turnout_active{color="green"}', '1', { service: 'default' });
  await only('turnout_active{color="blue"}', '0', { service: 'default' });
  await only('turnout_generation', '2', {});
  await send(`http://${running.proxy}/chunked/100`, 5);
  const onGreen = 'turnout_requests_total{color="green"}';
  await only(onGreen, '5', { ...labels, color: 'green', release: 'v42' });
  await only('turnout_requests_total{color="blue"}', '17', labels);
  await only('sum(turnout_request_duration_seconds_count)', '22', {});
  await only('turnout_switches_total{outcome="switched"} > 0', '1', { from: 'blue', to: 'green' });
  // Histograms make sense to it: a quantile is a number within the bounds of a bucket.
  const [median] = await query(
    api,
    'histogram_quantile(0.5, sum by (le) (turnout_request_duration_seconds_bucket))',
  );
  t.ok(Number(median?.value[1]) > 0, `median ${median?.value[1]} s`);

  const { data } = (await (await fetch(`${api}/targets`)).json()) as {
    readonly data: { readonly activeTargets: readonly object[] };
  };
  t.match(data.activeTargets, [{ health: 'up', lastError: '' }]);
  await only('min_over_time(up[5m])', '1', {});
  // What Prometheus drops or doubts (doubled samples, odd times) is a line of its log.
  t.strictSame(prometheus.complaints, []);
});

await t.test('promtool finds nothing to complain about', { skip }, async (t) => {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const targets = ['--blue', blue.url, '--green', green.url, '--health-kind', 'none'];
  const running = await startTurnout(t, targets);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const check = async (when: string): Promise<void> => {
    const { text } = await admin.get('/metrics');
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: text,
      encoding: 'utf8',
    });
    t.strictSame({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' }, when);
  };
  await check('before any traffic');
  await send(`http://${running.proxy}/`, 3);
  await admin.post('/v1/switch', { to: 'green' });
  await green.close();
  await send(`http://${running.proxy}/`, 1);
  await admin.post('/v1/rollback', {});
  await check('after traffic, a switch, a failure and a rollback');
});

await t.test('promtool would complain about what is wrong', { skip }, (t) => {
  const wrong = '# TYPE turnout_things counter\nturnout_things 1\n';
  const { status } = spawnSync('promtool', ['check', 'metrics'], { input: wrong });
  t.not(status, 0);
  t.end();
});

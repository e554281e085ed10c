// A number of Prometheus as a gate: what each form of an answer means, how it is asked, and a real server.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import * as fc from 'fast-check';
import t, { type Test } from 'tap';
import type { PrometheusGateSettings } from '../../../../src/config/settings/rollout/rollout-settings.ts';
import { numberResult } from '../../../../src/control-plane/gates/prometheus-answer.ts';
import { prometheusGate } from '../../../../src/control-plane/gates/prometheus-gate.ts';
import { skipWithout } from '../../../support/installed.ts';
import { gateContext, gateParts, NEVER, serve, talk } from '../support/gate-scene.ts';

function settings(
  url: string,
  changes: Partial<PrometheusGateSettings> = {},
): PrometheusGateSettings {
  const times = { timeoutMs: 60_000, tryMs: 10_000, onFail: 'stop' } as const;
  const files = { user: '', secretFile: undefined, caFile: undefined };
  const query = { query: 'vector(1)', min: undefined, max: 1 };
  return {
    kind: 'prometheus',
    name: 'errors',
    at: 'after',
    ...times,
    url,
    ...query,
    ...files,
    ...changes,
  };
}

function vector(...values: readonly string[]): string {
  const result = values.map((value) => ({ metric: { a: 'b' }, value: [1, value] }));
  return JSON.stringify({ status: 'success', data: { resultType: 'vector', result } });
}

function data(resultType: unknown, result: unknown, more: object = {}): string {
  return JSON.stringify({ status: 'success', data: { resultType, result }, ...more });
}

const MEANT: readonly (readonly [status: number, text: string, expected: object])[] = [
  [
    200,
    vector('0.5'),
    { verdict: 'ok', detail: '0.5, expected at most 1', facts: { value: '0.5' } },
  ],
  [200, vector('1'), { verdict: 'ok' }],
  [200, vector('1.01'), { verdict: 'fail', detail: '1.01, expected at most 1' }],
  [200, vector('+Inf'), { verdict: 'fail', detail: 'Infinity, expected at most 1' }],
  [200, vector('-Inf'), { verdict: 'ok' }],
  [200, vector('NaN'), { verdict: 'later', detail: 'NaN' }],
  [200, vector('x'), { verdict: 'error' }],
  [200, vector(''), { verdict: 'error' }],
  [200, vector(), { verdict: 'later', detail: 'no data' }],
  [200, vector('1', 'NaN'), { verdict: 'error', detail: /^2 series, expected one: aggregate/ }],
  [200, data('scalar', [1, '0']), { verdict: 'ok', detail: '0, expected at most 1' }],
  [
    200,
    data('matrix', []),
    { verdict: 'error', detail: /^the result is matrix, expected one number/ },
  ],
  [200, data('string', [1, '0']), { verdict: 'error' }],
  [
    200,
    data('vector', [{ metric: {}, histogram: [1, {}] }]),
    { verdict: 'error', detail: /a histogram/ },
  ],
  [200, data('vector', [null]), { verdict: 'error' }],
  [200, data('scalar', [1, 0]), { verdict: 'error' }],
  [
    200,
    data('vector', [{ value: [1, '0'] }], { warnings: ['PromQL: a\nb', 'c'] }),
    {
      verdict: 'ok',
      detail: '0, expected at most 1; warning: PromQL: a b',
    },
  ],
  [
    400,
    '{"status":"error","errorType":"bad_data","error":"parse error"}',
    {
      verdict: 'error',
      detail: 'answered 400: parse error',
    },
  ],
  [
    503,
    '{"status":"error","error":"timeout"}',
    { verdict: 'later', detail: 'answered 503: timeout' },
  ],
  [200, '{"status":"error"}', { verdict: 'error' }],
  [429, '{"status":"error"}', { verdict: 'later' }],
  [502, '<html>secret', { verdict: 'later', detail: 'answered 502 without JSON of Prometheus' }],
  [401, 'secret', { verdict: 'error', detail: 'answered 401 without JSON of Prometheus' }],
  [200, '', { verdict: 'error' }],
  [200, '[]', { verdict: 'error' }],
  [200, '{"status":"success"}', { verdict: 'error' }],
  [301, '', { verdict: 'error', detail: /a redirect \(301\), which is not followed/ }],
];

await t.test('one number within its limits opens, and nothing else', async (t) => {
  for (const [status, text, expected] of MEANT) {
    const result = numberResult({ status, text, isCut: false }, { min: undefined, max: 1 });
    t.match(result, expected, `${status} ${text}`);
  }
  const low = { status: 200, text: vector('3'), isCut: false };
  t.match(numberResult(low, { min: 3, max: undefined }), {
    verdict: 'ok',
    detail: '3, expected at least 3',
  });
  t.match(numberResult(low, { min: 4, max: 9 }), { verdict: 'fail', detail: '3, expected 4 to 9' });
  t.match(numberResult({ ...low, isCut: true }, { min: 3, max: undefined }), { verdict: 'error' });
});

await t.test('whatever comes back, only a number within its limits opens', async (t) => {
  const result = fc.oneof(fc.jsonValue(), fc.array(fc.record({ value: fc.array(fc.jsonValue()) })));
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc
      .record({
        status: fc.constantFrom('success', 'error'),
        data: fc.record({ resultType: fc.constantFrom('vector', 'scalar', 'x'), result }),
        warnings: fc.jsonValue(),
      })
      .map((one) => JSON.stringify(one)),
  );
  fc.assert(
    fc.property(texts, fc.constantFrom(200, 400, 500), (text, status) => {
      const { verdict, detail, facts } = numberResult(
        { status, text, isCut: false },
        { min: 0, max: 1 },
      );
      const value = Number((facts as { value?: string } | undefined)?.value);
      return detail !== '' && (verdict !== 'ok' || (value >= 0 && value <= 1));
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});

await t.test('the query names what moves, and proves who asks', async (t) => {
  const seen: unknown[] = [];
  const port = await serve(t, (request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      seen.push([request.method, request.url, request.headers.authorization, body]);
      response.end(vector('0'));
    });
  });
  const secretFile = join(t.testdir({ secret: 'hush\n' }), 'secret');
  const url = `http://127.0.0.1:${port}/prom/?tenant=a`;
  const query = 'sum(x{release="${release}",service="${service}",color!="${from_color}"})';
  const ask = async (changes: Partial<PrometheusGateSettings>) =>
    prometheusGate(settings(url, changes), gateParts()).ask(gateContext(), NEVER);
  t.match(await ask({ query, secretFile }), { verdict: 'ok' });
  t.match(await ask({ query: 'x'.repeat(3_000), secretFile, user: 'ann' }), { verdict: 'ok' });
  const expected = 'sum(x{release="v42",service="shop",color!="blue"})';
  t.same(seen, [
    [
      'GET',
      `/prom/api/v1/query?tenant=a&${new URLSearchParams({ query: expected }).toString()}`,
      'Bearer hush',
      '',
    ],
    [
      'POST',
      '/prom/api/v1/query?tenant=a',
      `Basic ${btoa('ann:hush')}`,
      `query=${'x'.repeat(3_000)}`,
    ],
  ]);
  t.match(await ask({ secretFile: `${secretFile}.none` }), { verdict: 'error' });
});

async function askPort(port: number, signal = NEVER) {
  return prometheusGate(settings(`http://127.0.0.1:${port}/`), gateParts()).ask(
    gateContext(),
    signal,
  );
}

await t.test('a server that is gone or hangs is asked again later', async (t) => {
  t.same(await askPort(1), { verdict: 'later', detail: 'connection refused' });
  const called = new AbortController();
  const hangs = await talk(t, () => called.abort());
  t.same(await askPort(hangs, called.signal), { verdict: 'error', detail: 'called off' });
});

await t.test('a listener of Turnout itself is not asked, by address or by name', async (t) => {
  const port = await talk(t, () => t.fail('asked'));
  const parts = gateParts([], { isOurs: () => true });
  const ask = async (host: string) =>
    prometheusGate(settings(`http://${host}:${port}/`), parts).ask(gateContext(), NEVER);
  t.match(await ask('127.0.0.1'), { verdict: 'error', detail: /a listener of Turnout itself/ });
  t.match(await ask('localhost'), { verdict: 'later', detail: /a listener of Turnout itself/ });
});

/** Starts a Prometheus that scrapes itself; resolves with its URL. */
async function startPrometheus(t: Test): Promise<string> {
  const directory = t.testdir({});
  const file = join(directory, 'prometheus.yml');
  writeFileSync(file, 'global: { scrape_interval: 1h }\n');
  const child = spawn(
    'prometheus',
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${directory}/data`,
      '--web.listen-address=127.0.0.1:0',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const ready = Promise.withResolvers<void>();
  const url = Promise.withResolvers<string>();
  createInterface({ input: child.stderr }).on('line', (line) => {
    const address = /msg="Listening on" address=(\S+)/.exec(line)?.[1];
    if (address !== undefined) url.resolve(`http://${address}/`);
    if (line.includes('Server is ready')) ready.resolve();
  });
  const early = ended.then(() => {
    throw new Error('expected a Prometheus, got none');
  });
  early.catch(() => {}); // It is ended with the test.
  await Promise.race([ready.promise, early]);
  return await url.promise;
}

await t.test('a real Prometheus', { skip: skipWithout('prometheus') }, async (t) => {
  const url = await startPrometheus(t);
  const ask = async (query: string) =>
    prometheusGate(settings(url, { query }), gateParts()).ask(gateContext(), NEVER);
  t.match(await ask('scalar(vector(0.5))'), { verdict: 'ok', detail: '0.5, expected at most 1' });
  t.match(await ask('vector(2)'), { verdict: 'fail', detail: '2, expected at most 1' });
  t.match(await ask('vector(0) / vector(0)'), { verdict: 'later', detail: 'NaN' });
  t.match(await ask('vector(1) / vector(0)'), { verdict: 'fail' });
  t.match(await ask('nothing_of_this_name{release="${release}"}'), {
    verdict: 'later',
    detail: 'no data',
  });
  t.match(await ask('label_replace(vector(1), "a", "1", "", "") or vector(2)'), {
    verdict: 'error',
    detail: /^2 series/,
  });
  t.match(await ask('up{'), { verdict: 'error', detail: /^answered 400: .*parse error/ });
  t.match(await ask('up[5m]'), { verdict: 'error', detail: /^the result is matrix/ });
  t.match(await ask('"text"'), { verdict: 'error', detail: /^the result is string/ });
});

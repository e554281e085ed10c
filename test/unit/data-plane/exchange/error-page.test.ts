// The page of the operator's that browsers get where no target can answer.

import t from 'tap';
import { OK, withBench, type Bench } from '../../../support/fault-bench.ts';
import { statusOf, valuesOf } from '../../../support/message.ts';
import { answering } from '../../../support/origin.ts';
import type { SettingsPatch } from '../../../support/plane.ts';

const PAGE = '<!doctype html><title>Sörry</title>\n';
const BROWSER = 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8';
const patch: SettingsPatch = {
  upstream: { headTimeoutMs: 1_000 },
  client: { bodyBytesMax: 1 },
  service: { policy: { errors: { page: PAGE } } },
};

async function asks(bench: Bench, accept: string, line = 'GET / HTTP/1.1') {
  const body = line.startsWith('POST') ? 'Content-Length: 2\r\n\r\nab' : '\r\n';
  const answer = await bench.ask(`${line}\r\nHost: shop.test\r\nAccept: ${accept}\r\n${body}`);
  const [type = ''] = valuesOf(answer.fields, 'content-type');
  const [code] = valuesOf(answer.fields, 'x-turnout-failure');
  return { status: statusOf(answer.start), body: answer.body, type, code };
}

await t.test('a browser gets it with 502, and a program gets a line', async (t) => {
  await withBench(t, { script: (one) => one.reset(), patch }, async (bench) => {
    const page = Buffer.from(PAGE).toString('latin1');
    t.match(await asks(bench, BROWSER), {
      status: 502,
      type: 'text/html; charset=utf-8',
      code: /^(?:CONNECT_FAILED|UPSTREAM_CLOSED)$/,
    });
    t.equal((await asks(bench, BROWSER)).body, page);
    for (const accept of ['*/*', 'application/json', '']) {
      t.match(await asks(bench, accept), { status: 502, type: /plain/, body: /^502 [A-Z_]+: / });
    }
    t.match(await asks(bench, BROWSER, 'HEAD / HTTP/1.1'), { status: 502, body: '' });
  });
});

await t.test('a browser gets it with 504', async (t) => {
  await withBench(t, { script: () => {}, patch }, async (bench) => {
    const asked = asks(bench, BROWSER);
    while (bench.origin.connections.size === 0) await new Promise(setImmediate);
    for (const one of bench.origin.connections) await one.nextHead();
    bench.passTime(1_000);
    t.match(await asked, { status: 504, type: /html/, code: 'UPSTREAM_TIMEOUT' });
  });
});

await t.test('what the client did wrong, and what a target says, is as it was', async (t) => {
  const own = 'HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy';
  await withBench(t, { script: answering(own), patch }, async (bench) => {
    t.match(await asks(bench, BROWSER), { status: 503, body: 'busy' });
    t.match(await asks(bench, BROWSER, 'POST / HTTP/1.1'), { status: 413, type: /plain/ });
  });
});

await t.test('maintenance has its own page', async (t) => {
  const maintenance = { message: 'soon', retryAfterSeconds: 5, closesLongLived: false, sinceMs: 0 };
  const service = { ...patch.service, maintenance };
  const script = answering(OK);
  await withBench(t, { script, patch: { ...patch, service } }, async (bench) => {
    const { status, body } = await asks(bench, BROWSER);
    t.equal(status, 503);
    t.match(body, 'soon');
  });
});

await t.test('a status may have a page of its own', async (t) => {
  for (const [pages, page] of [
    [{ 502: '<p>502</p>', 503: '', 504: '' }, '<p>502</p>'],
    [{ 502: '', 503: '<p>503</p>', 504: '<p>504</p>' }, '<p>all</p>'],
  ] as const) {
    const service = { policy: { errors: { page: '<p>all</p>', pages } } };
    await withBench(t, { script: (one) => one.reset(), patch: { service } }, async (bench) => {
      t.match(await asks(bench, BROWSER), { status: 502, body: page });
    });
  }
  const service = { policy: { errors: { pages: { 502: '', 503: 'busy', 504: '' } } } };
  await withBench(t, { script: (one) => one.reset(), patch: { service } }, async (bench) => {
    t.match(await asks(bench, BROWSER), { status: 502, type: /plain/ }, 'that has none');
  });
});

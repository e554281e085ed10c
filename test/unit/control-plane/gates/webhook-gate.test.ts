// A webhook as a gate: what is asked, what its answer means, and receivers that hang, redirect or lie.

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import * as fc from 'fast-check';
import t from 'tap';
import type { WebhookGateSettings } from '../../../../src/config/settings/rollout/rollout-settings.ts';
import {
  resultOf,
  type WebhookAnswer,
} from '../../../../src/control-plane/gates/verdict-answer.ts';
import { webhookGate } from '../../../../src/control-plane/gates/webhook-gate.ts';
import { signedPost } from '../../../../src/control-plane/notifications/signed-post.ts';
import { authority } from '../../../support/certificates.ts';
import { openReceiver } from '../../../support/webhook-receiver.ts';
import { gateContext, gateParts, NEVER, talk } from '../support/gate-scene.ts';

function settings(url: string, changes: Partial<WebhookGateSettings> = {}): WebhookGateSettings {
  const times = { timeoutMs: 60_000, tryMs: 10_000, onFail: 'stop' } as const;
  const files = { secretFile: undefined, caFile: undefined };
  return { kind: 'webhook', name: 'e2e', at: 'before', ...times, url, ...files, ...changes };
}

await t.test('the question says what moves, and is signed', async (t) => {
  const secretFile = join(t.testdir({ secret: 'hush' }), 'secret');
  const receiver = await openReceiver(t, (response) => response.end('{"verdict":"ok"}'));
  const gate = webhookGate(settings(receiver.url, { secretFile }), gateParts());
  t.match(await gate.ask(gateContext(), NEVER), { verdict: 'ok', detail: 'said ok' });
  const [got] = receiver.received;
  t.equal(got?.headers['turnout-attempt'], 'r-7.smoke.1');
  const [, time, mac] = /^t=(\d+),v1=(.+)$/.exec(String(got?.headers['turnout-signature']))!;
  t.equal(mac, createHmac('sha256', 'hush').update(`${time}.${got?.body}`).digest('hex'));
  t.match(JSON.parse(got?.body ?? ''), {
    kind: 'gate',
    rollout: 'r-7',
    attempt: 'r-7.smoke.1',
    gate: 'smoke',
    at: 'before',
    service: 'shop',
    from: { release: 'v41', color: 'blue' },
    to: { release: 'v42', color: 'green', targets: ['http://a:1', 'http://b:1'] },
    services: [{ service: 'shop' }],
    actor: 'ci',
  });
});

const MEANT: readonly (readonly [status: number, body: string, expected: object])[] = [
  [200, '', { verdict: 'ok', detail: 'answered 200' }],
  [204, ' \n', { verdict: 'ok' }],
  [202, '', { verdict: 'later', detail: 'not yet (202)' }],
  [
    200,
    '{"verdict":"ok","detail":"12 tests\\u001b[31m"}',
    { verdict: 'ok', detail: '12 tests\\u{1b}[31m' },
  ],
  [200, '{"verdict":" FAILED ","detail":"3 of 12"}', { verdict: 'fail', detail: '3 of 12' }],
  [202, '{"verdict":"fail"}', { verdict: 'fail' }],
  [202, '{"verdict":"ok"}', { verdict: 'later' }],
  [202, '{"id":1}', { verdict: 'later' }],
  [200, '{"verdict":"later","retryAfter":90}', { verdict: 'later', retryAfterMs: 90_000 }],
  [200, '{"verdict":"later","retryAfter":"2m"}', { verdict: 'later', retryAfterMs: 120_000 }],
  [200, '{"verdict":"later","retryAfter":"5"}', { verdict: 'later', retryAfterMs: 5_000 }],
  [200, '{"verdict":"later","retryAfter":1e99}', { verdict: 'later', retryAfterMs: 86_400_000 }],
  [200, '{"verdict":"later","retryAfter":-1}', { verdict: 'later' }],
  [200, '{"verdict":"IN_PROGRESS"}', { verdict: 'later' }],
  [200, '{"verdict":"yes"}', { verdict: 'error', detail: /none of ok, fail and later: "yes"/ }],
  [200, '{"verdict":true}', { verdict: 'error' }],
  [200, '{"verdict":"fail","verdict":"ok"}', { verdict: 'error', detail: /two of "verdict"/ }],
  [200, '{"verdict":"constructor"}', { verdict: 'error' }],
  [200, '{"ok":true}', { verdict: 'error', detail: 'the answer (200) has no verdict' }],
  [
    200,
    '<html>login</html>',
    { verdict: 'error', detail: 'the answer (200) is not a JSON object' },
  ],
  [200, 'null', { verdict: 'error' }],
  [200, '["ok"]', { verdict: 'error' }],
  [200, '{"verdict":"ok"', { verdict: 'error' }],
  [302, '', { verdict: 'error', detail: /a redirect \(302\), which is not followed/ }],
  [403, '{"verdict":"ok"}', { verdict: 'error', detail: 'the answer has status 403' }],
  [503, '', { verdict: 'error' }],
];

await t.test('an answer means what it says, and only ok opens', async (t) => {
  for (const [status, body, expected] of MEANT) {
    const result = resultOf({ status, body, isCut: false, retryAfterMs: undefined });
    t.match(result, expected, `${status} ${body}`);
  }
  t.match(resultOf({ status: 202, body: '', isCut: false, retryAfterMs: 7_000 }), {
    retryAfterMs: 7_000,
  });
  t.match(resultOf({ status: 503, body: '', isCut: false, retryAfterMs: 9_000 }), {
    retryAfterMs: 9_000,
  });
  t.match(
    resultOf({ status: 200, body: '{"verdict":"ok"}', isCut: true, retryAfterMs: undefined }),
    {
      verdict: 'error',
      detail: /more than 64 KiB/,
    },
  );
});

await t.test('whatever comes back, nothing but an empty 2xx or a clear word opens', async (t) => {
  const answers: fc.Arbitrary<WebhookAnswer> = fc.record({
    status: fc.constantFrom(100, 200, 201, 202, 204, 299, 301, 400, 500),
    body: fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc
        .record({ verdict: fc.jsonValue(), retryAfter: fc.jsonValue() })
        .map((one) => JSON.stringify(one)),
    ),
    isCut: fc.boolean(),
    retryAfterMs: fc.option(fc.nat(), { nil: undefined }),
  });
  fc.assert(
    fc.property(answers, (answer) => {
      const { verdict, detail } = resultOf(answer);
      if (/\p{Cc}/u.test(detail) || detail === '') return false;
      if (verdict !== 'ok') return true;
      const isEmpty = answer.body.trim() === '' && answer.status !== 202;
      return (
        answer.status >= 200 &&
        answer.status <= 299 &&
        (isEmpty || /ok|pass|succe/i.test(answer.body))
      );
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});

await t.test('a receiver that hangs, trickles, redirects or floods opens nothing', async (t) => {
  const trickle = await talk(t, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{'),
  );
  const slow = webhookGate(settings(`http://127.0.0.1:${trickle}/`, { tryMs: 50 }), gateParts());
  t.match(await slow.ask(gateContext(), NEVER), {
    verdict: 'error',
    detail: 'no answer after 50ms',
  });
  const receiver = await openReceiver(t, (response) => {
    response.writeHead(307, { location: 'http://127.0.0.1:8081/v1/switch' }).end();
  });
  t.match(await webhookGate(settings(receiver.url), gateParts()).ask(gateContext(), NEVER), {
    verdict: 'error',
    detail: /redirect \(307\)/,
  });
  receiver.answer = (response) => response.end(`{"verdict":"ok","x":"${'a'.repeat(70_000)}"}`);
  t.match(await webhookGate(settings(receiver.url), gateParts()).ask(gateContext(), NEVER), {
    verdict: 'error',
    detail: /more than 64 KiB/,
  });
  t.equal(receiver.received.length, 2);
});

await t.test('a listener of Turnout itself is not asked, by address or by name', async (t) => {
  const receiver = await openReceiver(t);
  const outside = { isOurs: () => true, dns: { addresses: async () => ['127.0.0.1'] } };
  const parts = gateParts([], { post: signedPost(outside) });
  for (const host of ['127.0.0.1', 'localhost']) {
    const url = `http://${host}:${receiver.port}/v1/switch`;
    t.match(await webhookGate(settings(url), parts).ask(gateContext(), NEVER), {
      verdict: 'error',
      detail: /it leads to a listener of Turnout itself/,
    });
  }
  t.equal(receiver.received.length, 0);
});

await t.test('a gate that is called off ends at once', async (t) => {
  const called = new AbortController();
  const port = await talk(t, () => called.abort());
  const gate = webhookGate(settings(`http://127.0.0.1:${port}/`), gateParts());
  t.match(await gate.ask(gateContext(), called.signal), { verdict: 'error', detail: 'called off' });
});

await t.test('an authority of its own is believed, and no other', async (t) => {
  const own = authority(t);
  const files = own.sign('ci');
  const server = createServer(
    { cert: readFileSync(files.cert), key: readFileSync(files.key) },
    (_, response) => response.end('{"verdict":"ok"}'),
  ).listen(0, '127.0.0.1');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
  const asked = async (caFile: string | undefined) =>
    webhookGate(settings(url, { caFile }), gateParts()).ask(gateContext(), NEVER);
  t.match(await asked(own.cert), { verdict: 'ok' });
  t.match(await asked(undefined), { verdict: 'error', detail: /certificate|issuer/ });
  t.match(await asked(join(t.testdir({}), 'none.pem')), { verdict: 'error', detail: /ENOENT/ });
});

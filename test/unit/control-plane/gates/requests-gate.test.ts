// Smoke requests over real sockets: what is sent, what is expected, and targets that hang, lie or flood.

import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import type {
  RequestsGateSettings,
  SmokeRequest,
} from '../../../../src/config/settings/rollout/rollout-settings.ts';
import { parseJsonPath } from '../../../../src/config/values/json-path.ts';
import { parseTextPattern } from '../../../../src/config/values/text-pattern.ts';
import { TargetTls } from '../../../../src/contract/target-tls.ts';
import { requestsGate } from '../../../../src/control-plane/gates/requests-gate.ts';
import { targetConnector } from '../../../../src/control-plane/targets/target-connection.ts';
import { authority, pemsOf } from '../../../support/certificates.ts';
import { upstreamTerms } from '../../../support/plane.ts';
import { endpointOf, gateContext, gateParts, NEVER, serve, talk } from '../support/gate-scene.ts';

function pattern(text: string) {
  const parsed = parseTextPattern(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}

function path(text: string) {
  const parsed = parseJsonPath(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}

function smoke(changes: Partial<SmokeRequest> = {}): SmokeRequest {
  return {
    method: 'GET',
    path: '/',
    fields: new Map(),
    body: '',
    status: [{ min: 200, max: 299 }],
    field: new Map(),
    match: undefined,
    json: new Map(),
    withinMs: 0,
    take: new Map(),
    ...changes,
  };
}

function settings(
  requests: readonly SmokeRequest[],
  targets: 'all' | 'one' = 'all',
): RequestsGateSettings {
  const times = { timeoutMs: 60_000, tryMs: 30_000, onFail: 'stop' } as const;
  return { kind: 'requests', name: 'smoke', at: 'before', ...times, targets, requests };
}

async function ask(ports: readonly number[], requests: readonly SmokeRequest[], signal = NEVER) {
  const gate = requestsGate(settings(requests), gateParts(ports.map(endpointOf)));
  return await gate.ask(gateContext(), signal);
}

await t.test('each target is asked all of it, as a request of the service', async (t) => {
  const seen: (readonly [what: string, headers: object])[] = [];
  const listener = async (): Promise<number> =>
    serve(t, (request, response) => {
      const { method, url, headers } = request;
      seen.push([`${method} ${url} ${headers.host}`, headers]);
      response.end('fine');
    });
  const ports = [await listener(), await listener()];
  const result = await ask(ports, [
    smoke({ path: '/a?b=c' }),
    smoke({ method: 'POST', path: '/b', body: 'hello', fields: new Map([['host', 'other']]) }),
  ]);
  t.match(result, { verdict: 'ok', detail: /^4 requests to 2 targets in / });
  t.equal(seen.length, 4);
  const sorted = seen.toSorted(([one], [other]) => one.localeCompare(other));
  t.match(sorted, [
    ['GET /a?b=c shop.example', { 'x-turnout-color': 'green', 'x-turnout-release': 'v42' }],
    ['GET /a?b=c shop.example', { 'x-turnout-role': 'idle' }],
    ['POST /b other', { 'content-length': '5' }],
    ['POST /b other', {}],
  ]);
});

await t.test('one target is enough where the operator says so', async (t) => {
  let count = 0;
  const port = await serve(t, (_, response) => {
    count++;
    response.end();
  });
  const gate = requestsGate(
    settings([smoke()], 'one'),
    gateParts([endpointOf(port), endpointOf(1)]),
  );
  t.match(await gate.ask(gateContext(), NEVER), { verdict: 'ok' });
  t.equal(count, 1);
});

await t.test('values that are taken are used by later requests, and are not shown', async (t) => {
  const port = await serve(t, (request, response) => {
    if (request.url === '/login') response.setHeader('x-id', 'a/b').end('{"token":{"x":[7]}}');
    else response.writeHead(request.url === '/o/a%2Fb' ? 200 : 404).end(request.headers['x-token']);
  });
  const login = smoke({
    path: '/login',
    take: new Map([
      ['id', { from: 'field', name: 'x-id' }],
      ['token', { from: 'json', path: path('$.token.x[0]') }],
    ]),
  });
  const order = smoke({ path: '/o/${id}', fields: new Map([['x-token', 'T-${token}']]) });
  t.match(await ask([port], [login, { ...order, match: pattern('T-7') }]), { verdict: 'ok' });
  t.match(await ask([port], [login, { ...order, status: [{ min: 500, max: 500 }] }]), {
    verdict: 'fail',
    detail: /GET \/o\/\$\{id\} at .*: expected status 500, got 200: T-7$/,
  });
  t.match(
    await ask(
      [port],
      [smoke({ path: '/login', take: new Map([['x', { from: 'json', path: ['token'] }]]) })],
    ),
    {
      verdict: 'fail',
      detail: /expected a text or number for \$\{x\}, got \{"x":\[7\]\}/,
    },
  );
});

await t.test('what is not as expected is told with what came', async (t) => {
  const port = await serve(t, (request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: '/login' }).end();
    else if (request.url === '/bad') response.writeHead(500).end(`a\u001b[31m\n${'b'.repeat(300)}`);
    else if (request.url === '/json') response.end('{"ok":false,"n":[1]}');
    else if (request.url === '/empty') response.end();
    else response.setHeader('x-cache', 'miss').end('Shop: 3 items');
  });
  const cases: readonly (readonly [SmokeRequest, RegExp])[] = [
    [
      smoke({ path: '/moved' }),
      /expected status 200-299, got 302 to \/login \(redirects are not followed\)$/,
    ],
    [smoke({ path: '/bad' }), /got 500: a\\u\{1b\}\[31m b{190,200}…$/],
    [
      smoke({ path: '/empty', status: [{ min: 204, max: 204 }] }),
      /expected status 204, got 200 without a body$/,
    ],
    [
      smoke({ field: new Map([['x-cache', pattern('hit')]]) }),
      /expected x-cache with hit, got miss$/,
    ],
    [
      smoke({ field: new Map([['etag', pattern('a')]]) }),
      /expected etag with a, got no such field$/,
    ],
    [smoke({ match: pattern('Shop*5') }), /expected a body with Shop\*5, got Shop: 3 items$/],
    [smoke({ path: '/empty', match: pattern('a') }), /got an empty one$/],
    [
      smoke({ path: '/json', json: new Map([['$.ok', true]]) }),
      /expected \$\.ok = true, got false$/,
    ],
    [
      smoke({ path: '/json', json: new Map([['$.n[1]', 1]]) }),
      /expected \$\.n\[1\] = 1, got nothing there$/,
    ],
    [smoke({ json: new Map([['$', 1]]) }), /expected JSON, got Shop: 3 items$/],
  ];
  for (const [request, expected] of cases) {
    t.match(await ask([port], [request]), { verdict: 'fail', detail: expected });
  }
  t.match(await ask([port], [smoke({ path: '/json', json: new Map([['$.n[0]', 1]]) })]), {
    verdict: 'ok',
  });
});

await t.test('a target that does not speak is no failure of the release', async (t) => {
  const gone = await talk(t, (socket) => socket.destroy());
  const noise = await talk(t, (socket) => socket.end('SSH-2.0-x\r\n'));
  const half = await talk(t, (socket) =>
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na'),
  );
  const big = await talk(t, (socket) =>
    socket.end(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(99_999)}\r\n\r\n`),
  );
  const cases = [
    [1, 'connection refused'],
    [gone, 'the connection closed before the answer ended'],
    [noise, 'the answer is not HTTP/1.1'],
    [half, 'the connection closed before the answer ended'],
    [big, 'the head of the answer is too large'],
  ] as const;
  for (const [port, reason] of cases) {
    const detail = `GET / at http://127.0.0.1:${port}: ${reason}`;
    t.same(await ask([port], [smoke()]), { verdict: 'error', detail });
  }
  t.same(await ask([], [smoke()]), { verdict: 'error', detail: 'there is no target to ask' });
});

await t.test('an upgrade is an answer like any other', async (t) => {
  const port = await talk(t, (socket) =>
    socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
  );
  t.match(await ask([port], [smoke()]), { verdict: 'fail', detail: /got 101 without a body/ });
});

await t.test('no more of a body is read than 64 KiB', async (t) => {
  const port = await serve(t, (_, response) => {
    const flood = (): void => {
      while (response.writable && response.write('x'.repeat(16_384)));
    };
    response.on('drain', flood);
    flood();
  });
  t.match(await ask([port], [smoke({ match: pattern('xxx') })]), { verdict: 'ok' });
  t.match(await ask([port], [smoke({ json: new Map([['$', 1]]) })]), {
    verdict: 'fail',
    detail: /expected JSON of at most 64 KiB, got more/,
  });
});

await t.test('a request has a time of its own, for the whole answer', async (t) => {
  const port = await talk(t, (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\ntrickle'));
  t.match(await ask([port], [smoke({ withinMs: 50 })]), {
    verdict: 'fail',
    detail: /expected an answer within 50ms, got none/,
  });
});

await t.test('a gate that is called off ends at once', async (t) => {
  const called = new AbortController();
  const port = await talk(t, () => called.abort());
  t.same(await ask([port, port], [smoke()], called.signal), {
    verdict: 'error',
    detail: 'called off',
  });
  t.same(await ask([port], [smoke()], called.signal), { verdict: 'error', detail: 'called off' });
});

await t.test('the first target that fails calls the others off', async (t) => {
  const hangs = await talk(t, () => {});
  const bad = await serve(t, (_, response) => response.writeHead(503).end());
  t.match(await ask([hangs, bad], [smoke()]), { verdict: 'fail', detail: /got 503/ });
});

await t.test('a socket that leads astray is not asked', async (t) => {
  const parts = gateParts([endpointOf(1)], { mayConnect: () => false });
  const result = await requestsGate(settings([smoke()]), parts).ask(gateContext(), NEVER);
  t.match(result, { verdict: 'error', detail: /the path leads elsewhere/ });
});

await t.test(
  'a target over TLS is asked by TLS, and what is wrong about that is told',
  async (t) => {
    const ca = authority(t);
    const server = https.createServer(pemsOf(ca.sign('app')), (request, response) => {
      response.end(`for ${request.headers.host}`);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const { port } = server.address() as AddressInfo;
    const tls = { name: 'localhost', service: 'shop' };
    const endpoint = { ...endpointOf(port), url: `https://localhost:${port}`, tls };
    const terms = { ...upstreamTerms(pemsOf(ca).cert), service: 'shop' };
    const asks = async (targetTls: TargetTls, path: string) => {
      const request = smoke({ path, match: pattern('for shop.example') });
      const gate = requestsGate(
        settings([request]),
        gateParts([endpoint], { connect: targetConnector(targetTls) }),
      );
      return gate.ask(gateContext(), NEVER);
    };
    t.match(await asks(new TargetTls({ upstreams: [terms] }), '/a'), { verdict: 'ok' });
    t.match(await asks(new TargetTls({ upstreams: [] }), '/b?secret'), {
      verdict: 'error',
      detail: new RegExp(
        `^GET /b at https://localhost:${port}: its certificate is signed by an authority that is not known: name it in upstreamTls.ca`,
      ),
    });
  },
);

// The API for holds, maintenance and previews, and what a switch and a rollback take beside.

import t from 'tap';
import { BLOCK } from '../../../../../src/contract/counters.ts';
import { claimedDeployment, opensPreview } from '../../../../../src/contract/preview-token.ts';
import { previewSigner } from '../../../../../src/contract/signing.ts';
import { ROUTES } from '../../../../../src/control-plane/admin/routes/routes.ts';
import { TEST_KEYS, testPolicy } from '../../../../support/policy.ts';
import { ask, openAdmin, post, put, type Answer } from '../../support/admin.ts';
import { change, only } from '../../support/board.ts';
import { serviceConfig } from '../../support/fixtures.ts';

const STICKY = serviceConfig({ policy: testPolicy({ affinity: { mode: 'drain' } }) });

/** Resolves with the only service of the status. */
async function serviceOf(address: Parameters<typeof ask>[0]): Promise<Record<string, unknown>> {
  const { json } = await ask(address, '/v1/status');
  return (json as { services: Record<string, unknown>[] }).services[0]!;
}

await t.test('a hold begins, is seen and is released', async (t) => {
  const { address, switchboard, count } = await openAdmin(t);
  t.equal((await serviceOf(address))['held'], null);
  const beganAtMs = Date.now();
  const answer = await post(address, '/v1/hold', { for: '30s', methods: 'writes' });
  t.match(answer, { status: 200, headers: { etag: '"2"' } });
  const { hold, blue } = only(switchboard.table);
  const until = new Date(hold!.untilMs).toISOString();
  const running = { requests: 0, tunnels: 0, streams: 0, leftBehind: 0, oldest: [] };
  const made = { generation: 2, service: 'default', changed: true };
  t.same(answer.json, { ...made, until, isOn: true, running });
  t.match(hold, { methods: 'writes', closesLongLived: false });
  t.ok(hold!.untilMs >= beganAtMs + 30_000 && hold!.untilMs <= Date.now() + 30_000);
  count(blue.block, BLOCK.held, 6);
  const held = { methods: 'writes', until, requests: 6, waitsFor: null };
  t.same((await serviceOf(address))['held'], held);
  t.match((await post(address, '/v1/resume', {})).json, { generation: 3, changed: true });
  t.equal((await serviceOf(address))['held'], null);
  t.match((await post(address, '/v1/release', {})).json, { generation: 3, changed: false });
});

await t.test('a hold is for everything and ten seconds unless it is told otherwise', async (t) => {
  const { address, switchboard } = await openAdmin(t);
  const beganAtMs = Date.now();
  await post(address, '/v1/hold', '');
  const { hold } = only(switchboard.table);
  t.equal(hold?.methods, 'all');
  t.ok(hold!.untilMs >= beganAtMs + 10_000 && hold!.untilMs <= Date.now() + 10_000);
});

await t.test('a hold that has run out is not shown any more', async (t) => {
  const { address, switchboard } = await openAdmin(t);
  await switchboard.hold(change(), { methods: 'all', untilMs: Date.now() - 1 });
  t.equal((await serviceOf(address))['held'], null);
});

await t.test('maintenance begins with its words, is seen and ends', async (t) => {
  const { address, switchboard } = await openAdmin(t);
  const body = { on: true, message: 'back at noon', retryAfter: '1500ms', reason: 'move' };
  t.match(await post(address, '/v1/maintenance', body), {
    status: 200,
    headers: { etag: '"2"' },
    json: { generation: 2, service: 'default', changed: true },
  });
  const seen = { message: 'back at noon', retryAfterSeconds: 2 };
  t.same((await serviceOf(address))['maintenance'], seen);
  t.match((await post(address, '/v1/maintenance', body)).json, { changed: false });
  t.match((await post(address, '/v1/maintenance', { on: false })).json, { changed: true });
  t.equal((await serviceOf(address))['maintenance'], null);
  await post(address, '/v1/maintenance', { on: true });
  t.same(only(switchboard.table).maintenance, { message: '', retryAfterSeconds: 60 });
});

await t.test('bodies that do not fit are refused and change nothing', async (t) => {
  const { address, pointer } = await openAdmin(t);
  const rows: readonly (readonly [string, unknown, RegExp])[] = [
    ['/v1/hold', { for: '61s' }, /for: expected at most 1m/],
    ['/v1/hold', { for: 10 }, /for: /],
    ['/v1/hold', { for: '10' }, /for: .*duration/],
    ['/v1/hold', { methods: 'reads' }, /methods: /],
    ['/v1/resume', { for: '1s' }, /"for"/],
    ['/v1/release', { for: '1s' }, /"for"/],
    ['/v1/maintenance', {}, /on: /],
    ['/v1/maintenance', { on: 'yes' }, /on: /],
    ['/v1/maintenance', { on: true, message: 'à bientôt' }, /message: expected one line of ASCII/],
    ['/v1/maintenance', { on: true, message: 'a\r\nb' }, /message: /],
    ['/v1/maintenance', { on: true, message: 'x'.repeat(501) }, /message: /],
    ['/v1/maintenance', { on: true, retryAfter: '25h' }, /retryAfter: /],
    ['/v1/preview', { for: '8d' }, /for: expected at most/],
    ['/v1/preview', { color: 'green' }, /"color"/],
    ['/v1/switch', { hold: '61s' }, /hold: expected at most 1m/],
    ['/v1/switch', { hold: 5 }, /hold: /],
    ['/v1/switch', { hold: '-1s' }, /hold: /],
    ['/v1/rollback', { restick: 'some' }, /restick: /],
    ['/v1/rollback', { hold: '1s' }, /"hold"/],
  ];
  for (const [path, body, detail] of rows) {
    const answer = await post(address, path, body);
    const what = `${path} ${JSON.stringify(body)}`;
    t.match(answer, { status: 400, json: { code: 'body-invalid', detail } }, what);
  }
  for (const path of ['/v1/hold', '/v1/resume', '/v1/release', '/v1/maintenance', '/v1/drain']) {
    const body = { ...(path === '/v1/maintenance' ? { on: true } : {}), service: 'shop' };
    t.match(await post(address, path, body), { status: 404, json: { code: 'service-unknown' } });
    const ours = { ...body, service: 'default' };
    const stale = await post(address, path, ours, { 'if-match': '"9"' });
    t.match(stale, { status: 412, json: { code: 'generation-mismatch' } }, path);
  }
  t.equal(pointer(), 1);
});

await t.test('a preview token opens the release that is idle, and no other', async (t) => {
  const { address, mood } = await openAdmin(t);
  const answer = await post(address, '/v1/preview', { for: '1h' });
  t.match(answer, {
    status: 200,
    json: {
      service: 'default',
      color: 'green',
      release: 'v2',
      field: 'x-turnout-preview',
      cookie: 'turnout-~preview',
      listen: null,
    },
  });
  const { token, expiresAt } = answer.json as { token: string; expiresAt: string };
  const scope = { service: 'default', deployment: 2, previewSeries: 0 };
  const signer = previewSigner(TEST_KEYS);
  const endS = Date.parse(expiresAt) / 1_000;
  t.ok(Math.abs(endS - Date.now() / 1_000 - 3_600) < 600, expiresAt);
  t.strictSame(
    [claimedDeployment(token, endS - 1), claimedDeployment(token, endS)],
    [2, undefined],
    'until its time',
  );
  t.equal(opensPreview(signer, token, scope), true);
  t.equal(opensPreview(signer, token, { ...scope, deployment: 1 }), false);
  t.equal(opensPreview(signer, token, { ...scope, previewSeries: 1 }), false);

  await put(address, '/v1/releases/green', { release: 'v9', targets: ['http://127.0.0.1:3009'] });
  const next = (await post(address, '/v1/preview', {})).json as { token: string; release: string };
  t.equal(next.release, 'v9');
  const nextScope = { ...scope, deployment: 3 };
  t.equal(opensPreview(signer, token, nextScope), false);
  t.equal(opensPreview(signer, next.token, nextScope), true);

  mood.previewAddress = { kind: 'tcp', host: '127.0.0.1', port: 8082 };
  t.match((await post(address, '/v1/preview', {})).json, { listen: '127.0.0.1:8082' });
});

await t.test('a preview follows the active color, and names its service', async (t) => {
  const services = [serviceConfig(), serviceConfig({ name: 'shop' })];
  const { address } = await openAdmin(t, { services });
  t.match(await post(address, '/v1/preview', {}), { json: { code: 'service-required' } });
  await post(address, '/v1/switch', { service: 'shop' });
  t.match((await post(address, '/v1/preview', { service: 'shop' })).json, {
    service: 'shop',
    color: 'blue',
    release: 'v1',
  });
});

await t.test('a switch with a hold waits for the others, then answers as usual', async (t) => {
  const { address, switchboard } = await openAdmin(t, { services: [STICKY] });
  t.match(await post(address, '/v1/switch', { hold: '60s' }), {
    status: 200,
    headers: { etag: '"2"' },
    json: { generation: 2, from: 'blue', to: 'green', changed: true },
  });
  const [drain] = only(switchboard.table).draining;
  t.equal(drain?.sessionsUntilMs, drain?.startedAtMs);
});

await t.test('a switch whose hold runs out says what was left and changes nothing', async (t) => {
  const { address, switchboard, count } = await openAdmin(t);
  count(only(switchboard.table).blue.block, BLOCK.inflight, 2);
  t.match(await post(address, '/v1/switch', { hold: '1ms' }), {
    status: 409,
    json: { code: 'hold-timeout', requests: 2, tunnels: 0 },
  });
  t.match(await serviceOf(address), { active: 'blue', held: null });
});

await t.test('a rollback takes all sessions back, or leaves new ones where they are', async (t) => {
  for (const [body, isOver] of [
    [{}, true],
    [{ restick: 'new' }, false],
    [{ restick: 'all' }, true],
  ] as const) {
    const { address, switchboard } = await openAdmin(t, { services: [STICKY] });
    await post(address, '/v1/switch', {});
    t.match(await post(address, '/v1/rollback', body), { status: 200, json: { to: 'blue' } });
    const [drain] = only(switchboard.table).draining;
    const what = JSON.stringify(body);
    t.equal(drain!.sessionsUntilMs === drain!.startedAtMs, isOver, what);
  }
});

await t.test('every answer has the shape that the document tells', async (t) => {
  const { address, drains, hooks } = await openAdmin(t, { services: [STICKY] });
  hooks.onPublished = (table) => drains.follow(table);
  const release = { release: 'v9', targets: ['http://127.0.0.1:3009'] };
  const blue = { release: 'v10', targets: ['http://127.0.0.1:3010'] };
  const calls: readonly (readonly [string, () => Promise<Answer>])[] = [
    ['PUT /v1/releases/green', async () => put(address, '/v1/releases/green', release)],
    ['POST /v1/hold', async () => post(address, '/v1/hold', {})],
    ['POST /v1/preview', async () => post(address, '/v1/preview', {})],
    ['GET /v1/status', async () => ask(address, '/v1/status')],
    ['POST /v1/resume', async () => post(address, '/v1/resume', {})],
    ['POST /v1/release', async () => post(address, '/v1/release', {})],
    ['POST /v1/switch', async () => post(address, '/v1/switch', { hold: '1s' })],
    ['PUT /v1/releases/blue', async () => put(address, '/v1/releases/blue', blue)],
    ['GET /v1/drain', async () => ask(address, '/v1/drain')],
    ['POST /v1/maintenance', async () => post(address, '/v1/maintenance', { on: true })],
    ['POST /v1/rollback', async () => post(address, '/v1/rollback', { restick: 'all' })],
    ['POST /v1/drain', async () => post(address, '/v1/drain', {})],
    ['GET /v1/drain', async () => ask(address, '/v1/drain')],
    ['GET /v1/status', async () => ask(address, '/v1/status')],
    ['GET /v1/history', async () => ask(address, '/v1/history')],
  ];
  for (const [name, call] of calls) {
    const { status, json } = await call();
    t.equal(status, 200, name);
    const { answer } = ROUTES.find(({ method, path }) => `${method} ${path}` === name)!;
    const shape = answer.type === 'application/json' ? answer.schema : undefined;
    t.match(shape?.safeParse(json), { success: true }, `${name}: ${JSON.stringify(json)}`);
  }
});

interface BodyShape {
  readonly properties: object;
  readonly required?: string[];
}

interface Operation {
  readonly parameters: readonly { readonly name: string }[];
  readonly requestBody?: {
    content: Record<string, { schema: { readonly $ref: string } }>;
  };
  readonly responses: Record<string, { readonly description: string }>;
}

await t.test('the document tells bodies, queries and refusals of the new routes', async (t) => {
  const { address } = await openAdmin(t);
  const { paths, components } = (await ask(address, '/v1/openapi.json')).json as {
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, BodyShape> };
  };
  const bodyOf = (path: string, method: string) => {
    const body = paths[path]?.[method]?.requestBody?.content['application/json']?.schema;
    return components.schemas[body?.$ref.replace('#/components/schemas/', '') ?? ''];
  };
  const members = (path: string, method = 'post') =>
    Object.keys(bodyOf(path, method)?.properties ?? {});
  t.same(members('/v1/releases/green', 'put'), [
    'release',
    'targets',
    'evict',
    'unlock',
    'metadata',
    'schema',
    'service',
    'reason',
    'dryRun',
  ]);
  t.same(bodyOf('/v1/releases/blue', 'put')?.required, ['release', 'targets']);
  const moved = ['force', 'reason'];
  const terms = ['plan', 'bake', 'guard', 'at', 'in', 'grace'];
  t.same(members('/v1/switch'), [
    'to',
    'service',
    'services',
    ...terms,
    ...moved,
    'hold',
    'migrate',
    'dryRun',
  ]);
  const back = ['restick', 'lockOut', 'dryRun'];
  t.same(members('/v1/rollback'), ['to', 'service', ...moved, ...back]);
  t.same(members('/v1/drain'), ['service', 'deployment', 'generation', 'reason']);
  t.same(members('/v1/hold'), ['service', 'reason', 'for', 'methods', 'wait', 'close']);
  for (const path of ['/v1/resume', '/v1/release']) t.same(members(path), ['service', 'reason']);
  const shut = ['on', 'message', 'retryAfter', 'wait', 'close', 'service', 'reason'];
  t.same(members('/v1/maintenance'), shut);
  t.same(bodyOf('/v1/maintenance', 'post')?.required, ['on']);
  t.same(members('/v1/preview'), ['service', 'of', 'for', 'lasting', 'reason']);
  t.same(members('/v1/preview/revoke'), ['service', 'of', 'reason']);
  const query = paths['/v1/drain']?.['get']?.parameters.map(({ name }) => name);
  t.same(query, ['service', 'deployment', 'generation', 'wait']);
  const put = paths['/v1/releases/green']!['put']!.responses;
  for (const code of ['color-active', 'address-in-use', 'no-slot']) {
    t.match(put['409']?.description, code);
  }
  t.match(put['400']?.description, 'target-invalid');
  t.match(paths['/v1/switch']!['post']!.responses['409']?.description, 'hold-timeout');
  t.match(paths['/v1/drain']!['post']!.responses['404']?.description, 'drain-unknown');
});

// The calls about rollouts, over a desk that remembers what it was asked.

import t, { type Test } from 'tap';
import type { RolloutView } from '../../../../../src/api/rollout-views.ts';
import { ROUTES } from '../../../../../src/control-plane/admin/routes/routes.ts';
import { rolloutView } from '../../../../support/rollout-view.ts';
import { FakeDesk, SWITCHED, viewOf } from '../../support/fake-desk.ts';
import { ask, openAdmin, post } from '../../support/admin.ts';
import { serviceConfig } from '../../support/fixtures.ts';
import { notes as notesOf } from '../../support/notes.ts';

async function openDesk(t: Test, views?: readonly RolloutView[]) {
  const desk = new FakeDesk();
  if (views !== undefined) desk.views = [...views];
  const services = [serviceConfig({ name: 'shop' }), serviceConfig({ name: 'api' })];
  return { desk, ...(await openAdmin(t, { services, rollouts: desk })) };
}

const END = {
  outcome: 'done',
  cause: 'plan',
  reason: 'all of it',
  at: '2026-11-30T15:00:00.000Z',
  actor: '',
  restick: null,
  lockedOut: false,
} as const;

await t.test(
  'a view has the shape that the document tells, and its last event as tag',
  async (t) => {
    const { address } = await openDesk(t);
    const answer = await ask(address, '/v1/rollouts/r-118');
    t.match(answer, { status: 200, headers: { etag: '"12"' } });
    const { answer: shape } = ROUTES.find(({ path }) => path === '/v1/rollouts/:id')!;
    t.ok(shape.type === 'application/json' && shape.schema.safeParse(answer.json).success);
    const unknown = await ask(address, '/v1/rollouts/r-1');
    t.match(unknown, { status: 404, json: { code: 'rollout-unknown' } });
  },
);

await t.test('a rollout is started with all that was said, and answered 202', async (t) => {
  const { address, desk } = await openDesk(t);
  const answer = await post(address, '/v1/rollouts', {
    service: 'shop',
    release: 'v42',
    targets: ['http://10.0.0.1:3000'],
    plan: 'canary-10-5m',
    bake: '10m',
    guard: 'watch',
    gates: { skip: ['smoke'], reason: 'it is down' },
    reason: 'build 1182',
  });
  t.match(answer, { status: 202, json: { id: 'r-119' }, headers: { etag: '"5"' } });
  t.match(desk.started, [
    {
      services: ['shop'],
      registers: { release: 'v42', targets: ['http://10.0.0.1:3000'], evict: false },
      plan: 'canary-10-5m',
      bakeMs: 600_000,
      guard: 'watch',
      skips: { gates: ['smoke'], reason: 'it is down' },
      reason: 'build 1182',
      actor: 'loopback',
    },
  ]);
});

await t.test('a dry run is answered 200 and leaves its key free', async (t) => {
  const { address, desk } = await openDesk(t);
  const headers = { 'idempotency-key': 'one' };
  const body = { service: 'shop', dryRun: true };
  for (let i = 0; i < 2; i++) {
    const answer = await post(address, '/v1/rollouts', body, headers);
    t.match(answer, { status: 200, json: { id: null, dryRun: true, refusals: [] } });
  }
  t.equal(desk.started.length, 2);
});

await t.test(
  'a call with a key starts one rollout, and its repetition hears the same',
  async (t) => {
    const { address, desk } = await openDesk(t);
    const headers = { 'idempotency-key': 'one' };
    const first = await post(address, '/v1/rollouts', { service: 'shop' }, headers);
    const second = await post(address, '/v1/rollouts', { service: 'shop' }, headers);
    t.same(second.json, first.json);
    t.match(second, { status: 202, headers: { 'idempotent-replayed': 'true' } });
    t.equal(desk.started.length, 1);
  },
);

await t.test('what does not fit together is refused before anything is asked', async (t) => {
  const { address, desk } = await openDesk(t);
  for (const body of [
    { service: 'shop', release: 'v42' },
    { service: 'shop', targets: ['http://10.0.0.1:3000'] },
    { service: 'shop', services: ['shop', 'api'] },
    { service: 'shop', bake: 'long' },
    { service: 'shop', guard: 'promote' },
    { service: 'shop', gates: { skip: ['smoke'] } },
    { service: 'shop', gates: { skip: ['smoke'], reason: ' ' } },
    { service: 'shop', command: ['rm', '-rf', '/'] },
  ]) {
    const answer = await post(address, '/v1/rollouts', body);
    t.match(answer, { status: 400, json: { code: 'body-invalid' } }, JSON.stringify(body));
  }
  t.same(desk.started, []);
});

await t.test('each act comes to the desk with its reason and its members', async (t) => {
  const { address, desk } = await openDesk(t);
  const calls: readonly (readonly [string, object, object])[] = [
    ['approve', { gate: 'mia' }, { kind: 'approve', gate: 'mia' }],
    ['reject', {}, { kind: 'reject', gate: undefined }],
    ['pause', {}, { kind: 'pause' }],
    ['resume', {}, { kind: 'resume' }],
    ['skip', {}, { kind: 'skip' }],
    ['promote', {}, { kind: 'promote' }],
    [
      'abort',
      { restick: 'new', ramp: '30s', lockOut: false },
      { kind: 'abort', restick: 'new', rampMs: 30_000, lockOut: false },
    ],
    ['point-of-no-return', { on: true }, { kind: 'point-of-no-return', on: true }],
  ];
  for (const [word, body, act] of calls) {
    const answer = await post(address, `/v1/rollouts/r-118/${word}`, { ...body, reason: 'why' });
    t.match(answer, { status: 200, json: { id: 'r-118' }, headers: { etag: '"12"' } }, word);
    t.same(desk.acts.pop(), { ...act, reason: 'why', actor: 'loopback', service: 'shop' }, word);
  }
  const noReason = await post(address, '/v1/rollouts/r-118/promote', {});
  t.match(noReason, { status: 400, json: { detail: /reason/ } });
});

await t.test('an act whose caller has not seen the last event is refused', async (t) => {
  const { address, desk } = await openDesk(t);
  const path = '/v1/rollouts/r-118/approve';
  const late = await post(address, path, {}, { 'if-match': '"11"' });
  t.match(late, { status: 412, json: { code: 'generation-mismatch', event: 12 } });
  t.same(desk.acts, []);
  t.match(await post(address, path, {}, { 'if-match': '"12"' }), { status: 200 });
});

await t.test('a call that waits is answered at the next event', async (t) => {
  const { address, desk } = await openDesk(t);
  const waits: (readonly [string, number])[] = [];
  desk.onWait = (id, event) => {
    waits.push([id, event]);
    desk.views = [rolloutView({ event: 13, stage: 'baking' })];
  };
  const answer = await ask(address, '/v1/rollouts/current?wait=5m');
  t.match(answer, { status: 200, json: { stage: 'baking' }, headers: { etag: '"13"' } });
  await ask(address, '/v1/rollouts/r-118?wait=5m&after=4');
  t.same(waits, [
    ['r-118', 12],
    ['r-118', 4],
  ]);
  const endless = await ask(address, '/v1/rollouts/r-118?wait=11m');
  t.match(endless, { status: 400, json: { code: 'query-invalid' } });
  const over = await ask(address, '/v1/rollouts/r-118?wait=1ms');
  t.match(over, { status: 200, json: { event: 13 } }, 'or after this long');
});

await t.test(
  '"current" is the one that goes on, and needs a service where several do',
  async (t) => {
    const { address, desk } = await openDesk(t, [
      viewOf('r-3', ['shop']),
      viewOf('r-2', ['shop'], { stage: 'draining' }),
      viewOf('r-1', ['api'], { stage: 'done', end: END }),
    ]);
    const current = async (query = '') => ask(address, `/v1/rollouts/current${query}`);
    t.match(await current(), { json: { id: 'r-3' } }, 'one that only drains gives way');
    t.match(await current('?service=api'), { status: 404, json: { code: 'rollout-unknown' } });
    desk.views.push(viewOf('r-4', ['api']));
    t.match(await current(), { status: 400, json: { services: ['shop', 'api'] } });
    t.match(await current('?service=api'), { json: { id: 'r-4' } });
    desk.views = [viewOf('r-2', ['shop'], { stage: 'draining' })];
    t.match(await current(), { json: { id: 'r-2' } });
  },
);

await t.test('a series has the shape that the document tells', async (t) => {
  const { address } = await openDesk(t, [viewOf('r-3', ['shop'])]);
  for (const id of ['r-3', 'current']) {
    const answer = await ask(address, `/v1/rollouts/${id}/series`);
    t.match(answer, { status: 200, json: { id: 'r-3', services: [{ service: 'shop' }] } });
    const { answer: shape } = ROUTES.find(({ path }) => path === '/v1/rollouts/:id/series')!;
    t.ok(shape.type === 'application/json' && shape.schema.safeParse(answer.json).success);
  }
  const unknown = await ask(address, '/v1/rollouts/r-9/series');
  t.match(unknown, { status: 404, json: { code: 'rollout-unknown' } });
});

await t.test('a list is bounded, and tells of active ones alone if asked', async (t) => {
  const { address } = await openDesk(t, [
    viewOf('r-3', ['shop']),
    viewOf('r-2', ['api']),
    viewOf('r-1', ['shop'], { stage: 'done', end: END }),
  ]);
  const ids = async (query: string) => {
    const { json } = await ask(address, `/v1/rollouts${query}`);
    return (json as { rollouts: RolloutView[] }).rollouts.map(({ id }) => id);
  };
  t.same(await ids(''), ['r-3', 'r-2', 'r-1']);
  t.same(await ids('?active=true'), ['r-3', 'r-2']);
  t.same(await ids('?active=false'), ['r-1']);
  t.same(await ids('?service=shop&limit=1'), ['r-3']);
  t.match(await ask(address, '/v1/rollouts?limit=201'), { status: 400 });
});

await t.test('a token of one service sees and steers the rollouts of that one alone', async (t) => {
  const { address, desk, tokens } = await openDesk(t, [
    viewOf('r-3', ['shop']),
    viewOf('r-2', ['api']),
    viewOf('r-1', ['shop', 'api']),
  ]);
  const wanted = { name: 'shopper', role: 'switch', services: ['shop'] } as const;
  const { text } = await tokens.create({ ...wanted, lifeMs: undefined }, () => notesOf());
  const headers = { authorization: `Bearer ${text}` };
  const look = async (path: string) => ask(address, path, { headers });
  t.match((await look('/v1/rollouts')).json, { rollouts: [{ id: 'r-3' }] });
  t.notMatch((await look('/v1/rollouts')).text, /"api"/);
  t.match(await look('/v1/rollouts/current'), { json: { id: 'r-3' } });
  t.match(await look('/v1/rollouts/r-2'), { status: 404, json: { code: 'rollout-unknown' } });
  t.match(await look('/v1/rollouts/r-1'), { status: 403, json: { code: 'forbidden' } });
  for (const [id, status] of [
    ['r-3', 200],
    ['r-2', 404],
    ['r-1', 403],
  ] as const) {
    t.match(await look(`/v1/rollouts/${id}/series`), { status }, `series of ${id}`);
    t.match(await post(address, `/v1/rollouts/${id}/abort`, {}, headers), { status }, id);
  }
  t.same(
    desk.acts.map(({ actor }) => actor),
    ['shopper'],
  );
  const both = await post(address, '/v1/rollouts', { services: ['shop', 'api'] }, headers);
  t.match(both, { status: 403, json: { code: 'forbidden' } });
  const reader = { ...wanted, name: 'reader', role: 'read' } as const;
  const read = await tokens.create({ ...reader, lifeMs: undefined }, () => notesOf());
  const readHeaders = { authorization: `Bearer ${read.text}` };
  t.match(await ask(address, '/v1/rollouts/r-3', { headers: readHeaders }), { status: 200 });
  const refused = await post(address, '/v1/rollouts/r-3/approve', {}, readHeaders);
  t.match(refused, { status: 403, json: { code: 'forbidden' } });
});

await t.test('every act is in the audit log, also one that was refused', async (t) => {
  const { address, audit } = await openDesk(t);
  await post(address, '/v1/rollouts/r-118/pause', { reason: 'lunch' });
  await post(address, '/v1/rollouts/r-1/pause', { reason: 'lunch' });
  const entries = await audit.latest({ services: undefined, before: undefined, limit: 10 });
  t.match(entries, [
    { action: 'POST /v1/rollouts/r-1/pause', outcome: 'refused', code: 'rollout-unknown' },
    { action: 'POST /v1/rollouts/r-118/pause', outcome: 'done', reason: 'lunch' },
  ]);
});

await t.test('a switch with a plan is answered when its first step is in force', async (t) => {
  const { address, desk } = await openDesk(t);
  const body = { service: 'shop', plan: 'canary-10-5m', bake: '0s', guard: 'off' };
  const answer = await post(address, '/v1/switch', body);
  t.match(answer, { status: 200, json: { rollout: { id: 'r-119', share: 10 } } });
  t.match(desk.switches, [{ plan: 'canary-10-5m', bakeMs: 0, guard: 'off', service: 'shop' }]);
  const several = await post(address, '/v1/switch', { services: ['shop', 'api'] });
  t.match(several, {
    status: 200,
    json: { rollout: { id: 'r-119' }, services: [{ to: 'green' }] },
  });
});

await t.test('a switch that waits for gates is answered 202: nothing has moved yet', async (t) => {
  const { address, desk } = await openDesk(t);
  const rollout = { id: 'r-119', stage: 'testing', share: 0 } as const;
  desk.switched = { ...SWITCHED, changed: false, rollout };
  const answer = await post(address, '/v1/switch', { service: 'shop' });
  t.match(answer, { status: 202, json: { changed: false, rollout } });
});

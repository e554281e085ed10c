// Calls with an `Idempotency-Key`.

import { restartClock } from '../../../../../src/base/clock.ts';
import t, { type Test } from 'tap';
import { mock } from 'node:test';
import { IDEMPOTENCY_KEY_CHARS_MAX } from '../../../../../src/api/api-limits.ts';
import {
  IDEMPOTENCY_LIFE_MS,
  IDEMPOTENCY_ROWS_MAX,
} from '../../../../../src/control-plane/base/control-limits.ts';
import { SqliteAnswers } from '../../../../../src/control-plane/store/sqlite/sqlite-answers.ts';
import { migrate } from '../../../../../src/control-plane/store/sqlite/sqlite-schema.ts';
import { DatabaseSync } from 'node:sqlite';
import { ask, openAdmin, post, put, type Answer } from '../../support/admin.ts';
import { DOWN, notReady } from '../../support/board.ts';
import { notes } from '../../support/notes.ts';

async function open(t: Test) {
  const admin = await openAdmin(t);
  const { address } = admin;
  const send = async (path: string, body: unknown, key: string): Promise<Answer> =>
    post(address, path, body, { 'idempotency-key': key });
  return { ...admin, send };
}

await t.test('a repeated call gets the very same answer and changes nothing', async (t) => {
  const { send, pointer, store } = await open(t);
  const first = await send('/v1/switch', { to: 'green' }, 'k1');
  t.match(first, { status: 200, json: { generation: 2, changed: true } });
  t.equal(first.headers['idempotent-replayed'], undefined);
  await send('/v1/switch', { to: 'blue' }, 'k2');
  const again = await send('/v1/switch', { to: 'green' }, 'k1');
  t.equal(again.text, first.text, 'byte for byte');
  t.match(again, { status: 200, headers: { etag: '"2"', 'idempotent-replayed': 'true' } });
  t.equal(again.headers['content-type'], first.headers['content-type']);
  t.equal(pointer(), 3);
  const [entry] = store.audit.latest({ services: undefined, before: undefined, limit: 1 });
  t.match(entry?.text, /"outcome":"unchanged".*answered again, as asked with the key k1/);
});

await t.test('every kind of change keeps its answer', async (t) => {
  const { address, send } = await open(t);
  const rows = [
    ['/v1/hold', { for: '1s' }],
    ['/v1/release', {}],
    ['/v1/freeze', { reason: 'sale' }],
    ['/v1/freeze', { reason: 'sale' }],
    ['/v1/unfreeze', {}],
    ['/v1/unlock', {}],
    ['/v1/maintenance', { on: true }],
    ['/v1/maintenance', { on: true }],
    ['/v1/switch', { to: 'blue' }],
  ] as const;
  for (const [index, [path, body]] of rows.entries()) {
    const first = await send(path, body, `k${index}`);
    const again = await send(path, body, `k${index}`);
    t.equal(first.status, 200, path);
    t.strictSame([again.status, again.text], [200, first.text], path);
    t.equal(again.headers['idempotent-replayed'], 'true');
  }
  const preview = await send('/v1/preview', { for: '1h' }, 'preview');
  const repeated = await send('/v1/preview', { for: '1h' }, 'preview');
  t.equal(preview.status, 200);
  t.strictSame(
    repeated.json,
    { ...(preview.json as object), token: null },
    'but for a secret, which is not stored',
  );
  const headers = { 'idempotency-key': 'release' };
  const body = { release: 'v9', targets: ['http://127.0.0.1:3999'] };
  const first = await put(address, '/v1/releases/green', body, headers);
  const again = await put(address, '/v1/releases/green', body, headers);
  t.strictSame([first.status, again.text], [200, first.text]);
});

await t.test(
  'a refused or failed call leaves its key free: the next try may be made',
  async (t) => {
    const { send, ail, health, workers, store } = await open(t);
    ail(3003, DOWN);
    const refused = await send('/v1/switch', { to: 'green' }, 'k1');
    t.match(refused, { status: 409, json: { code: 'target-unhealthy' } });
    const again = await send('/v1/switch', { to: 'green' }, 'k1');
    t.match(again, { status: 409, json: { code: 'target-unhealthy' } });
    t.equal(again.headers['idempotent-replayed'], undefined, 'it was looked at anew');
    health.clear();
    const made = await send('/v1/switch', { to: 'green' }, 'k1');
    t.match(made, { status: 200, json: { changed: true } }, 'the reason is over');
    t.equal(
      (await send('/v1/switch', { to: 'green' }, 'k1')).text,
      made.text,
      'that is remembered',
    );

    t.match(await send('/v1/switch', { to: 7.5 }, 'k2'), { status: 400 });
    t.match(
      await send('/v1/switch', { to: 'blue' }, 'k2'),
      { status: 200 },
      'also for another call',
    );

    workers.onPrepare = async () => {
      throw notReady();
    };
    t.match(await send('/v1/switch', { to: 'green' }, 'k3'), { status: 503 });
    workers.onPrepare = async () => {};
    t.match(await send('/v1/switch', { to: 'green' }, 'k3'), {
      status: 200,
      json: { changed: true },
    });
    const rows = store.database.prepare('SELECT key FROM answers ORDER BY key').all();
    t.strictSame(
      rows.map((row) => row['key']),
      ['k1', 'k2', 'k3'],
    );
  },
);

await t.test('one key stands for one call', async (t) => {
  const { address, tokens, pointer, send } = await open(t);
  await send('/v1/switch', { to: 'green' }, 'k1');
  const others: readonly Promise<Answer>[] = [
    send('/v1/switch', { to: 'blue' }, 'k1'),
    send('/v1/switch?service=default', { to: 'green' }, 'k1'),
    send('/v1/rollback', { to: 'green' }, 'k1'),
    send('/v1/switch', '{"to": "green"}', 'k1'),
  ];
  for (const answer of await Promise.all(others)) {
    t.match(answer, { status: 422, json: { code: 'idempotency-mismatch' } });
  }
  const wanted = { name: 'ci', role: 'switch', services: [], lifeMs: undefined } as const;
  const { text } = await tokens.create(wanted, () => notes());
  const headers = { 'idempotency-key': 'k1', authorization: `Bearer ${text}` };
  const other = await post(address, '/v1/switch', { to: 'green' }, headers);
  t.match(other, { status: 422 }, 'another caller');
  t.equal(pointer(), 2);
});

await t.test('while the first call runs, the second one is told so', async (t) => {
  const { send, workers } = await open(t);
  const isPrepared = Promise.withResolvers<void>();
  const began = Promise.withResolvers<void>();
  workers.onPrepare = async () => {
    began.resolve();
    await isPrepared.promise;
  };
  const first = send('/v1/switch', { to: 'green' }, 'k1');
  await began.promise;
  t.match(await send('/v1/switch', { to: 'green' }, 'k1'), {
    status: 409,
    json: { code: 'idempotency-running' },
  });
  isPrepared.resolve();
  t.equal((await first).status, 200);
  t.match(await send('/v1/switch', { to: 'green' }, 'k1'), {
    status: 200,
    text: (await first).text,
  });
});

await t.test('of many calls at once with one key, one is made', async (t) => {
  const { send, pointer } = await open(t);
  const answers = await Promise.all(
    Array.from({ length: 20 }, async () => send('/v1/switch', {}, 'same')),
  );
  for (const { status } of answers) t.ok(status === 200 || status === 409);
  t.equal(pointer(), 2);
});

await t.test('a key is short and printable', async (t) => {
  const { address, send, pointer } = await open(t);
  const long = 'x'.repeat(IDEMPOTENCY_KEY_CHARS_MAX);
  for (const bad of ['', 'a b', 'ü', `${long}x`, 'tab\there']) {
    const answer = await send('/v1/switch', {}, bad);
    t.match(answer, { status: 400, json: { code: 'idempotency-key-malformed' } }, bad.slice(0, 9));
  }
  t.equal(pointer(), 1);
  t.equal((await send('/v1/switch', {}, long)).status, 200);
  const read = await ask(address, '/v1/status', { headers: { 'idempotency-key': 'a b' } });
  t.equal(read.status, 200, 'a call that changes nothing needs none');
});

await t.test('after a day a key is as good as new', async (t) => {
  const { send, pointer } = await open(t);
  mock.timers.enable({ apis: ['Date'], now: Date.now() });
  restartClock();
  t.teardown(() => mock.timers.reset());
  await send('/v1/switch', { to: 'green' }, 'k1');
  mock.timers.tick(IDEMPOTENCY_LIFE_MS - 1);
  t.match(await send('/v1/switch', { to: 'green' }, 'k1'), {
    headers: { 'idempotent-replayed': 'true' },
  });
  mock.timers.tick(1);
  t.match(await send('/v1/switch', { to: 'blue' }, 'k1'), { status: 200, json: { to: 'blue' } });
  t.equal(pointer(), 3);
});

await t.test(
  'if the process dies right after the change, its answer is there already',
  async (t) => {
    const { send, store } = await open(t);
    // As if the write that completes the answer never came.
    Object.assign(store.answers, {
      complete: () => {
        throw new Error('too late');
      },
    });
    const first = await send('/v1/switch', { to: 'green' }, 'k1');
    const again = await send('/v1/switch', { to: 'green' }, 'k1');
    t.equal(first.status, 200);
    t.match(again, {
      status: 200,
      json: { generation: 2, to: 'green', changed: true, tookMs: Number },
    });
    t.same(Object.keys(again.json as object), Object.keys(first.json as object));
  },
);

await t.test('answers are kept up to their bound, the latest ones', async (t) => {
  const database = new DatabaseSync(':memory:');
  migrate(database);
  const answers = new SqliteAnswers(database, 10);
  const add = (key: string, atMs: number, actor = 'ops'): void =>
    answers.add({ key, digest: '', actor, atMs, status: 200, generation: 1, body: key });
  for (let index = 0; index < 25; index++) add(`k${index}`, 1_000 + index);
  t.equal(answers.find('k14', 0), undefined);
  t.match(answers.find('k15', 0), { body: 'k15' });
  t.ok(IDEMPOTENCY_ROWS_MAX > 10);
  add('late', 1_000 + IDEMPOTENCY_LIFE_MS + 20);
  t.equal(answers.find('k20', 0), undefined, 'older than a day');
  t.match(answers.find('k21', 0), { body: 'k21' });
});

await t.test('who has most answers pushes out none but his own', async (t) => {
  const database = new DatabaseSync(':memory:');
  migrate(database);
  const answers = new SqliteAnswers(database, 10);
  const add = (key: string, atMs: number, actor: string): void =>
    answers.add({ key, digest: '', actor, atMs, status: 200, generation: 1, body: key });
  add('honest', 1_000, 'ops');
  for (let index = 0; index < 50; index++) add(`k${index}`, 2_000 + index, 'ci');
  t.match(answers.find('honest', 0), { actor: 'ops' });
  t.equal(answers.find('k40', 0), undefined);
  t.match(answers.find('k41', 0), { actor: 'ci' });
});

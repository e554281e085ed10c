// What stands in the audit log, and how it is read.

import { restartClock } from '../../../../../src/base/clock.ts';
import { once } from 'node:events';
import { connect } from 'node:net';
import { mock } from 'node:test';
import t from 'tap';
import type { ListenAddress } from '../../../../../src/contract/worker-settings.ts';
import { auditText, cut } from '../../../../../src/control-plane/admin/calls/audit-text.ts';
import { AUDIT_LIMIT_DEFAULT } from '../../../../../src/api/api-limits.ts';
import {
  ADMIN_BODY_BYTES_MAX,
  AUDIT_ACTION_CHARS_MAX,
  AUDIT_ALIKE_MAX,
  AUDIT_DETAIL_CHARS_MAX,
  AUDIT_REQUEST_CHARS_MAX,
  AUTH_FAILURES_MAX,
  AUTH_FAILURES_WINDOW_MS,
} from '../../../../../src/control-plane/base/control-limits.ts';
import type { Tokens } from '../../../../../src/control-plane/access/tokens.ts';
import { ask, openAdmin, post } from '../../support/admin.ts';
import { DOWN, notReady } from '../../support/board.ts';
import { serviceConfig } from '../../support/fixtures.ts';
import { notes } from '../../support/notes.ts';

const ALL = { services: undefined, before: undefined, limit: 1_000 };
const TWO = [serviceConfig(), serviceConfig({ name: 'shop' })];
const UNKNOWN = `Bearer turnout_${'0'.repeat(12)}_${'A'.repeat(43)}`;

async function make(tokens: Tokens, name: string) {
  const wanted = { name, role: 'admin', services: [], lifeMs: undefined } as const;
  return tokens.create(wanted, () => notes({ reason: 'for the test' }));
}

await t.test(
  'a change is written down with who, where, what, why and what came of it',
  async (t) => {
    const { address, ail, workers, audit, tokens } = await openAdmin(t);
    await post(address, '/v1/switch', { to: 'green', reason: 'release day' });
    await post(address, '/v1/switch', { to: 'green' });
    ail(3001, DOWN);
    await post(address, '/v1/switch?service=default', { to: 'blue' });
    workers.onPrepare = async () => {
      throw notReady();
    };
    await post(address, '/v1/switch', { to: 'blue', force: true, reason: 'try' });
    workers.onPrepare = async () => {};
    const { text } = await make(tokens, 'ci');
    const authorization = `Bearer ${text}`;
    await post(address, '/v1/maintenance', { on: true, reason: 'night' }, { authorization });
    const common = { address: '127.0.0.1', service: 'default', count: 1 };
    t.match((await audit.latest(ALL)).toReversed(), [
      {
        ...common,
        seq: 1,
        actor: 'loopback',
        action: 'POST /v1/switch',
        request: '{"to":"green","reason":"release day"}',
        reason: 'release day',
        outcome: 'done',
        code: '',
        detail: '',
        status: 200,
        generation: 2,
      },
      { ...common, outcome: 'unchanged', status: 200, generation: 2 },
      {
        ...common,
        outcome: 'refused',
        code: 'target-unhealthy',
        detail: /3001 is down \(connection refused\)/,
        status: 409,
        generation: 2,
      },
      { ...common, outcome: 'failed', code: 'workers-not-ready', status: 503, generation: 2 },
      { reason: 'for the test' },
      {
        ...common,
        actor: 'ci',
        action: 'POST /v1/maintenance',
        reason: 'night',
        outcome: 'done',
        generation: 3,
      },
    ]);
    t.match(await audit.verify(), { state: /^ok$/, checked: 6 });
  },
);

await t.test('what the process does by itself is its own', async (t) => {
  const { switchboard, audit, address } = await openAdmin(t);
  await post(address, '/v1/switch', {});
  const { number } = switchboard.table.services[0]!.draining[0]!.deployment;
  const own = {
    service: 'default',
    force: false,
    reason: '',
    ifMatch: undefined,
    actor: 'turnout',
  };
  await switchboard.endDrains(own, new Set([number]));
  t.match((await audit.latest(ALL))[0], {
    actor: 'turnout',
    address: '',
    action: 'drains ended',
    service: 'default',
    outcome: 'done',
    generation: 2,
  });
});

await t.test('what never became a call is written down too', async (t) => {
  const { address, audit } = await openAdmin(t);
  await ask(address, '/v1/switch', { method: 'POST', body: '{}' });
  await post(address, '/v1/switch', '{"to":');
  await post(address, '/v1/switch', `{"to":"${'x'.repeat(ADMIN_BODY_BYTES_MAX)}"}`);
  await post(address, '/v1/nothing', {});
  await post(address, '/v1/status', {});
  await post(address, '/v1/%zz', {});
  await post(address, '/v1/switch', '['.repeat(20_000) + ']'.repeat(20_000));
  await post(address, '/v1/switch', {}, { 'if-match': 'x' });
  await sendBytes(
    address,
    'POST /v1/switch HTTP/1.1\r\nhost: localhost\r\nhost: x\r\na b: c\r\n\r\n',
  );
  const smuggled = 'POST /v1/switch HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n';
  await sendBytes(address, `${smuggled}transfer-encoding: chunked\r\n\r\n0\r\n\r\n`);
  await sendBytes(address, 'GET /livez HTTP/1.1\r\nhost: localhost\r\na b: c\r\n\r\n');
  await sendBytes(address, '\u0016\u0003\u0001\u0002\u0000');
  t.match(
    (await audit.latest(ALL)).toReversed().map(({ action, code }) => [action, code]),
    [
      ['POST /v1/switch', 'content-type-not-json'],
      ['POST /v1/switch', 'json-malformed'],
      ['POST /v1/switch', 'body-too-large'],
      ['POST /v1/nothing', 'not-found'],
      ['POST /v1/status', 'method-not-allowed'],
      ['POST /v1/%zz', 'request-malformed'],
      ['POST /v1/switch', 'body-invalid'],
      ['POST /v1/switch', 'if-match-malformed'],
      ['POST ?', 'request-malformed'],
      ['POST ?', 'request-malformed'],
    ],
  );
  t.equal((await audit.latest(ALL)).length, 10, 'and nothing else');
});

/** Sends bytes and resolves at the end of the connection. */
async function sendBytes(address: ListenAddress, bytes: string): Promise<void> {
  const socket = connect(address.kind === 'tcp' ? address.port : 0, '127.0.0.1');
  socket.on('error', () => {}); // A refusal may be followed by a reset.
  socket.resume();
  socket.write(bytes, 'latin1');
  await once(socket, 'close');
}

await t.test('reading is not written down', async (t) => {
  const { address, audit } = await openAdmin(t);
  for (const path of ['/v1/status', '/v1/history', '/v1/audit', '/livez', '/metrics', '/nope']) {
    await ask(address, path);
    await ask(address, path, { method: 'HEAD' });
  }
  await ask(address, '/v1/status', { headers: { authorization: UNKNOWN } });
  t.same(await audit.latest(ALL), []);
});

await t.test('the log is read by number, by service, and checked on the way', async (t) => {
  const services = [serviceConfig(), serviceConfig({ name: 'shop' })];
  const { address } = await openAdmin(t, { services });
  for (let index = 0; index < 60; index++) {
    await post(address, `/v1/switch?service=${index % 3 === 0 ? 'shop' : 'default'}`, {});
  }
  const read = async (query: string) => (await ask(address, `/v1/audit${query}`)).json as Audit;
  const plain = await read('');
  t.equal(plain.entries.length, AUDIT_LIMIT_DEFAULT);
  t.match(plain, { chain: null, entries: [{ seq: 60, at: /^2.*Z$/, hash: /^[0-9a-f]{64}$/ }] });
  t.same(
    (await read('?limit=2&before=10')).entries.map(({ seq }) => seq),
    [9, 8],
  );
  t.same(
    (await read('?limit=2&service=shop')).entries.map(({ seq }) => seq),
    [58, 55],
  );
  t.same((await read('?service=nobody')).entries, []);
  t.match((await read('?verify=true&limit=1')).chain, {
    state: 'ok',
    checked: 60,
    head: { seq: 60, hash: plain.entries[0]!.hash },
    noted: null,
    brokenAt: null,
    fault: null,
  });
  const noted = `60:${plain.entries[0]!.hash}`;
  t.match((await read(`?head=${noted}`)).chain, { state: 'ok', noted: 'found' }, 'asks for all');
  t.match((await read(`?head=${noted.toUpperCase()}`)).chain, { noted: 'found' });
  t.match((await read(`?head=${noted.replace('60', '59')}`)).chain, {
    state: 'broken',
    brokenAt: 59,
    noted: 'missing',
    fault: 'it is not the entry that was noted',
  });
  for (const head of ['', '60', `60:${'f'.repeat(63)}`, `x${noted}`, `${noted}f`, `-${noted}`]) {
    t.match(await ask(address, `/v1/audit?head=${head}`), { status: 400 }, head);
  }
  for (const query of ['limit=0', 'limit=1001', 'before=0', 'verify=yes', 'verify', 'x=1']) {
    t.match(await ask(address, `/v1/audit?${query}`), { status: 400 }, query);
  }
});

interface Audit {
  readonly entries: readonly { readonly seq: number; readonly hash: string }[];
  readonly chain: unknown;
}

await t.test('a chain that somebody has broken is told where', async (t) => {
  const { address, store } = await openAdmin(t);
  for (let index = 0; index < 5; index++) await post(address, '/v1/switch', {});
  store.database.exec(
    `UPDATE audit SET entry = replace(entry, 'loopback', 'somebody') WHERE seq = 3`,
  );
  t.match((await ask(address, '/v1/audit?verify=true')).json, {
    chain: { state: 'broken', brokenAt: 3, fault: /its hash does not fit/ },
  });
  t.equal((await post(address, '/v1/switch', {})).status, 200, 'which stops nobody');
});

await t.test(
  'secrets are left out, whatever they are called, and long texts are cut',
  async (t) => {
    const secret = 'hunter2';
    const bodies = [
      { token: secret },
      { nested: { apiKey: secret, list: [{ Password: secret }] } },
      { authorization: secret, cookie: secret, privateKey: secret, clientSecret: secret },
      { targets: [`http://user:${secret}@app:80/`, `https://${secret}@app`] },
      { reason: `see http://a:${secret}@b/c?d` },
      { token: [secret, { a: secret }] },
    ];
    for (const body of bodies) t.notMatch(auditText(body), secret, JSON.stringify(body));
    t.equal(auditText({ targets: ['http://u:p@h:1/p'] }), '{"targets":["http://…@h:1/p"]}');
    t.equal(auditText({ reason: 'a@b and //c' }), '{"reason":"a@b and //c"}');
    t.equal(auditText(undefined), '');
    t.equal(auditText({ a: 'x'.repeat(5_000) }).length, AUDIT_REQUEST_CHARS_MAX);
    t.equal(cut('abc', 3), 'abc');
    t.equal(cut('abcd', 3), 'ab…');
  },
);

await t.test('long paths and details are cut as well', async (t) => {
  const { address, audit } = await openAdmin(t);
  await post(address, `/v1/${'x'.repeat(5_000)}`, {});
  await post(address, '/v1/switch', { [`x${'y'.repeat(5_000)}`]: 1 });
  const [unknown, path] = await audit.latest(ALL);
  t.equal(path?.action.length, AUDIT_ACTION_CHARS_MAX);
  t.equal(unknown?.detail.length, AUDIT_DETAIL_CHARS_MAX);
  t.ok(cut('😀😀', 2).isWellFormed(), 'never through the middle of a surrogate pair');
});

await t.test('a token without the power pushes nothing out of the log', async (t) => {
  const { address, audit, tokens } = await openAdmin(t, { services: TWO });
  const wanted = { name: 'eye', role: 'read', services: [], lifeMs: undefined } as const;
  const { text: eye } = await tokens.create(wanted, () => notes({}));
  const scoped = { ...wanted, name: 'shop', role: 'switch', services: ['shop'] } as const;
  const { text: shop } = await tokens.create(scoped, () => notes({}));
  const before = (await audit.latest(ALL)).length;
  const calls = AUDIT_ALIKE_MAX + 20;
  for (let index = 0; index < calls; index++) {
    const authorization = `Bearer ${eye}`;
    t.equal((await post(address, '/v1/switch', {}, { authorization })).status, 403);
    t.equal((await post(address, `/v1/no${index}`, {}, { authorization })).status, 404);
    const key = { authorization: `Bearer ${shop}`, 'idempotency-key': `key-${index}` };
    const other = await post(address, '/v1/switch?service=default', {}, key);
    t.match(other, { status: 403, json: { code: 'forbidden' } });
  }
  const added = (await audit.latest(ALL)).slice(0, -before || undefined);
  t.equal(
    added.reduce((sum, { count }) => sum + count, 0),
    3 * calls,
    'each is counted',
  );
  t.equal(added.length, 3 * (AUDIT_ALIKE_MAX + 1));
  const free = { 'idempotency-key': 'key-0' };
  const taken = await post(address, '/v1/switch?service=default', {}, free);
  t.equal(taken.status, 200, 'and its keys are as good as new');
});

await t.test('the text of a token is in one answer, and nowhere else', async (t) => {
  const { address, store, log, audit } = await openAdmin(t);
  const wanted = {
    name: 'ci',
    role: 'switch',
    services: ['default'],
    life: '90d',
    reason: 'deploys',
  };
  const made = await post(address, '/v1/tokens', wanted, { 'idempotency-key': 'k1' });
  t.match(made, { status: 200, json: { name: 'ci', role: 'switch', token: /^turnout_/ } });
  const { token = '', id } = made.json as { token?: string; id: string };
  const again = await post(address, '/v1/tokens', wanted, { 'idempotency-key': 'k1' });
  t.match(again, { status: 200, json: { id, token: null } }, 'not even in a repeated one');
  const list = await ask(address, '/v1/tokens');
  t.match(list.json, { tokens: [{ id, name: 'ci', services: ['default'], revokedAt: null }] });
  const secret = token.slice(-43);
  t.notMatch(list.text, secret);
  t.notMatch(JSON.stringify(await audit.latest(ALL)), secret);
  t.notMatch(JSON.stringify(log.lines), secret);
  for (const table of ['audit', 'answers', 'tokens']) {
    t.notMatch(
      JSON.stringify(store.database.prepare(`SELECT * FROM ${table}`).all()),
      secret,
      table,
    );
  }
  const headers = { authorization: `Bearer ${token}` };
  t.equal((await post(address, '/v1/switch', {}, headers)).status, 200);
  t.match(await post(address, '/v1/tokens/revoke', { id }), { json: { id, revokedAt: /Z$/ } });
  t.match(await post(address, '/v1/switch', {}, headers), {
    status: 401,
    json: { code: 'unauthenticated', detail: /^the token ci was revoked at / },
  });
  t.match((await audit.latest(ALL))[0], {
    actor: 'ci',
    outcome: 'refused',
    code: 'unauthenticated',
  });
});

await t.test('tokens that cannot be made say why', async (t) => {
  const { address } = await openAdmin(t);
  const rows = [
    [{ name: 'ci', role: 'root' }, 400, 'body-invalid'],
    [{ name: 'c i', role: 'read' }, 400, 'body-invalid'],
    [{ name: '', role: 'read' }, 400, 'body-invalid'],
    [{ name: 'ci' }, 400, 'body-invalid'],
    [{ name: 'ci', role: 'read', life: '99999d' }, 400, 'body-invalid'],
    [{ name: 'ci', role: 'read', life: 'soon' }, 400, 'body-invalid'],
    [{ name: 'ci', role: 'read', services: ['nope'] }, 404, 'service-unknown'],
    [{ name: 'loopback', role: 'read' }, 409, 'token-name-taken'],
  ] as const;
  for (const [body, status, code] of rows) {
    t.match(
      await post(address, '/v1/tokens', body),
      { status, json: { code } },
      JSON.stringify(body),
    );
  }
  const revoke = await post(address, '/v1/tokens/revoke', { id: 'nobody' });
  t.match(revoke, { status: 404, json: { code: 'token-unknown' } });
});

await t.test('whoever guesses is told to wait; whoever has proven himself is not', async (t) => {
  const everywhere = { kind: 'tcp', host: '0.0.0.0', port: 0 } as const;
  const { address, audit, tokens } = await openAdmin(t, { listen: everywhere });
  mock.timers.enable({ apis: ['Date'], now: Date.now() });
  restartClock();
  t.teardown(() => mock.timers.reset());
  const proven = { authorization: `Bearer ${(await make(tokens, 'proven')).text}` };
  const fresh = { authorization: `Bearer ${(await make(tokens, 'fresh')).text}` };
  t.equal((await post(address, '/v1/switch', {}, proven)).status, 200);
  const guesses = AUTH_FAILURES_MAX + 20;
  for (let index = 0; index < guesses; index++) {
    const answer = await post(address, '/v1/switch', {}, { authorization: UNKNOWN });
    const isHeard = index < AUTH_FAILURES_MAX;
    const expected = isHeard ? [401, 'unauthenticated'] : [429, 'too-many-failures'];
    t.match(answer, { status: expected[0], json: { code: expected[1] } }, `guess ${index + 1}`);
    if (!isHeard) t.match(answer.headers['retry-after'], /^60$/);
  }
  t.equal((await post(address, '/v1/switch', {}, proven)).status, 200);
  t.equal((await post(address, '/v1/switch', {}, fresh)).status, 429, 'not checked, so not known');
  const other = { method: 'POST', headers: { 'content-type': 'application/json', ...fresh } };
  const elsewhere = await ask(address, '/v1/switch', { ...other, body: '{}', from: '127.0.0.9' });
  t.equal(elsewhere.status, 200, 'from another address it is');
  mock.timers.tick(AUTH_FAILURES_WINDOW_MS);
  t.equal((await post(address, '/v1/switch', {}, fresh)).status, 200, 'and after a minute');
  const refused = (await audit.latest(ALL)).filter(({ outcome }) => outcome === 'refused');
  const count = refused.reduce((sum, entry) => sum + entry.count, 0);
  t.equal(count, guesses + 1, 'each guess is counted');
  t.ok(refused.length <= 2 * (AUDIT_ALIKE_MAX + 1), 'without an entry of its own');
});

await t.test('an upgrade is written down before this process can no more', async (t) => {
  const { address, audit, mood, store } = await openAdmin(t);
  mood.upgrade = async () => {
    store.onNote = () => {
      throw new Error('the store belongs to another process');
    };
    return { pid: 1, version: '2', tookMs: 1 };
  };
  t.equal((await post(address, '/v1/upgrade', {})).status, 200);
  store.onNote = () => {};
  t.match(await audit.latest(ALL), [
    { action: 'POST /v1/upgrade', outcome: 'done', detail: 'begun' },
  ]);
});

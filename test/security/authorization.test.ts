// Which caller may call what: every route of the API × every kind of credentials, made from the
// table of routes, so that a new route is in it at once. What was refused stands in the audit log.

import t, { type Test } from 'tap';
import { mayAct, ROLES, type Role } from '../../src/api/roles.ts';
import type { Route } from '../../src/control-plane/admin/routes/route.ts';
import { ROUTES } from '../../src/control-plane/admin/routes/routes.ts';
import type { Tokens } from '../../src/control-plane/access/tokens.ts';
import { FakeDesk, viewOf } from '../unit/control-plane/support/fake-desk.ts';
import { ask, openAdmin, type Answer } from '../unit/control-plane/support/admin.ts';
import { serviceConfig } from '../unit/control-plane/support/fixtures.ts';
import { notes } from '../unit/control-plane/support/notes.ts';

/** Bodies that are good enough to get as far as the check of the role. */
const BODIES: Readonly<Record<string, object>> = {
  'PUT /v1/releases/blue': { release: 'v3', targets: ['http://127.0.0.1:3999'] },
  'PUT /v1/releases/green': { release: 'v3', targets: ['http://127.0.0.1:3999'] },
  'PUT /v1/deployments/:deployment/targets': { targets: ['http://127.0.0.1:3999'] },
  'POST /v1/preview/revoke': { of: 'green' },
  'POST /v1/freeze': { reason: 'sale' },
  'POST /v1/point-of-no-return': { on: true, reason: 'sale' },
  'POST /v1/schema': { schema: 10, reason: 'restored' },
  'POST /v1/maintenance': { on: false },
  'POST /v1/rollouts/:id/promote': { reason: 'sale' },
  'POST /v1/rollouts/:id/point-of-no-return': { on: true },
  'POST /v1/tokens': { name: 'new', role: 'read' },
  'POST /v1/tokens/revoke': { id: 'nobody-has-this' },
};

/** Names the services that it is about in its body. */
const DRY_RUN = 'POST /v1/dry-run';

const SERVICES = [serviceConfig(), serviceConfig({ name: 'shop' })];
/** Reachable from other machines, so that every caller needs a token. */
const EVERYWHERE = { kind: 'tcp', host: '0.0.0.0', port: 0 } as const;

interface Shown {
  readonly name: string;
  /** Undefined: no field at all. */
  readonly authorization: string | undefined;
  /** Undefined: the caller is not known. */
  readonly role: Role | undefined;
  /** Service that the token is good for; undefined: all. */
  readonly service: string | undefined;
}

function unknown(name: string, authorization?: string): Shown {
  return { name, authorization, role: undefined, service: undefined };
}

/** Makes one of each kind of credentials. */
async function credentials(tokens: Tokens): Promise<Shown[]> {
  const make = async (name: string, role: Role, service?: string, lifeMs?: number) => {
    const services = service === undefined ? [] : [service];
    return tokens.create({ name, role, services, lifeMs }, () => notes());
  };
  const good = ROLES.flatMap((role) =>
    [undefined, 'default', 'shop'].map(async (service): Promise<Shown> => {
      const name = `${role}-${service ?? 'all'}`;
      const { text } = await make(name, role, service);
      return { name, authorization: `Bearer ${text}`, role, service };
    }),
  );
  const expired = await make('expired', 'admin', undefined, 1);
  const revoked = await make('revoked', 'admin');
  await tokens.revoke('revoked', () => notes());
  const { text } = await make('stolen-half', 'admin');
  return [
    ...(await Promise.all(good)),
    unknown('no token'),
    unknown('an unknown token', `Bearer turnout_${'0'.repeat(12)}_${'A'.repeat(43)}`),
    unknown(
      'the id of a token with another secret',
      `Bearer ${text.slice(0, -43)}${'A'.repeat(43)}`,
    ),
    unknown('an expired token', `Bearer ${expired.text}`),
    unknown('a revoked token', `Bearer ${revoked.text}`),
    unknown('another scheme', `Basic ${Buffer.from(`admin:${text}`).toString('base64')}`),
    unknown('an empty token', 'Bearer '),
    unknown('a token that is none', 'Bearer admin'),
  ];
}

/** Returns the path that is called: blue, and the rollout that goes on, are what parameters name. */
function calledPath(path: string): string {
  return path.replace(':deployment', 'blue').replace(':id', 'current');
}

/** A rollout of each service goes on. */
function rollouts(): FakeDesk {
  const desk = new FakeDesk();
  desk.views = [viewOf('r-1', ['default']), viewOf('r-2', ['shop'])];
  return desk;
}

/** Calls come from as many addresses, so that no caller is told to wait. */
let addresses = 0;

async function call(
  address: Parameters<typeof ask>[0],
  { method, path, query: schema, body }: Route,
  { authorization }: Shown,
  service: string,
): Promise<Answer> {
  const takesService = schema.safeParse({ service: 'default' }).success;
  const query = takesService && service !== '' ? `?service=${service}` : '';
  const name = `${method} ${path}`;
  const steps = { steps: [{ kind: 'switch', service, to: 'green' }] };
  const wanted = name === DRY_RUN ? steps : (BODIES[name] ?? {});
  const sent = body === undefined ? undefined : JSON.stringify(wanted);
  addresses++;
  return ask(address, calledPath(path) + query, {
    method,
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(sent === undefined ? {} : { body: sent }),
    from: `127.1.${addresses >> 8}.${addresses & 255}`,
  });
}

/** Returns the status that keeps `shown` out of `route`; undefined: it may call it. */
function refusalOf({ role, scope }: Route, shown: Shown, about: string): number | undefined {
  if (role === 'none') return undefined;
  if (shown.role === undefined) return 401;
  if (!mayAct(shown.role, role)) return 403;
  if (shown.service === undefined || scope === 'nothing') return undefined;
  if (scope === 'process') return 403;
  return about === '' || about === shown.service ? undefined : 403;
}

t.setTimeout(120_000);

await t.test('every route names the role that may call it, and its purpose', async (t) => {
  for (const { method, path, role, scope, query, body } of ROUTES) {
    const name = `${method} ${path}`;
    const isChange = method !== 'GET';
    t.ok(['none', ...ROLES].includes(role), `${name} has a role`);
    t.equal(body !== undefined, isChange, `${name} has a body exactly if it changes something`);
    if (isChange) t.ok(role === 'switch' || role === 'admin', `${name} needs power`);
    if (role === 'none') t.ok(['/livez', '/readyz'].includes(path), `${name} is for every caller`);
    // What takes a service is about services; what takes none tells of all or of none.
    const takesService = query.safeParse({ service: 'default' }).success;
    const isAboutServices = takesService || name === DRY_RUN;
    const scopes = isAboutServices ? ['service', 'services', 'named'] : ['process', 'nothing'];
    t.ok(scopes.includes(scope), `${name} has a scope that fits its query`);
    if (isChange && takesService) {
      t.ok(['service', 'named'].includes(scope), `${name} changes one service`);
    }
    const isTelling = ['/livez', '/readyz', '/v1/openapi.json'].includes(path);
    if (scope === 'nothing') t.ok(isTelling && !isChange, `${name} tells of no service`);
  }
});

await t.test(
  'every route lets in exactly the callers that may, and records the others',
  async (t) => {
    const { address, audit, tokens } = await openAdmin(t, {
      services: SERVICES,
      listen: EVERYWHERE,
      rollouts: rollouts(),
    });
    const callers = await credentials(tokens);
    const [last] = await audit.latest({ services: undefined, before: undefined, limit: 1 });
    const before = last?.seq ?? 0;
    const sent: string[] = [];
    let count = 0;
    for (const route of ROUTES) {
      for (const shown of callers) {
        for (const about of ['default', 'shop']) {
          const answer = await call(address, route, shown, about);
          const name = `${route.method} ${route.path} about ${about}, with ${shown.name}`;
          const expected = refusalOf(route, shown, about);
          checkAnswer(t, { name, answer, expected });
          count++;
          if (route.method !== 'GET') {
            const action = `${route.method} ${calledPath(route.path)}`;
            const status = answer.status === 202 ? 200 : answer.status;
            sent.push(`${action} ${status} ${outcomeOf(answer)}`);
          }
        }
      }
    }
    t.comment(`${count} calls`);
    const entries = await audit.latest({ services: undefined, before: undefined, limit: 100_000 });
    const written = entries
      .filter(({ seq }) => seq > before)
      .map(
        ({ action, status, outcome }) =>
          // A call that ends the process is written down before it is made.
          `${action} ${status === 202 ? 200 : status} ${outcome === 'unchanged' ? 'done' : outcome}`,
      );
    t.strictSame(written.toSorted(), sent.toSorted(), 'each changing call has one entry');
    t.match(await audit.verify(), { state: /^ok$/ });
  },
);

function outcomeOf({ status }: Answer): string {
  if (status < 400) return 'done';
  return status < 500 ? 'refused' : 'failed';
}

function checkAnswer(
  t: Test,
  found: { readonly name: string; readonly answer: Answer; readonly expected: number | undefined },
): void {
  const { name, answer, expected } = found;
  const { status, headers, json } = answer;
  if (expected !== undefined) {
    const code = expected === 401 ? 'unauthenticated' : 'forbidden';
    t.match({ status, json }, { status: expected, json: { code, detail: /./ } }, name);
    if (expected === 401) t.match(headers['www-authenticate'], /^Bearer /, name);
    return;
  }
  const isIn = status !== 401 && status !== 403 && status !== 429;
  t.ok(isIn, `${name}: ${status} ${answer.text.slice(0, 200)}`);
  t.not(status, 400, `${name}: give it a body in BODIES: ${answer.text.slice(0, 200)}`);
}

await t.test('a token for one service gets answers about that one alone', async (t) => {
  const { address, tokens } = await openAdmin(t, {
    services: SERVICES,
    listen: EVERYWHERE,
    rollouts: rollouts(),
  });
  const callers = await credentials(tokens);
  const one = callers.find(({ name }) => name === 'admin-shop')!;
  const all = callers.find(({ name }) => name === 'admin-all')!;
  const switchOver = ROUTES.find(({ path }) => path === '/v1/switch')!;
  for (const about of ['default', 'shop']) await call(address, switchOver, all, about);
  for (const route of ROUTES.filter(
    ({ scope, body }) => scope === 'services' && body === undefined,
  )) {
    const { text, status } = await call(address, route, one, '');
    t.equal(status, 200, route.path);
    t.notMatch(text, /"(?:service|name)": "default"/, `${route.path} keeps the other to itself`);
  }
  const { json } = await call(address, switchOver, one, '');
  t.match(json, { service: 'shop' }, 'and a call that names none means that one');
});

await t.test('a call that names two services must be good for both', async (t) => {
  const { address, tokens } = await openAdmin(t, { services: SERVICES, listen: EVERYWHERE });
  const callers = await credentials(tokens);
  const { authorization = '' } = callers.find(({ name }) => name === 'switch-shop')!;
  const headers = { 'content-type': 'application/json', authorization };
  const body = JSON.stringify({ service: 'default' });
  for (const path of ['/v1/switch', '/v1/switch?service=shop']) {
    const answer = await ask(address, path, { method: 'POST', headers, body });
    t.match(answer, { status: 403, json: { code: 'forbidden', services: ['shop'] } }, path);
  }
});

await t.test('only known callers learn which paths and methods do not exist', async (t) => {
  const { address, tokens } = await openAdmin(t, { listen: EVERYWHERE });
  const callers = await credentials(tokens);
  const { authorization = '' } = callers.find(({ name }) => name === 'read-all')!;
  for (const [method, path, status] of [
    ['GET', '/v2', 404],
    ['DELETE', '/v1/switch', 405],
  ] as const) {
    const headers = { 'content-type': 'application/json' };
    t.equal((await ask(address, path, { method, headers })).status, 401, path);
    const known = await ask(address, path, { method, headers: { ...headers, authorization } });
    t.equal(known.status, status, path);
  }
});

await t.test(
  'on loopback no caller needs a token, and one that is sent counts all the same',
  async (t) => {
    const { address, tokens } = await openAdmin(t);
    const callers = await credentials(tokens);
    const status = ROUTES.find(({ path }) => path === '/v1/status')!;
    const switchOver = ROUTES.find(({ path }) => path === '/v1/switch')!;
    for (const shown of callers) {
      const isNone = shown.authorization === undefined;
      const wanted = isNone ? undefined : refusalOf(switchOver, shown, 'default');
      const answer = await call(address, switchOver, shown, 'default');
      t.equal(answer.status, wanted ?? 200, `switch with ${shown.name}`);
      const read = await call(address, status, shown, 'default');
      t.equal(read.status, isNone ? 200 : (refusalOf(status, shown, 'default') ?? 200), shown.name);
    }
  },
);

await t.test('a token of one service freezes that one, and neither another nor all', async (t) => {
  const { address, tokens } = await openAdmin(t, { services: SERVICES, listen: EVERYWHERE });
  const wanted = { name: 'shop', role: 'switch', services: ['shop'], lifeMs: undefined } as const;
  const { text } = await tokens.create(wanted, () => notes());
  const headers = { authorization: `Bearer ${text}`, 'content-type': 'application/json' };
  for (const path of ['/v1/freeze', '/v1/unfreeze']) {
    const send = async (service?: string): Promise<Answer> =>
      ask(address, path, {
        method: 'POST',
        headers,
        body: JSON.stringify({ reason: 'sale', ...(service === undefined ? {} : { service }) }),
      });
    t.match(await send(), { status: 403, json: { code: 'forbidden' } });
    t.match(await send('default'), { status: 403, json: { code: 'forbidden' } });
    t.match(await send('shop'), { status: 200, json: { service: 'shop', changed: true } });
  }
});

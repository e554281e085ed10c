// Targets lead where the setting and the token of a caller say, whichever call brings them.

import t from 'tap';
import type { ListenAddress } from '../../../../../src/contract/worker-settings.ts';
import { ask, openAdmin } from '../../support/admin.ts';

async function send(
  address: ListenAddress,
  path: string,
  { method = 'POST', body, token }: { method?: string; body: object; token?: string | undefined },
) {
  const headers = {
    'content-type': 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return ask(address, path, { method, headers, body: JSON.stringify(body) });
}

async function tokenFor(address: ListenAddress, targets: readonly string[]): Promise<string> {
  const body = { name: `ci${Math.random()}`, role: 'switch', targets };
  const { json } = await send(address, '/v1/tokens', { body });
  return (json as { token: string }).token;
}

const INSIDE = 'http://127.0.0.1:3009';
const OUTSIDE = 'http://192.0.2.1:80';

await t.test('a token registers targets within its rules alone', async (t) => {
  const { address, store } = await openAdmin(t);
  const token = await tokenFor(address, ['127.0.0.0/8', '*.shop.test']);
  const put = async (targets: readonly string[], by?: string) =>
    send(address, '/v1/releases/green', {
      method: 'PUT',
      body: { release: 'v9', targets },
      token: by,
    });
  for (const targets of [[OUTSIDE], [INSIDE, OUTSIDE], ['unix:/run/admin.sock']]) {
    const problem = {
      status: 403,
      json: { code: 'target-not-allowed', detail: /127\.0\.0\.0\/8/ },
    };
    t.match(await put(targets, token), problem, targets.join());
  }
  t.match(await put([INSIDE], token), { status: 200 });
  const [kept] = store.services.get('default')!.deployments.slice(-1);
  t.same(kept!.allow, ['127.0.0.0/8', '*.shop.test'], 'also for what a name leads to later');
  const number = kept!.number;
  const scale = async (targets: readonly string[], by?: string) =>
    send(address, `/v1/deployments/${number}/targets`, {
      method: 'PUT',
      body: { targets },
      token: by,
    });
  t.match(await scale([INSIDE, OUTSIDE], token), { status: 403 });
  t.match(await scale([INSIDE, OUTSIDE]), { status: 403, json: { code: 'target-not-allowed' } });
  t.match(await scale([INSIDE, 'http://127.0.0.2:1'], token), { status: 200 });
  const steps = [
    { kind: 'register', service: 'default', color: 'green', release: 'x', targets: [OUTSIDE] },
  ];
  const dry = await send(address, '/v1/dry-run', { body: { steps }, token });
  t.match(dry.json, { refusals: [{ step: 0, code: 'target-not-allowed' }] });
  t.match(await put([OUTSIDE]), { status: 200 }, 'others are not bound by it');
});

await t.test('the setting holds for every caller, and beside the rules of a token', async (t) => {
  const { address, hooks } = await openAdmin(t);
  hooks.targetsAllow = ['127.0.0.1'];
  const token = await tokenFor(address, ['127.0.0.0/8', '192.0.2.0/24']);
  const put = async (target: string, by?: string) =>
    send(address, '/v1/releases/green', {
      method: 'PUT',
      body: { release: 'v9', targets: [target] },
      token: by,
    });
  for (const by of [undefined, token]) {
    t.match(await put(OUTSIDE, by), { status: 403, json: { code: 'target-not-allowed' } });
    t.match(await put('http://127.0.0.2:3009', by), { status: 403 });
    t.match(await put(INSIDE, by), { status: 200 });
  }
});

await t.test('a token tells its rules, and takes none that is no rule', async (t) => {
  const { address } = await openAdmin(t);
  await tokenFor(address, ['10.0.0.0/8', 'unix:/run/shop/']);
  const list = await ask(address, '/v1/tokens');
  t.match(list.json, { tokens: [{ targets: ['10.0.0.0/8', 'unix:/run/shop'] }] });
  const body = { name: 'x', role: 'switch', targets: ['http://10.0.0.1'] };
  t.match(await send(address, '/v1/tokens', { body }), {
    status: 400,
    json: { code: 'body-invalid' },
  });
});

await t.test('a token that is bound makes none that is bound by less', async (t) => {
  const { address } = await openAdmin(t);
  const body = { name: 'bound', role: 'admin', targets: ['10.0.0.0/8', '127.0.0.1'] };
  const { token } = (await send(address, '/v1/tokens', { body })).json as { token: string };
  const make = async (name: string, targets: readonly string[]) =>
    send(address, '/v1/tokens', { body: { name, role: 'switch', targets }, token });
  for (const targets of [[], ['0.0.0.0/0'], ['127.0.0.1', '192.0.2.1']]) {
    const answer = await make('more', targets);
    t.match(answer, { status: 403, json: { code: 'forbidden' } }, targets.join() || 'none');
  }
  t.match(await make('less', ['127.0.0.1']), { status: 200 });
});

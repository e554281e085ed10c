// Whether targets lead where they may: compared by where they lead, not by what is written.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkAllowed } from '../../../../src/control-plane/deployments/allowed-targets.ts';
import { mayLeadTo } from '../../../../src/control-plane/targets/may-lead-to.ts';
import { asWritten } from '../../../../src/control-plane/deployments/address-use.ts';
import { placeFinder } from '../../../../src/control-plane/targets/places.ts';
import { timers } from '../../../../src/control-plane/base/timers.ts';
import { parseTargets } from '../../../../src/control-plane/deployments/registration.ts';
import { shortDir } from '../support/fixtures.ts';

const HOSTS: Readonly<Record<string, readonly string[]>> = {
  'inside.test': ['10.1.0.5'],
  'outside.test': ['192.0.2.1'],
  'both.test': ['10.1.0.5', '192.0.2.1'],
  localhost: ['127.0.0.1', '::1'],
};

const dns = {
  addresses: async (host: string, family: 4 | 6) =>
    (HOSTS[host] ?? []).filter((one) => one.includes(':') === (family === 6)),
  services: async () => [],
  close: () => {},
};

const findPlaces = placeFinder({ dns, system: dns, names: { of: () => [] }, timers });

/** Returns those of `targets` that are refused by `rules`. */
async function refused(
  targets: readonly string[],
  ...rules: readonly (readonly string[] | undefined)[]
) {
  const parsed = parseTargets(targets);
  const places = await findPlaces(parsed);
  return parsed
    .map(({ url }) => url)
    .filter((url) => {
      try {
        checkAllowed([url], rules, (one) => places.get(one) ?? asWritten(one));
        return false;
      } catch (error) {
        if (!(error instanceof Error && 'code' in error)) throw error;
        return error.code === 'target-not-allowed';
      }
    });
}

await t.test('without rules, targets may lead anywhere', async (t) => {
  t.same(await refused(['http://192.0.2.1', 'http://x.test', 'unix:/a'], [], undefined), []);
});

await t.test('an address has to be in a range of each list of rules', async (t) => {
  const targets = [
    'http://10.1.0.1:80',
    'http://10.2.0.1',
    'http://[::ffff:10.1.0.1]',
    'http://127.0.0.1',
  ];
  const inside = ['10.0.0.0/8'];
  t.same(await refused(targets, inside), ['http://127.0.0.1']);
  t.same(await refused(targets, inside, ['10.1.0.0/16']), ['http://10.2.0.1', 'http://127.0.0.1']);
  t.same(await refused(['http://0.0.0.0:1', 'http://[::]:1'], inside), [
    'http://0.0.0.0:1',
    'http://[::]:1',
  ]);
});

await t.test('a name is judged by where it leads, or is a rule itself', async (t) => {
  const names = [
    'http://inside.test',
    'http://outside.test',
    'http://both.test',
    'http://localhost:1',
  ];
  t.same(await refused(names, ['10.1.0.0/16']), names.slice(1));
  t.same(await refused(names, ['10.1.0.0/16', '*.test']), ['http://localhost:1']);
  t.same(await refused(names, ['127.0.0.1', '::1', '*.test']), []);
  t.same(await refused(['http://unknown.test'], ['10.0.0.0/8']), [], 'each lookup judges it again');
});

await t.test('a socket is judged by where its path leads', async (t) => {
  const dir = shortDir(t);
  mkdirSync(join(dir, 'in'));
  mkdirSync(join(dir, 'out'));
  writeFileSync(join(dir, 'out/app.sock'), '');
  symlinkSync(join(dir, 'out/app.sock'), join(dir, 'in/link.sock'));
  const at = (path: string) => `unix:${dir}/${path}`;
  const rules = [at('in')];
  const targets = [
    at('in/app.sock'),
    at('in/./b.sock'),
    at('in/../out/app.sock'),
    at('in/link.sock'),
  ];
  t.same(await refused(targets, rules), targets.slice(2));
  t.same(await refused(['http://10.0.0.1', ...targets.slice(0, 1)], rules), ['http://10.0.0.1']);
});

await t.test('what a name leads to later is judged by the same rules', async (t) => {
  const address = { kind: 'name', host: 'app.test', port: 80 } as const;
  const name = { address };
  const place = { kind: 'tcp', host: '192.0.2.1', port: 80 } as const;
  t.ok(mayLeadTo(name, place, undefined));
  t.ok(mayLeadTo(name, place, []));
  t.ok(mayLeadTo(name, place, ['192.0.2.0/24']));
  t.ok(mayLeadTo(name, place, ['app.test']), 'a name that is a rule is believed');
  t.notOk(mayLeadTo(name, place, ['10.0.0.0/8', '*.other.test']));
  t.notOk(mayLeadTo({ address: { kind: 'srv', name: 'app.test' } }, place, ['10.0.0.0/8']));
  const bounded = { address, allow: ['192.0.2.0/24'] };
  t.ok(mayLeadTo(bounded, place, ['192.0.0.0/16']), 'the token and the setting let it');
  t.notOk(mayLeadTo(bounded, place, ['10.0.0.0/8']), 'the token alone');
  t.notOk(mayLeadTo({ address, allow: ['10.0.0.0/8'] }, place, []), 'the setting alone');
});

// Where targets may lead: what a rule is, and what it allows.

import t from 'tap';
import { parseTargetRule, TargetRules } from '../../../../src/config/values/target-rule.ts';

await t.test('a rule is a range, an address, a name or a folder of sockets', async (t) => {
  const rules: readonly (readonly [string, string])[] = [
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['127.0.0.1', '127.0.0.1'],
    ['fd00::/8', 'fd00::/8'],
    ['App.Internal', 'app.internal'],
    ['*.shop.internal', '*.shop.internal'],
    ['localhost', 'localhost'],
    ['unix:/run/shop/', 'unix:/run/shop'],
    ['unix:/run/./x/../shop', 'unix:/run/shop'],
  ];
  for (const [raw, value] of rules) t.same(parseTargetRule(raw), { ok: true, value }, raw);
  for (const raw of ['', '10.0.0.0/33', 'http://a', 'a:80', '*', 'a b', 'unix:run', 7, null]) {
    t.match(parseTargetRule(raw), { ok: false, problem: /^expected / }, String(raw));
  }
});

await t.test('an address is in a range in any of its spellings', async (t) => {
  const rules = new TargetRules(['10.1.0.0/16', '192.0.2.7', 'fd00::/8', 'app']);
  for (const host of ['10.1.2.3', '192.0.2.7', '::ffff:a01:203', 'fd12::1']) {
    t.ok(rules.hasAddress(host), host);
  }
  const others = [
    '10.2.0.1',
    '192.0.2.8',
    '::ffff:a02:1',
    'fe80::1',
    '127.0.0.1',
    '::1',
    '0.0.0.0',
  ];
  for (const host of [...others, '::', '64:ff9b::a01:203', 'app', '']) {
    t.notOk(rules.hasAddress(host), host);
  }
});

await t.test(
  'a name is one of the rules, whatever its case, or below one with a star',
  async (t) => {
    const rules = new TargetRules(['app', '*.shop.internal']);
    for (const name of ['app', 'APP', 'app.', 'a.shop.internal', 'a.b.shop.internal']) {
      t.ok(rules.hasName(name), name);
    }
    for (const name of [
      'apps',
      'shop.internal',
      'evilshop.internal',
      'app.shop.internal.evil',
      '',
    ]) {
      t.notOk(rules.hasName(name), name);
    }
  },
);

await t.test('a socket is a rule itself, or lies in a folder of one', async (t) => {
  const rules = new TargetRules(['unix:/run/shop', 'unix:/srv/app.sock']);
  for (const path of ['/run/shop/a.sock', '/run/shop/b/c.sock', '/srv/app.sock']) {
    t.ok(rules.hasPath(path), path);
  }
  for (const path of ['/run/shopping/a.sock', '/run/a.sock', '/srv/app.sock2', '', '/']) {
    t.notOk(rules.hasPath(path), path);
  }
  t.ok(new TargetRules(['unix:/']).hasPath('/any/where'));
});

await t.test('what is no rule, and no rules at all, allow nothing', async (t) => {
  for (const rules of [new TargetRules([]), new TargetRules([''])]) {
    t.same(
      [rules.hasAddress('10.0.0.1'), rules.hasName(''), rules.hasName('a')],
      [false, false, false],
    );
    t.notOk(rules.hasPath('/a'));
  }
});

// `turnout config check` reads the certificates that a file names, and says of them what a start would.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { authority } from '../../../support/certificates.ts';
import { skipWithout } from '../../../support/installed.ts';
import { pki, type Issued } from '../../control-plane/support/pki.ts';
import { turnout } from '../support/terminal.ts';

const skip = skipWithout('openssl');

interface Named {
  readonly certificates: readonly Pick<Issued, 'cert' | 'key'>[];
  readonly hosts?: readonly string[];
  readonly more?: object;
}

async function check(t: Test, { certificates, hosts = [], more = {} }: Named) {
  const file = join(t.testdir(), 'turnout.yaml');
  const pairs = certificates.map(({ cert, key }) => ({ cert, key }));
  const listen = [{ address: ':443', tls: { certificates: pairs } }];
  const services = [{ name: 'shop', hosts, blue: { targets: ['http://127.0.0.1:3001'] } }];
  writeFileSync(file, JSON.stringify({ listen, services, ...more }));
  const { code, out, err } = await turnout(['config', 'check', file]);
  return { code, lines: `${err}\n${out}`.replaceAll(file, 'FILE').trim().split('\n') };
}

await t.test('what a start refuses is a fault', { skip }, async (t) => {
  const { issue, write } = pki(t);
  const [a, b, ca] = [issue('a.test'), issue('b.test'), issue('ca', { isAuthority: true })];
  const empty = write('empty.pem', '');
  const found = await check(t, {
    certificates: [a, { cert: a.cert, key: b.key }, { cert: empty, key: b.key }],
    more: {
      acme: { domains: ['c.test'], caFile: a.key },
      admin: { tls: { cert: b.cert, key: a.key, clientCa: ca.cert, clients: ['x=admin'] } },
    },
  });
  t.strictSame(found, {
    code: 64,
    lines: [
      `${b.key} is not the key of ${a.cert}: name the two that belong together`,
      `${empty} is empty`,
      `${a.key} is not the key of ${b.cert}: name the two that belong together`,
      `${a.key} holds a key and no certificate: certificate and key may have been mixed up`,
      'turnout: 4 faults in FILE',
    ],
  });
});

await t.test(
  'what is served all the same, or lies elsewhere, is a warning',
  { skip },
  async (t) => {
    const { issue } = pki(t);
    const a = issue('a.test');
    const old = authority(t).sign('old', { isExpired: true });
    const gone = { cert: '/nowhere/a.pem', key: '/nowhere/a.key' };
    t.match(await check(t, { certificates: [a, gone] }), {
      code: 0,
      lines: ['warning: /nowhere/a.pem does not exist: check the path', /^FILE: no fault/],
    });
    t.match(await check(t, { certificates: [a, old] }), {
      code: 0,
      lines: [/^warning: .*old\.pem has expired .* ago, at .*: renew it$/, /^FILE: no fault/],
    });
    t.match(await check(t, { certificates: [a, issue('twin', { names: 'DNS:a.test' })] }), {
      lines: [/^warning: traffic 0\.0\.0\.0:443: no client gets certificate 2 \(a\.test\)/, /FILE/],
    });
  },
);

await t.test('files that orders need are looked at', { skip }, async (t) => {
  const eab = { keyId: 'a', hmacKeyFile: '/nowhere/hmac' };
  const acme = { domains: ['c.test'], eab, caFile: '/nowhere/ca.pem' };
  t.strictSame(await check(t, { certificates: [pki(t).issue('a.test')], more: { acme } }), {
    code: 0,
    lines: [
      'warning: /nowhere/ca.pem does not exist: check the path',
      'warning: /nowhere/hmac does not exist: see acme.eab.hmacKeyFile',
      'FILE: no fault (services: shop)',
    ],
  });
});

await t.test('hosts that no certificate is for are told', { skip }, async (t) => {
  const { issue } = pki(t);
  const wild = issue('wild', { names: 'DNS:shop.test,DNS:*.shop.test' });
  const hosts = ['shop.test', 'www.shop.test', '*.shop.test', 'a.b.shop.test'];
  t.strictSame(await check(t, { certificates: [wild], hosts }), {
    code: 0,
    lines: [
      'warning: no certificate is for a.b.shop.test of service shop: clients that ask for it by https refuse what they get',
      'FILE: no fault (services: shop)',
    ],
  });
  const more = { acme: { domains: ['a.b.shop.test'] } };
  const { lines } = await check(t, { certificates: [wild], hosts, more });
  t.strictSame(lines, ['FILE: no fault (services: shop)'], 'one that ACME obtains');
});

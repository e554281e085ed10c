// How flags and variables say where the admin API is and how it is reached.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  connectionOf,
  adminAddress,
  printConnection,
  type ConnectionFlags,
} from '../../../../src/cli/client/admin-connection.ts';
import { fakeTerminal } from '../support/terminal.ts';

const NONE: ConnectionFlags = {
  admin: undefined,
  ca: undefined,
  cert: undefined,
  key: undefined,
  token: undefined,
};

function access(flags: Partial<ConnectionFlags>, environment: Record<string, string> = {}) {
  return connectionOf(fakeTerminal({ environment }), { ...NONE, ...flags });
}

await t.test('an address of the admin API may be short', async (t) => {
  const tcp = { address: { kind: 'tcp', host: '127.0.0.1', port: 8081 }, isTls: false };
  for (const text of [undefined, '', '8081', ':8081', '127.0.0.1:8081', 'http://127.0.0.1:8081/']) {
    t.same(adminAddress(text), { ok: true, value: tcp });
  }
  t.same(adminAddress('unix:/a'), {
    ok: true,
    value: { address: { kind: 'unix', path: '/a' }, isTls: false },
  });
  t.same(adminAddress('HTTPS://proxy.internal:8443'), {
    ok: true,
    value: { address: { kind: 'tcp', host: 'proxy.internal', port: 8443 }, isTls: true },
  });
  t.match(adminAddress('https://[::1]:8443'), { value: { address: { host: '::1' } } });
  const wrong = ['h', 'http://h:1/v1', 'unix:a', 'https://unix:/a', 'ftp://h:1', 'https://h'];
  for (const text of wrong) {
    t.match(adminAddress(text), { ok: false, problem: /expected http:\/\/host:port/ }, text);
  }
});

await t.test('flags win over variables', async (t) => {
  const environment = { TURNOUT_ADMIN: '127.0.0.1:1', TURNOUT_TOKEN: 'from-variable' };
  t.match(access({}, environment), { value: { address: { port: 1 }, token: 'from-variable' } });
  t.match(access({ admin: ':2', token: 'from-flag' }, environment), {
    value: { address: { port: 2 }, token: 'from-flag' },
  });
  t.match(access({}), { value: { address: { port: 8081 }, token: '', tls: undefined } });
});

await t.test('a token that is none is refused, and never shown', async (t) => {
  for (const token of ['two words', 'line\nbreak', 'ümlaut', '"quoted"', 'a:b', '=']) {
    const refused = access({ token });
    t.match(refused, { ok: false, problem: /^--token: expected / });
    t.notOk(JSON.stringify(refused).includes(token));
  }
  for (const token of ['turnout_a1-b2.c3~d4+e5/f6==', 'x'])
    t.match(access({ token }), { ok: true });
});

await t.test('certificates are read from files', async (t) => {
  const pem = '-----BEGIN CERTIFICATE-----\n';
  const directory = t.testdir({ 'ca.pem': pem, 'cert.pem': pem, 'key.pem': pem, empty: '' });
  const file = (name: string): string => join(directory, name);
  const admin = 'https://h:1';
  t.match(access({ admin, ca: file('ca.pem') }), {
    value: { tls: { ca: pem, cert: undefined, key: undefined } },
  });
  const environment = { TURNOUT_CERT: file('cert.pem'), TURNOUT_KEY: file('key.pem') };
  t.match(access({ admin }, environment), { value: { tls: { cert: pem, key: pem } } });
  t.match(access({ admin }), { value: { tls: { ca: undefined } } });
  const wrong: [Partial<ConnectionFlags>, RegExp][] = [
    [{ admin, ca: file('none.pem') }, /^--ca: expected a file that can be read, got .*ENOENT/],
    [{ admin, ca: directory }, /^--ca: .*EISDIR/],
    [{ admin, ca: file('empty') }, /^--ca: expected a PEM file/],
    [{ admin, cert: file('cert.pem') }, /expected both of them, got one/],
    [{ admin, key: file('key.pem') }, /expected both of them, got one/],
    [{ admin: ':1', ca: file('ca.pem') }, /^--ca: of use with --admin https/],
    [{ admin: 'unix:/a', key: file('key.pem') }, /^--key: of use with --admin https/],
  ];
  for (const [flags, expected] of wrong) {
    t.match(access(flags), { ok: false, problem: expected });
  }
  t.match(access({ admin: ':1' }, environment), { value: { tls: undefined } }, 'variables stay');
});

await t.test('a file that is far too large for a PEM is refused', async (t) => {
  const directory = t.testdir({});
  const path = join(directory, 'large.pem');
  writeFileSync(path, `-----BEGIN CERTIFICATE-----${'a'.repeat(1024 * 1024)}`);
  t.match(access({ admin: 'https://h:1', ca: path }), {
    ok: false,
    problem: /expected a PEM file/,
  });
});

await t.test('messages name the address as an operator does', async (t) => {
  const address = { kind: 'tcp', host: 'h', port: 1 } as const;
  const tls = { ca: undefined, cert: undefined, key: undefined };
  t.equal(printConnection({ address, tls: undefined, token: '' }), 'h:1');
  t.equal(printConnection({ address, tls, token: '' }), 'https://h:1');
  const socket = { kind: 'unix', path: '/a' } as const;
  t.equal(printConnection({ address: socket, tls: undefined, token: '' }), 'unix:/a');
});

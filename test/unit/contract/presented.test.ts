// Which certificates are presented for which name, and which of them to whom.

import t from 'tap';
import type { Certificate } from '../../../src/contract/certificates.ts';
import { kindFor, presentedOf } from '../../../src/contract/presented.ts';

/** Returns a certificate written as `id kind name name…`; an id that begins with `acme` is of ACME. */
function certificate(text: string): Certificate {
  const [id = '', keyKind = '', ...names] = text.split(' ');
  const source = id.startsWith('acme') ? 'acme' : 'file';
  return { id, keyKind, names, source, chain: '', key: '' };
}

function idsOf(...texts: readonly string[]): object {
  const presented = presentedOf(texts.map(certificate))!;
  const names = [...presented.byName].map(([name, all]) => [name, all.map(({ id }) => id).join()]);
  return {
    '': presented.fallback.map(({ id }) => id).join(),
    ...(Object.fromEntries(names) as object),
  };
}

await t.test('one of each kind of key is presented for a name', async (t) => {
  t.equal(presentedOf([]), undefined);
  t.same(idsOf('1 rsa a', '2 ec a'), { '': '1,2', a: '1,2' });
  t.same(idsOf('1 ec a', '2 ec a b'), { '': '1', a: '1', b: '2' }, 'the first of one kind');
  t.same(idsOf('1 rsa a b', '2 ec b'), { '': '1', a: '1', b: '1,2' });
  t.same(idsOf('1 ec', '2 rsa a'), { '': '1', a: '2' }, 'one without a name');
  t.same(idsOf('1 rsa a', '2 ec *.a', '3 rsa *.a'), { '': '1', a: '1', '*.a': '2,3' });
});

await t.test('what ACME brings is not mixed with files, nor with what stands in for it', (t) => {
  t.same(idsOf('1 rsa a', 'acme2 ec a b'), { '': '1', a: '1', b: 'acme2' });
  t.same(idsOf('acme1 ec a', 'acme2 ec a b'), { '': 'acme1', a: 'acme1', b: 'acme2' });
  t.end();
});

await t.test('a client gets a kind of key that it can verify, the most wanted first', (t) => {
  const cases = [
    [['ec', 'rsa'], ['ECDSA+SHA256', 'RSA-PSS+SHA256'], 'ec'],
    [['rsa', 'ec'], ['ECDSA+SHA256', 'RSA-PSS+SHA256'], 'ec'],
    [['ec', 'rsa'], ['RSA-PSS+SHA256', 'ECDSA+SHA256'], 'rsa'],
    [['ec', 'rsa'], ['RSA+SHA256'], 'rsa'],
    [['ec', 'rsa-pss'], ['RSA+SHA256'], undefined],
    [['rsa', 'ed25519'], ['id-ml-dsa-65+UNDEF', 'Ed25519+UNDEF'], 'ed25519'],
    [['ec', 'constructor'], ['', '+', '__proto__+SHA256'], undefined],
    [['ec'], [], undefined],
  ] as const;
  for (const [kinds, algorithms, kind] of cases) {
    t.equal(kindFor(kinds, algorithms), kind, `${kinds.join()} for ${algorithms.join()}`);
  }
  t.end();
});

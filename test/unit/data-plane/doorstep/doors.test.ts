// Which certificate a client sees, by name, by listener and after a renewal.

import t from 'tap';
import type { AcmeChallenge, CertificateSet } from '../../../../src/contract/certificates.ts';
import { keyOfListener } from '../../../../src/contract/worker-settings.ts';
import { Doors } from '../../../../src/data-plane/doorstep/doors.ts';
import { tlsListener } from '../support/test-door.ts';
import { skipWithout } from '../../../support/installed.ts';
import { certificateFor, serveDoor } from '../support/tls-client.ts';

const skip = skipWithout('openssl');

interface Made {
  readonly ids: readonly (readonly string[])[];
  readonly certificates: CertificateSet['certificates'];
  readonly challenges?: readonly AcmeChallenge[];
}

/** Returns a set with one door for each list of ids, at ports from 1 on. */
function setOf(version: number, { ids, certificates, challenges = [] }: Made): CertificateSet {
  return {
    version,
    certificates,
    doors: ids.map((certificates, at) => ({
      listener: keyOfListener(tlsListener(at + 1)),
      certificates,
      clientAuthorities: '',
    })),
    ticketKeys: new Uint8Array(48).fill(7),
    upstreams: [],
    challenges,
  };
}

if (skip !== false) {
  t.pass(skip);
} else {
  const shop = certificateFor('shop', ['shop.test', 'www.shop.test']);
  const wild = certificateFor('wild', ['*.shop.test', '*.other.test']);
  const rsa = certificateFor('rsa', ['rsa.test'], 'rsa');
  const renewed = certificateFor('renewed', ['shop.test', 'new.test']);

  await t.test('by name: exact, then for one label, then the first', async (t) => {
    const certificates = [shop, wild, rsa];
    const doors = new Doors(setOf(1, { ids: [['shop', 'wild', 'rsa']], certificates }));
    const ask = await serveDoor(t, () => doors.of(tlsListener(1))!);
    const expected: readonly (readonly [string, string])[] = [
      ['shop.test', 'shop'],
      ['SHOP.Test', 'shop'],
      ['shop.test.', 'shop'],
      ['www.shop.test', 'shop'],
      ['a.shop.test', 'wild'],
      ['A.Shop.TEST.', 'wild'],
      ['b.other.test', 'wild'],
      ['a.b.shop.test', 'shop'],
      ['other.test', 'shop'],
      ['.shop.test', 'wild'],
      ['rsa.test', 'rsa'],
      ['unknown.test', 'shop'],
      ['localhost', 'shop'],
      ['__proto__', 'shop'],
      ['', 'shop'],
    ];
    for (const [servername, presented] of expected) {
      t.match(await ask({ servername }), { presented, error: undefined }, servername);
    }
    t.ok(doors.hasCertificateFor('A.shop.test'));
    t.notOk(doors.hasCertificateFor('a.b.shop.test'));
    t.notOk(doors.hasCertificateFor('unknown.test'));
  });

  await t.test('a certificate may be for addresses', async (t) => {
    const addresses = ['IP:192.0.2.7', 'IP:2001:db8::7'];
    const certificates = [shop, certificateFor('house', [], 'ec', addresses)];
    const doors = new Doors(setOf(1, { ids: [['shop', 'house']], certificates }));
    for (const host of ['192.0.2.7', '[2001:db8::7]', '[2001:DB8:0::7]', 'shop.test']) {
      t.ok(doors.hasCertificateFor(host), host);
    }
    for (const host of ['192.0.2.8', '[2001:db8::8]', '[]', '[2001:db8::7', '192.0.2.7.']) {
      t.notOk(doors.hasCertificateFor(host), host);
    }
    await doors.renew([], setOf(2, { ids: [['shop']], certificates: [shop] }));
    t.notOk(doors.hasCertificateFor('192.0.2.7'));
  });

  await t.test('unknown names are refused where the listener says so', async (t) => {
    const made = { ids: [['shop', 'wild']], certificates: [shop, wild] };
    const doors = new Doors(setOf(1, made));
    const strict = doors.of(tlsListener(1, { unknownNames: 'refuse' }))!;
    const ask = await serveDoor(t, () => strict);
    for (const servername of ['shop.test', 'Shop.test.', 'x.shop.test']) {
      t.match(await ask({ servername }), { error: undefined }, servername);
      t.ok(strict.isFor(servername));
    }
    for (const servername of ['unknown.test', 'a.b.shop.test']) {
      t.match(await ask({ servername }), { error: 'ECONNRESET', presented: undefined });
      t.notOk(strict.isFor(servername));
    }
    // The doorstep closes it: without a name there is nothing to refuse in the handshake.
    t.notOk(strict.isFor(false));
  });

  await t.test('a challenge is for the authority alone', async (t) => {
    const proof = certificateFor('proof', []);
    const challenges: AcmeChallenge[] = [
      { kind: 'tls-alpn-01', name: 'new.test', chain: proof.chain, key: proof.key },
      { kind: 'http-01', token: 'abc', answer: 'abc.def' },
    ];
    const doors = new Doors(setOf(1, { ids: [['shop']], certificates: [shop], challenges }));
    for (const unknownNames of ['default', 'refuse'] as const) {
      const door = doors.of(tlsListener(1, { unknownNames }))!;
      const ask = await serveDoor(t, () => door);
      const ALPNProtocols = ['acme-tls/1'];
      t.match(await ask({ servername: 'new.test', ALPNProtocols }), {
        presented: 'proof',
        alpn: 'acme-tls/1',
      });
      t.match(await ask({ servername: 'shop.test', ALPNProtocols }), {
        error: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
      });
      t.not((await ask({ servername: 'new.test' })).presented, 'proof');
      t.notOk(door.isFor('new.test'), 'a client that asks for it without is refused');
    }
    t.ok(doors.hasChallenges);
    t.equal(doors.answerFor('abc'), 'abc.def');
    t.equal(doors.answerFor('new.test'), undefined);
    t.equal(doors.answerFor(''), undefined);
  });

  await t.test('each listener presents its own', async (t) => {
    const doors = new Doors(setOf(1, { ids: [['shop'], ['wild']], certificates: [shop, wild] }));
    for (const [port, presented] of [
      [1, 'shop'],
      [2, 'wild'],
    ] as const) {
      const ask = await serveDoor(t, () => doors.of(tlsListener(port))!);
      t.match(await ask({ servername: 'shop.test' }), { presented });
    }
    t.equal(doors.of(tlsListener(3)), undefined, 'no certificate for it');
    t.equal(doors.of({ ...tlsListener(1), tls: undefined }), undefined, 'no TLS');
    for (const clients of ['optional', 'required'] as const) {
      t.equal(doors.of(tlsListener(1, { clients })), undefined, `${clients}, and no authority`);
    }
    t.equal(doors.of(tlsListener(1)), doors.of(tlsListener(1)), 'made once');
    const strict = doors.of(tlsListener(1, { unknownNames: 'refuse' }));
    t.not(doors.of(tlsListener(1)), strict, 'another policy is another door');
  });

  await t.test('a renewal is for handshakes from then on', async (t) => {
    const first = setOf(1, { ids: [['shop']], certificates: [shop] });
    const doors = new Doors(first);
    const ask = await serveDoor(t, () => doors.of(tlsListener(1))!);
    const before = doors.of(tlsListener(1))!;
    const { ticket } = await ask({ servername: 'shop.test' });
    const next = setOf(2, { ids: [['renewed', 'shop']], certificates: [renewed, shop] });
    await doors.renew([tlsListener(1)], next);
    t.match(await ask({ servername: 'shop.test' }), { presented: 'renewed' });
    t.match(await ask({ servername: 'www.shop.test' }), { presented: 'shop' });
    const old = await serveDoor(t, () => before);
    t.match(await old({ servername: 'shop.test' }), { presented: 'shop' }, 'begun before');
    t.match(await ask({ servername: 'shop.test', session: ticket! }), { isResumed: true });
    t.ok(doors.hasCertificateFor('new.test'));
  });

  await t.test('sets come into force in their order, and a bad one changes nothing', async (t) => {
    const doors = new Doors(setOf(1, { ids: [['shop']], certificates: [shop] }));
    const ask = await serveDoor(t, () => doors.of(tlsListener(1))!);
    const bad = { ...wild, id: 'bad', key: shop.key };
    const sets = [
      setOf(2, { ids: [['wild', 'rsa', 'shop']], certificates: [wild, rsa, shop] }),
      setOf(3, { ids: [['rsa', 'bad']], certificates: [rsa, bad] }),
      setOf(4, { ids: [['renewed']], certificates: [renewed] }),
    ];
    const done = sets.map(async (set) => doors.renew([tlsListener(1)], set));
    const [second, third, fourth] = await Promise.allSettled(done);
    t.match(
      [second, third, fourth],
      [{ status: 'fulfilled' }, { status: 'rejected' }, { status: 'fulfilled' }],
    );
    t.match(await ask({ servername: 'shop.test' }), { presented: 'renewed' });
    await t.rejects(doors.renew([tlsListener(1)], sets[1]));
    t.match(await ask({ servername: 'shop.test' }), { presented: 'renewed' });
    t.notOk(doors.hasCertificateFor('rsa.test'));
  });
}

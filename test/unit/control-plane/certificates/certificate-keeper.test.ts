// What the workers are given: at a start, when files change, from an ACME authority,
// and when the keys of session tickets have had their time.

import { copyFileSync } from 'node:fs';
import t from 'tap';
import type { AcmeChallenge } from '../../../../src/contract/certificates.ts';
import { selfSigned } from '../../../../src/control-plane/acme/self-signed.ts';
import { TICKET_KEYS_LIFE_MS } from '../../../../src/control-plane/base/control-limits.ts';
import { pki } from '../support/pki.ts';

import { DAY_MS, keeper, listener, settled, shown, skip, startMs } from './keeper-scene.ts';

await t.test('a start has all listeners, and each certificate once', { skip }, async (t) => {
  const { issue } = pki(t);
  const [a, b] = [issue('a.test'), issue('b.test')];
  const ca = issue('ca', { isAuthority: true });
  const { kept, start, sets } = keeper(t);
  const one = { ...listener('one', a, b, a), clientCa: ca.cert };
  await kept.load([one, listener('two', b), listener('none')]);
  t.same(
    shown(kept.set),
    { one: ['a.test', 'b.test'], two: ['b.test'] },
    'none has nothing to show',
  );
  t.equal(kept.set.certificates.length, 2);
  t.same(
    kept.set.doors.map(({ clientAuthorities }) => clientAuthorities),
    [ca.certText, ''],
  );
  t.equal(kept.set.ticketKeys.length, 48);
  t.equal(sets.length, 0, 'there are no workers yet: they are born with it');
  start();
  t.same(shown(sets.at(-1)!), shown(kept.set));
});

await t.test('a start is refused with everything that is wrong', { skip }, async (t) => {
  const { issue, write } = pki(t);
  const [a, b] = [issue('a.test'), issue('b.test')];
  const { kept } = keeper(t);
  const mixed = { ...a, key: b.key };
  const empty = { ...b, cert: write('empty.pem', '') };
  const config = { ...listener('one', mixed, empty, a, empty), clientCa: '/nowhere' };
  await t.rejects(kept.load([config]), {
    name: 'NamedFilesError',
    message:
      `certificates: ${b.key} is not the key of ${a.cert}: name the two that belong together; ` +
      `${empty.cert} is empty; /nowhere does not exist: check the path`,
  });
});

await t.test(
  'a certificate out of its time is served after a start, and is none for a reload',
  { skip },
  async (t) => {
    const { issue } = pki(t);
    const a = issue('a.test');
    const cases = [
      [31, /has expired 24 h ago/],
      [-1, /is not valid before/],
    ] as const;
    for (const [days, message] of cases) {
      const { kept, clock, log } = keeper(t);
      clock.offsetMs = days * DAY_MS;
      const refused = { code: 'certificate-invalid', message };
      await t.rejects(kept.prepare([listener('one', a)]), refused);
      await kept.load([listener('one', a)]);
      t.same(shown(kept.set), { one: ['a.test'] });
      t.ok(log.has(message));
    }
  },
);

await t.test('what no client would get is told', { skip }, async (t) => {
  const { issue } = pki(t);
  const both = issue('both', { names: 'DNS:a.test,DNS:b.test' });
  const certificates = [both, issue('a.test'), issue('ip', { names: 'IP:10.0.0.1' })];
  const { kept, log } = keeper(t);
  await kept.load([listener('one', ...certificates)]);
  t.ok(
    log.has(
      /one: no client gets certificate 2 \(a\.test\), because certificates before it have all/,
    ),
  );
  t.ok(log.has(/one: no client gets certificate 3 \(\), because it names no DNS host/));
});

await t.test('a renewed file is given to the workers, a bad one is not', { skip }, async (t) => {
  const { issue } = pki(t);
  const [a, renewed] = [issue('a.test'), issue('renewed.test')];
  const { kept, start, sets, log } = keeper(t);
  await kept.load([listener('one', a)]);
  start();
  const [before] = kept.set.certificates;
  copyFileSync(renewed.cert, a.cert);
  await kept.look();
  t.same(kept.set.certificates, [before]);
  const [{ problem } = { problem: '' }] = kept.report();
  t.match(problem, /is not the key of/);
  t.equal(log.lines.filter(({ level }) => level === 'error').length, 1);
  copyFileSync(renewed.key, a.key);
  await kept.look();
  t.same(shown(sets.at(-1)!), { one: ['renewed.test'] });
  t.same(
    kept.report().map((one) => one.problem),
    [''],
  );
  t.ok(log.has(/a\.test\.pem has changed, and what it holds now is in use/));
  const versions = sets.map(({ version }) => version);
  t.same(
    versions,
    versions.toSorted((one, other) => one - other),
  );
  t.equal(new Set(versions).size, versions.length, 'no version is given twice');
});

await t.test(
  'a new file that has expired does not replace one that has not',
  { skip },
  async (t) => {
    const { issue } = pki(t);
    const a = issue('a.test', { days: 90 });
    const old = issue('old.test');
    const { kept, clock } = keeper(t);
    clock.offsetMs = 40 * DAY_MS;
    await kept.load([listener('one', a)]);
    copyFileSync(old.cert, a.cert);
    copyFileSync(old.key, a.key);
    await kept.look();
    t.same(shown(kept.set), { one: ['a.test'] });
    t.match(kept.report()[0]?.problem, /a\.test\.pem has expired 10 d ago, at .*: renew it/);
  },
);

await t.test('what an authority has issued is presented behind the files', { skip }, async (t) => {
  const { issue } = pki(t);
  const [a, b] = [issue('a.test'), issue('b.test')];
  const { kept, start, sets, log } = keeper(t);
  await kept.load([
    { ...listener('one', a), usesAcme: true },
    { ...listener('two'), usesAcme: true },
  ]);
  t.same(shown(kept.set), { one: ['a.test'] }, 'a listener waits for its first certificate');
  const issued = {
    domain: 'b.test',
    chain: b.certText,
    key: b.keyText,
    isSelfSigned: false,
  };
  await kept.setObtained([issued]);
  t.equal(sets.length, 0, 'workers are born with it');
  t.same(shown(kept.set), { one: ['a.test', 'b.test'], two: ['b.test'] });
  start();
  await kept.setObtained([issued, { ...issued, domain: 'c.test', key: a.keyText }]);
  t.same(shown(sets.at(-1)!), { one: ['a.test', 'b.test'], two: ['b.test'] });
  t.ok(
    log.has(
      /not used: the key of c\.test by ACME is not the key of the certificate of c\.test by ACME/,
    ),
  );
  t.same(
    kept.report().map(({ name, source }) => [name, source]),
    [
      ['a.test', a.cert],
      ['b.test', 'acme'],
    ],
  );
  t.equal(kept.faultOf(issued), undefined);
  const mixed = { ...issued, chain: b.certText + a.certText };
  t.match(kept.faultOf(mixed), /certificate 2 .* did not sign any that stands before it/);
});

await t.test('a name of ACME that a file is for, too, is told', { skip }, async (t) => {
  const { issue } = pki(t);
  const [file, issued] = [issue('a.test'), issue('a.test')];
  const { kept, log } = keeper(t);
  await kept.load([{ ...listener('one', file), usesAcme: true }]);
  const { certText: chain, keyText: key } = issued;
  const given = { domain: 'a.test', chain, key, isSelfSigned: false };
  await kept.setObtained([given]);
  await kept.setObtained([given]);
  const told = /one: no client gets the certificate that ACME has for a\.test, because a file is/;
  t.equal(log.lines.filter(({ message }) => told.test(message)).length, 1);
});

await t.test('a self-signed certificate is presented, and its end is not told', async (t) => {
  const { kept, log } = keeper(t);
  await kept.load([{ ...listener('one'), usesAcme: true }]);
  const life = { notBeforeMs: startMs, notAfterMs: startMs + DAY_MS };
  const standIn = { domain: 'a.test', isSelfSigned: true, ...selfSigned(['a.test'], life) };
  await kept.setObtained([standIn]);
  t.same(shown(kept.set), { one: ['a.test'] });
  t.same(kept.report(), []);
  t.same(log.lines, []);
});

await t.test('challenges are there when every worker has said so', async (t) => {
  const { kept, start, sets, workers } = keeper(t);
  await kept.load([]);
  start();
  const { promise, resolve } = Promise.withResolvers<void>();
  workers.answer = async () => promise;
  const challenges: readonly AcmeChallenge[] = [{ kind: 'http-01', token: 't', answer: 'a' }];
  let isSet = false;
  const setting = kept.setChallenges(challenges).then(() => (isSet = true));
  await settled();
  t.notOk(isSet);
  t.same(sets.at(-1)?.challenges, challenges);
  resolve();
  await setting;
  t.ok(isSet);
});

await t.test(
  'keys of tickets are replaced in time, and an upgrade hands them on',
  { skip },
  async (t) => {
    const { issue } = pki(t);
    const a = issue('a.test');
    const first = keeper(t);
    await first.kept.load([listener('one', a)]);
    first.start();
    const { ticketKeys } = first.kept.set;
    await first.timers.pass(TICKET_KEYS_LIFE_MS - 1);
    t.same(first.kept.set.ticketKeys, ticketKeys);
    const second = keeper(t);
    second.clock.offsetMs = TICKET_KEYS_LIFE_MS - 1;
    await second.kept.load([listener('one', a)]);
    t.not(second.kept.set.ticketKeys.toString(), ticketKeys.toString());
    second.start();
    // As it goes through the channel.
    second.kept.inherit(JSON.parse(JSON.stringify(first.kept.bequest)));
    t.same([...second.sets.at(-1)!.ticketKeys], [...ticketKeys]);
    await second.timers.pass(1);
    t.not(second.sets.at(-1)!.ticketKeys.toString(), ticketKeys.toString(), 'their age goes on');
    await first.timers.pass(1);
    t.not(first.sets.at(-1)!.ticketKeys.toString(), ticketKeys.toString());
    const { version } = first.kept.set;
    await first.timers.pass(3 * TICKET_KEYS_LIFE_MS);
    t.equal(first.kept.set.version, version + 3);
    first.kept.stop();
    t.equal(first.timers.count, 0);
  },
);

await t.test('keys that are old or none are not taken over', async (t) => {
  const { kept, clock } = keeper(t);
  await kept.load([]);
  const own = kept.set.ticketKeys;
  const { sinceMs, keys } = kept.bequest;
  kept.inherit({ keys: 'AAAA', sinceMs });
  kept.inherit({
    keys: Buffer.alloc(48).toString('base64'),
    sinceMs: sinceMs - TICKET_KEYS_LIFE_MS,
  });
  t.same(kept.set.ticketKeys, own);
  t.equal(kept.bequest.keys, keys);
  clock.offsetMs = -DAY_MS;
  kept.inherit({ keys: Buffer.alloc(48, 1).toString('base64'), sinceMs });
  t.equal(kept.set.ticketKeys[0], 1, 'a clock that was set back is no reason');
});

await t.test('no secret comes into the log', { skip }, async (t) => {
  const { issue } = pki(t);
  const a = issue('a.test');
  const { kept, start, log, workers } = keeper(t);
  await kept.load([listener('one', a)]);
  workers.answer = async () => {
    throw new Error('no answer');
  };
  start();
  copyFileSync(a.key, a.cert);
  t.match(await kept.look(), [/holds a key and no certificate/]);
  const b = issue('b.test');
  copyFileSync(b.cert, a.cert);
  copyFileSync(b.key, a.key);
  t.same(await kept.look(), ['no answer']);
  t.same(await kept.look(), [], 'it has come meanwhile, or comes with the next set');
  const said = JSON.stringify([log.lines, log.debugs]);
  t.notMatch(said, a.keyText.split('\n')[1]!.slice(0, 20));
  t.notMatch(said, kept.bequest.keys);
});

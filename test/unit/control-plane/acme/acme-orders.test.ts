// Which orders are placed, and when; what listeners present meanwhile, and what becomes of failures.

import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { selfSigned } from '../../../../src/control-plane/acme/self-signed.ts';
import { settled } from '../support/manual-timers.ts';
import { acmeSettings, AcmeWorld, CA, DAY_MS } from './acme-world.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const TWO = acmeSettings(['a.shop.test', 'b.shop.test']);

function challenge(token: string) {
  return { kind: 'http-01', token, answer: `${token}.x` } as const;
}

function domainsOf(world: AcmeWorld): string[] {
  return world.orders.map(({ brief }) => brief.domain);
}

await t.test(
  'the first start orders each domain, and presents a self-signed certificate',
  async (t) => {
    const world = new AcmeWorld(TWO);
    const [before] = world.acme.certificates;
    t.match(before, { domain: 'a.shop.test', isSelfSigned: true });
    t.same(domainsOf(world), [], 'nothing is ordered before this process is in charge');
    world.acme.start();
    t.same(domainsOf(world), ['a.shop.test', 'b.shop.test']);
    t.same(world.obtained, [before], 'which is made once');
    t.ok(world.log.has(/no certificate yet/));
    await world.issue(world.orders[0]!);
    t.match(world.obtained, [
      { domain: 'a.shop.test', isSelfSigned: false },
      { domain: 'b.shop.test', isSelfSigned: true },
    ]);
    await world.issue(world.orders[1]!);
    t.match(world.obtained, [
      { domain: 'a.shop.test', isSelfSigned: false },
      { domain: 'b.shop.test', isSelfSigned: false },
    ]);
    t.same(world.acme.counts, { obtained: 2, failed: 0 });
  },
);

await t.test(
  'an order has the account, its email and the challenge, and the account is registered once',
  async (t) => {
    const world = new AcmeWorld(TWO);
    world.acme.start();
    const [first, second] = world.orders;
    t.match(first?.brief, { directory: CA, accountUrl: '', email: 'ops@shop.test', trusted: '' });
    t.match(first?.brief, { challenge: 'http-01', isEmailNew: true, binding: undefined });
    t.equal(first?.brief.accountKey, second?.brief.accountKey);
    first?.hands.account('https://ca.test/account/1');
    await world.fail(first!);
    await world.timers.pass(2 * MINUTE_MS);
    const again = world.open.find(({ brief }) => brief.domain === 'a.shop.test');
    t.match(again?.brief, { accountUrl: 'https://ca.test/account/1', isEmailNew: false });
    world.acme.follow({ ...TWO, email: 'new@shop.test' });
    await world.fail(again!);
    await world.timers.pass(HOUR_MS);
    t.match(world.open.at(-1)?.brief, { email: 'new@shop.test', isEmailNew: true });
  },
);

await t.test(
  'an authority is told to look once workers answer all that runs, and not for longer',
  async (t) => {
    const world = new AcmeWorld(TWO);
    world.acme.start();
    const [a, b] = world.orders;
    await a!.hands.answer(challenge('one'));
    t.same(world.challenges, [challenge('one')]);
    await b!.hands.answer(challenge('two'));
    t.same(world.challenges, [challenge('one'), challenge('two')]);
    await world.issue(a!);
    t.same(world.challenges, [challenge('two')]);
    await world.fail(b!);
    t.same(world.challenges, []);
  },
);

await t.test('two orders run at once, and the others follow', async (t) => {
  const many = acmeSettings(['a.test', 'b.test', 'c.test', 'd.test']);
  const world = new AcmeWorld(many);
  world.acme.start();
  t.same(domainsOf(world), ['a.test', 'b.test']);
  await world.fail(world.orders[0]!);
  t.same(domainsOf(world), ['a.test', 'b.test', 'c.test'], 'one that fails holds up no other');
  await world.issue(world.orders[1]!);
  await world.issue(world.orders[2]!);
  t.same(domainsOf(world), ['a.test', 'b.test', 'c.test', 'd.test']);
});

await t.test(
  'a certificate is renewed in time, and the old one presented until then',
  async (t) => {
    const world = new AcmeWorld(acmeSettings(['a.test']));
    world.acme.start();
    await world.issue(world.orders[0]!);
    const [old] = world.obtained;
    await world.timers.pass(56 * DAY_MS);
    t.equal(world.orders.length, 1);
    await world.timers.pass(8 * DAY_MS);
    t.equal(world.orders.length, 2);
    t.same(world.obtained, [old]);
    await world.issue(world.orders[1]!);
    t.not(world.obtained[0]?.chain, old?.chain);
    await world.timers.pass(50 * DAY_MS);
    t.equal(world.orders.length, 2);
  },
);

await t.test('a failure is told in words, with the next try, and the waits grow', async (t) => {
  const world = new AcmeWorld(acmeSettings(['a.test']));
  world.acme.start();
  t.match(world.acme.status(), [{ domain: 'a.test', isOrdering: true, problem: '' }]);
  await world.fail(world.orders[0]!, 'DNS problem: NXDOMAIN');
  t.strictSame(world.acme.status(), [
    {
      domain: 'a.test',
      notAfterMs: undefined,
      isOrdering: false,
      nextTryMs: world.nowMs + MINUTE_MS,
      failures: 1,
      problem: 'DNS problem: NXDOMAIN',
      advice: '',
    },
  ]);
  const told = world.log.lines.find(
    ({ level, message }) => level === 'warn' && /tried again/.test(message),
  );
  t.match(told?.fields, {
    domain: 'a.test',
    ca: CA,
    problem: 'DNS problem: NXDOMAIN',
    failures: 1,
  });
  const times: number[] = [];
  for (let tries = 0; tries < 6; tries++) {
    const before = world.nowMs;
    while (world.open.length === 0) await world.timers.pass(MINUTE_MS / 2);
    t.match(world.acme.status(), [{ isOrdering: true, problem: 'DNS problem: NXDOMAIN' }]);
    times.push((world.open[0]!.atMs - before) / MINUTE_MS);
    await world.fail(world.open[0]!, 'DNS problem: NXDOMAIN');
  }
  t.same(times, [1, 3, 9, 27, 81, 243]);
  t.same(world.acme.counts, { obtained: 0, failed: 7 });
});

await t.test(
  'a certificate for another name, another key or of the past is a failure',
  async (t) => {
    const world = new AcmeWorld(TWO);
    world.acme.start();
    const [a, b] = world.orders;
    a!.end({ kind: 'obtained', chain: 'no PEM', key: 'none' });
    await settled();
    t.match(world.acme.status()[0], { problem: /cannot be used: there is no certificate in it/ });
    await world.issue(b!, -DAY_MS);
    t.match(world.acme.status()[1], { problem: /never valid/ });
    t.same(world.acme.counts, { obtained: 0, failed: 2 });
    t.match(world.obtained, [{ isSelfSigned: true }]);
  },
);

await t.test('a chain that is cut, or that listeners refuse, takes no place', async (t) => {
  const world = new AcmeWorld(acmeSettings(['a.test']));
  world.acme.start();
  await world.issue(world.open[0]!);
  const good = world.obtained;
  await world.timers.pass(60.5 * DAY_MS + 5 * DAY_MS);
  const life = { notBeforeMs: world.nowMs, notAfterMs: world.nowMs + 90 * DAY_MS };
  const { chain, key } = selfSigned(['a.test'], life);
  const [order] = world.open;
  order!.end({ kind: 'obtained', chain: `${chain}${chain.slice(0, 300)}`, key });
  await settled();
  t.match(world.acme.status(), [{ failures: 1, problem: /chain of certificates is cut off/ }]);
  world.chainFault = 'certificate 2 did not sign any that stands before it';
  await world.timers.pass(2 * MINUTE_MS);
  world.open[0]!.end({ kind: 'obtained', chain, key });
  await settled();
  t.match(world.acme.status(), [{ failures: 2, problem: /cannot be used: certificate 2 did/ }]);
  t.same(world.obtained, good, 'the one before is presented on');
  t.equal(world.records.get('a.test')?.certificate?.chain, good[0]?.chain, 'and stored');
});

await t.test('with a full disk a certificate is used all the same, and stored later', async (t) => {
  const world = new AcmeWorld(acmeSettings(['a.test']));
  world.isDiskFull = true;
  world.acme.start();
  await world.issue(world.orders[0]!);
  t.match(world.obtained, [{ isSelfSigned: false }]);
  t.equal(world.records.get('a.test'), undefined);
  await world.acme.stop();
  world.acme.start();
  t.equal(world.orders.length, 1, 'nor is it forgotten by a stop');
  world.isDiskFull = false;
  await world.timers.pass(2 * MINUTE_MS);
  t.ok(world.records.get('a.test')?.certificate);
  const told = world.log.lines.filter(({ message }) => /was not stored; it is tried/.test(message));
  t.equal(told.length, 1, 'which is told once');
});

await t.test('a clock that jumps years ahead and back costs no certificate', async (t) => {
  const world = new AcmeWorld(acmeSettings(['a.test']));
  world.acme.start();
  await world.issue(world.orders[0]!);
  const [good] = world.obtained;
  world.offsetMs = 3_650 * DAY_MS;
  await world.timers.pass(2 * MINUTE_MS);
  t.equal(world.open.length, 1, 'it seems to have ended');
  t.same(world.obtained, [good], 'and is presented all the same');
  await world.fail(world.open[0]!, 'its certificate has expired');
  world.offsetMs = 0;
  await world.timers.pass(DAY_MS);
  t.equal(world.orders.length, 2);
  t.match(world.acme.status(), [
    { notAfterMs: new X509Certificate(good!.chain).validToDate.getTime() },
  ]);
});

await t.test('wrong files for orders are told long before an order, and once', async (t) => {
  const good = acmeSettings(['a.test']);
  const world = new AcmeWorld(good);
  world.acme.start();
  await world.issue(world.orders[0]!);
  const hmacKeyFile = '/nowhere/hmac';
  for (const [caFile, text] of [
    ['/nowhere/ca.pem', 'does not exist'],
    ['/dev/null', 'is no regular file'],
    [import.meta.filename, 'holds no certificate'],
  ]) {
    const wrong = acmeSettings(['a.test'], {
      caFile: caFile!,
      externalAccount: { keyId: 'a', hmacKeyFile },
    });
    await world.restart(wrong);
    world.acme.start();
    const end = 'until it is right, no certificate can be ordered';
    const expected = [
      `${caFile} ${text}: see acme.caFile; ${end}`,
      `${hmacKeyFile} does not exist: see acme.eab.hmacKeyFile; ${end}`,
    ];
    const told = () =>
      world.log.lines.map((line) => line.message).filter((one) => one.endsWith(end));
    t.strictSame(told().slice(-2), expected);
    const { length } = told();
    world.acme.follow(wrong);
    t.equal(told().length, length, 'not again by each reload');
  }
  t.match(world.obtained, [{ domain: 'a.test', isSelfSigned: false }], 'it is served as before');
  t.equal(world.orders.length, 1, 'and nothing is due');
});

await t.test('a file of the operator that cannot be read is a failure that is told', async (t) => {
  const caFile = '/nowhere/ca.pem';
  const world = new AcmeWorld(acmeSettings(['a.test'], { caFile }));
  world.acme.start();
  t.equal(world.orders.length, 0);
  t.match(world.acme.status(), [
    { failures: 1, problem: /^\/nowhere\/ca\.pem does not exist: see acme\.caFile$/ },
  ]);
});

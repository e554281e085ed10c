// Which deployments use an address, and which may share one.

import t from 'tap';
import type { OperatorError } from '../../../../src/control-plane/base/problems.ts';
import {
  addressInUse,
  asWritten,
  isSameRelease,
  keptAt,
  nameOf,
  namesOf,
  usesOf,
  type AddressUse,
} from '../../../../src/control-plane/deployments/address-use.ts';
import { deployment, SERVICE, serviceState } from '../support/stored.ts';

const [ONE, TWO] = ['http://127.0.0.1:3001', 'http://127.0.0.1:3002'];

const DRAIN = {
  deployment: 3,
  startedAtMs: 1,
  sessionsUntilMs: 2,
  endsAtMs: 3,
  longLived: 'spread',
} as const;

/** Deployment 3 drains, 4 is only kept; both are where 1 and 2 are. */
const BUSY = serviceState({
  deployments: [
    ...SERVICE.deployments,
    deployment(3, { urls: [ONE, TWO] }),
    deployment(4, { urls: [ONE] }),
  ],
  draining: [DRAIN],
});

function told(uses: readonly AddressUse[]): unknown[] {
  return uses.map(({ service, deployment: { number }, use, urls }) => [service, number, use, urls]);
}

await t.test('every service that has something at an address is found', async (t) => {
  const shop = { ...BUSY, name: 'shop' };
  t.strictSame(told(usesOf([ONE, 'http://127.0.0.1:9'], [BUSY, shop], asWritten)), [
    ['default', 1, 'active', [ONE]],
    ['default', 3, 'draining', [ONE]],
    ['shop', 1, 'active', [ONE]],
    ['shop', 3, 'draining', [ONE]],
  ]);
  t.strictSame(told(usesOf([TWO], [BUSY], asWritten)), [
    ['default', 2, 'idle', [TWO]],
    ['default', 3, 'draining', [TWO]],
  ]);
  t.strictSame(usesOf(['http://127.0.0.1:9'], [BUSY, shop], asWritten), []);
});

await t.test('what drains and is idle, too, is told as draining, once', async (t) => {
  const left = serviceState({ draining: [{ ...DRAIN, deployment: 2 }] });
  t.strictSame(told(usesOf([TWO], [left], asWritten)), [['default', 2, 'draining', [TWO]]]);
});

await t.test('what another release has taken over uses its address no more', async (t) => {
  const takenOver = { service: 'shop', deployment: 9, release: 'v9' };
  const deployments = [SERVICE.deployments[0]!, deployment(2, { takenOver, urls: [TWO] })];
  t.strictSame(usesOf([TWO], [serviceState({ deployments })], asWritten), []);
});

function placesOf(url: string): ReadonlySet<string> {
  return new Set([url.replace('localhost', '127.0.0.1')]);
}

await t.test('places count, not how they are written', async (t) => {
  const localhost = ONE.replace('127.0.0.1', 'localhost');
  t.strictSame(told(usesOf([localhost], [SERVICE], placesOf)), [['default', 1, 'active', [ONE]]]);
  t.strictSame(usesOf([localhost], [SERVICE], asWritten), []);
});

function numbersAt(url: string): number[] {
  return keptAt([url], BUSY, asWritten).map(({ number }) => number);
}

await t.test('what was at an address is found as long as it is kept', async (t) => {
  t.strictSame(
    [numbersAt(ONE), numbersAt(TWO)],
    [
      [1, 3, 4],
      [2, 3],
    ],
  );
});

await t.test('registrations of one named release may share an address, others not', async (t) => {
  const uses = ['active', 'idle', 'draining'] as const;
  const shared = (wanted: string, used: string) =>
    uses.map((use) => {
      const there = deployment(1, { release: used });
      return isSameRelease({ release: wanted }, { service: 'a', deployment: there, use, urls: [] });
    });
  t.strictSame(shared('v1', 'v1'), [true, true, true]);
  t.strictSame(shared('v1', 'v2'), [false, false, false]);
  t.strictSame(shared('v1', ''), [false, false, false]);
  t.strictSame(shared('', 'v1'), [false, false, false]);
  t.strictSame(
    shared('', ''),
    [true, true, false],
    'of what has no name, what was left is another',
  );
});

function refusalAt(url: string): OperatorError {
  return addressInUse('shop', usesOf([url], [BUSY], asWritten));
}

await t.test('a refusal tells what uses what, and what would help', async (t) => {
  t.match(refusalAt(TWO), {
    code: 'address-in-use',
    status: 409,
    message:
      `${TWO} is registered for v2 (deployment 2) of default; ` +
      `${TWO} is still drained by v3 (deployment 3) of default: ` +
      'wait until it has ended, use other addresses, or say "evict": true to take them over',
    members: {
      uses: [
        { service: 'default', deployment: 2, release: 'v2', use: 'idle', targets: [TWO] },
        { service: 'default', deployment: 3, release: 'v3', use: 'draining', targets: [TWO] },
      ],
    },
  });
  const active = refusalAt(ONE);
  t.match(active.message, /gets the traffic of v1 \(deployment 1\) of default; .*: use other addr/);
  t.notMatch(active.message, /evict/, 'what gets traffic is not evicted');
});

await t.test('deployments have names for people', async (t) => {
  t.equal(nameOf(deployment(1)), 'v1 (deployment 1)');
  t.equal(nameOf(deployment(1, { release: '' })), 'deployment 1');
  const many = [1, 2, 3, 4, 5, 6].map((number) => deployment(number, { release: '' }));
  t.equal(namesOf(many), 'deployment 1, deployment 2, deployment 3, deployment 4 and 2 more');
  t.equal(namesOf(many.slice(0, 2)), 'deployment 1, deployment 2');
});

await t.test('a refusal names a few of many uses, and counts the others', async (t) => {
  const urls = Array.from({ length: 30 }, (_, index) => `http://127.0.0.1:${4000 + index}`);
  const uses = Array.from({ length: 50 }, (_, index): AddressUse => {
    const one = deployment(index + 1, { release: `v${index}`, urls });
    return { service: 'shop', deployment: one, use: 'idle', urls };
  });
  const error = addressInUse('shop', uses);
  t.ok(error.message.length < 1_500, `${error.message.length} characters`);
  t.match(error.message, /and 26 more is registered for v0 \(deployment 1\).*and 46 more:/);
  t.equal((error.members['uses'] as unknown[]).length, 50, 'a script sees all');
});

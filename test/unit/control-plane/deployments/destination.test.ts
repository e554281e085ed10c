// Which deployment is meant by a color, a number or a release, and which one may not get traffic.

import t from 'tap';
import type { ServiceState } from '../../../../src/control-plane/store/service-state.ts';
import { asWritten } from '../../../../src/control-plane/deployments/address-use.ts';
import {
  beforeLastSwitch,
  checkAddresses,
  checkLockedOut,
  destination,
  lockOutsOf,
} from '../../../../src/control-plane/deployments/destination.ts';
import { deployment, SERVICE, serviceState } from '../support/stored.ts';

const TAKEN = { service: 'shop', deployment: 9, release: 'v9' };
const LOCKED = { deployment: 2, reason: 'it leaks', actor: 'ann', atMs: 86_400_000, epoch: 5 };

/** Returns a service that keeps `more` deployments. */
function keeping(...more: readonly ReturnType<typeof deployment>[]): ServiceState {
  return serviceState({ deployments: [...SERVICE.deployments, ...more] });
}

function meant(state: ServiceState, to: string | number): number {
  return destination(state, to).number;
}

await t.test('a color, a number or a release id leads to a deployment', async (t) => {
  const state = keeping(deployment(3));
  for (const [to, number] of [
    ['green', 2],
    ['blue', 1],
    [2, 2],
    ['2', 2],
    ['v2', 2],
    ['v3', 3],
    [3, 3],
  ] as const) {
    t.equal(meant(state, to), number, String(to));
  }
});

await t.test('a color without a deployment leads nowhere', async (t) => {
  const state = serviceState({ green: { deployment: 0, configured: '' } });
  t.throws(() => destination(state, 'green'), {
    code: 'no-targets',
    status: 409,
    message: 'default: green has no target',
  });
});

await t.test('what is not kept is refused, with what is', async (t) => {
  for (const to of ['v7', 7, '0', 0, 'toString', '2.5', '-1', 'NaN']) {
    t.throws(() => destination(SERVICE, to), {
      code: 'deployment-unknown',
      message:
        `default keeps no deployment ${to}: ` +
        'expected a color, or one of v2 (deployment 2), v1 (deployment 1)',
      members: {
        deployments: [
          { number: 1, release: 'v1' },
          { number: 2, release: 'v2' },
        ],
      },
    });
  }
});

await t.test('a release that is called by a number comes before the number', async (t) => {
  t.equal(meant(keeping(deployment(3, { release: '1' })), '1'), 3);
  t.equal(meant(keeping(deployment(3, { release: '1' })), 1), 3);
});

await t.test('of one release, what a color has comes first, then the latest', async (t) => {
  const later = [3, 4].map((number) => deployment(number, { release: 'v2' }));
  t.equal(meant(keeping(...later), 'v2'), 2, 'green has it');
  const kept = [3, 4].map((number) => deployment(number, { release: 'v0' }));
  t.equal(meant(keeping(...kept), 'v0'), 4);
});

await t.test('what was taken over comes last, and is found if there is no other', async (t) => {
  const gone = deployment(4, { release: 'v0', takenOver: TAKEN });
  t.equal(meant(keeping(deployment(3, { release: 'v0' }), gone), 'v0'), 3);
  t.equal(meant(keeping(gone), 'v0'), 4);
});

function after(from: number, outcome: 'switched' | 'rolled-back' = 'switched'): ServiceState {
  return serviceState({ lastSwitch: { from, outcome, actor: '' } });
}

await t.test('the way back leads to what was active before', async (t) => {
  t.equal(beforeLastSwitch(after(2)).number, 2);
  for (const [state, message] of [
    [SERVICE, 'default was never switched'],
    [after(0), 'nothing was active on default before the last switch'],
    [
      after(2, 'rolled-back'),
      'the last change of default was already a rollback to blue; to go to green again, switch',
    ],
  ] as const) {
    t.throws(() => beforeLastSwitch(state), {
      code: 'nothing-to-roll-back-to',
      status: 409,
      message,
    });
  }
});

await t.test('a deployment whose address runs another release now is refused', async (t) => {
  const gone = deployment(3, { takenOver: TAKEN });
  const state = keeping(gone);
  const world = { services: new Map([['default', state]]), placesOf: asWritten };
  t.throws(() => checkAddresses(state, gone, world), {
    code: 'address-in-use',
    status: 409,
    message:
      'http://127.0.0.1:3003: v3 (deployment 3) does not run there any more, it is the address of ' +
      'v9 (deployment 9) of shop now; choose another deployment, or say "force" with a reason',
    members: { takenOver: TAKEN },
  });
  const own = deployment(3, { takenOver: { ...TAKEN, service: 'default' } });
  t.throws(() => checkAddresses(state, own, world), { message: /of v9 \(deployment 9\) now;/ });
});

await t.test('so is one where another release is in use, in any service', async (t) => {
  const kept = deployment(3, { release: 'v1', urls: ['http://127.0.0.1:3002'] });
  const state = keeping(kept);
  const check = (service: ServiceState) => () =>
    checkAddresses(service, kept, { services: new Map([['x', state]]), placesOf: asWritten });
  t.throws(check(state), { code: 'address-in-use', message: /registered for v2 \(deployment 2\)/ });
  t.throws(check({ ...state, name: 'shop' }), { message: /v2 \(deployment 2\) of default/ });
  const [, green] = SERVICE.deployments;
  const services = new Map([['default', state]]);
  t.doesNotThrow(() => checkAddresses(state, green!, { services, placesOf: asWritten }), 'itself');
});

await t.test('a release that was fled from is refused wherever it is registered', async (t) => {
  const lockOuts = [{ ...LOCKED, release: 'v2' }];
  const elsewhere = deployment(3, { release: 'v2' });
  const state = { ...keeping(elsewhere), lockOuts };
  for (const to of [SERVICE.deployments[1]!, elsewhere]) {
    t.throws(() => checkLockedOut(state, to), {
      code: 'release-locked-out',
      status: 409,
      message:
        `default: ann rolled back from v2 (deployment ${to.number}) at 1970-01-02T00:00:00.000Z, ` +
        'because: it leaks; register another release, or unlock it',
      members: {
        release: 'v2',
        deployment: to.number,
        lockedOut: { actor: 'ann', reason: 'it leaks', generation: 5 },
      },
    });
  }
  t.doesNotThrow(() => checkLockedOut(state, SERVICE.deployments[0]!));
  const silent = { ...state, lockOuts: [{ ...lockOuts[0]!, reason: '' }] };
  t.throws(() => checkLockedOut(silent, elsewhere), { message: /, without a reason; / });
});

await t.test('a lock-out is meant by a release, a color or a number', async (t) => {
  const lockOuts = ['v2', 'v99'].map((release) => ({ ...LOCKED, release }));
  const state = serviceState({ lockOuts });
  for (const what of ['v2', 'green', 2]) t.strictSame(lockOutsOf(state, what), [lockOuts[0]]);
  t.strictSame(lockOutsOf(state, 'v99'), [lockOuts[1]], 'also where nothing of it is kept');
  t.strictSame(lockOutsOf(state, 'blue'), []);
  t.throws(() => lockOutsOf(state, 'v7'), { code: 'deployment-unknown' });
});

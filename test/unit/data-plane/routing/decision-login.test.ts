// Where a client is sent whose connection is logged in, or logs in just now.

import t from 'tap';
import { isLive } from '../../../../src/contract/table.ts';
import { Bonds } from '../../../../src/data-plane/transport/bonds.ts';
import {
  clientOf,
  Deciding,
  DEPLOYMENT,
  deploymentAt,
  DRAINING_SLOTS,
  drain,
  lockedOut,
  shop,
  tokenOf,
  type Asking,
  type Place,
} from '../../../support/deciding.ts';
import { FakePool } from '../support/fake-streams.ts';

const { active, draining } = DEPLOYMENT;

/** Returns a client that has a connection to the deployment at `place`. */
function bound(place: Place, isLoggingIn: boolean): Asking {
  const bonds = new Bonds();
  bonds.begin(isLoggingIn);
  bonds.challenge();
  const { endpoints } = deploymentAt(place, { color: 'blue', release: '', slots: [0] });
  const [endpoint] = endpoints.filter(isLive);
  bonds.keep(new FakePool(endpoint!), { close() {} });
  return { client: { ...clientOf(), bonds } };
}

const session = (deployment: number): string => `Cookie: turnout=${tokenOf(deployment)}`;
const NAVIGATION = 'Sec-Fetch-Dest: document';

await t.test('a login goes on where it has begun, as long as that may be', async (t) => {
  const cases: readonly (readonly [Place, readonly string[], Place])[] = [
    ['active', [], 'active'],
    ['active', [session(draining)], 'active'],
    ['draining', [], 'draining'],
    ['draining', [session(active)], 'draining'],
    ['draining', [session(draining), NAVIGATION], 'draining'],
    ['draining', ['x-deployment-id: r3'], 'draining'],
    ['over', [], 'over'],
    ['idle', [], 'active'],
  ];
  for (const [place, fields, to] of cases) {
    const world = new Deciding({ affinity: { mode: 'drain' }, skew: { isOn: true } });
    const outcome = world.ask(fields, bound(place, true));
    t.equal(outcome.to, to, `${place} ${fields.join()}`);
    t.equal(outcome.reason, to === 'active' ? 'active' : 'session');
  }
});

await t.test('a client that has logged in stays while sessions may', async (t) => {
  const cases: readonly (readonly [Place, readonly string[], Place])[] = [
    ['active', [], 'active'],
    ['draining', [], 'draining'],
    ['draining', [session(active)], 'active'],
    ['draining', [session(draining)], 'draining'],
    ['active', [session(draining)], 'draining'],
    ['over', [], 'active'],
    ['idle', [], 'active'],
  ];
  for (const [place, fields, to] of cases) {
    const outcome = new Deciding({ affinity: { mode: 'drain' } }).ask(fields, bound(place, false));
    t.equal(outcome.to, to, `${place} ${fields.join()}`);
  }
});

await t.test('a client that has logged in moves on where its deployment is down', async (t) => {
  const world = new Deciding({ affinity: { mode: 'drain' } });
  world.setDown(DRAINING_SLOTS);
  t.equal(world.ask([], bound('draining', false)).to, 'active');
});

await t.test('a deployment that is locked out gets no step of a login', async (t) => {
  const bad = lockedOut(deploymentAt('draining', { color: 'blue', release: 'r2', slots: [0] }));
  const world = new Deciding({}, { ...shop(), draining: [drain(bad, 600)] });
  t.equal(world.ask([], bound('draining', true)).to, 'active');
  t.equal(world.ask([], bound('draining', false)).to, 'active');
});

await t.test('a hold comes before a login', async (t) => {
  const hold = { methods: 'all', untilMs: Infinity, closesLongLived: false } as const;
  const world = new Deciding({}, { ...shop(), hold });
  t.equal(world.ask([], bound('active', true)).verdict, 'wait');
});

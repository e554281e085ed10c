// What versions before deployments have stored of a service, made into a state of today.

import t from 'tap';
import {
  parseState,
  printState,
  type ServiceState,
} from '../../../../src/control-plane/store/service-state.ts';
import {
  stateOfLegacy,
  type LegacyService,
} from '../../../../src/control-plane/store/legacy-state.ts';

const ONE = { release: 'v1', urls: ['http://127.0.0.1:3001'] };
const TWO = { release: 'v2', urls: ['http://127.0.0.1:3002'] };
const TIMES = { startedAtMs: 1, sessionsUntilMs: 2, endsAtMs: 3, longLived: 'spread' } as const;

const SLOTS = {
  blue: { ...ONE, hasServed: true, configured: 'b' },
  green: { ...TWO, hasServed: false, configured: 'g' },
};

/** Returns the state of a service that is on blue since the generation 4, with this JSON. */
function made(state: object, changes: Partial<LegacyService> = {}): ServiceState {
  const row = { name: 'shop', active: 'blue', since: 4, sinceAtMs: 900, last: undefined } as const;
  const found = stateOfLegacy({ ...row, state: JSON.stringify(state), ...changes }, 10);
  t.strictSame(parseState(printState(found)), found, 'it can be stored as it is');
  return found;
}

await t.test('each color has a deployment of its own, with the next numbers', async (t) => {
  const state = made({ ...SLOTS, draining: [] });
  t.match(state, {
    name: 'shop',
    active: 'blue',
    activeSinceMs: 900,
    blue: { deployment: 10, configured: 'b' },
    green: { deployment: 11, configured: 'g' },
    draining: { length: 0 },
    lockOuts: { length: 0 },
    lastSwitch: undefined,
  });
  t.match(state.deployments, [
    { ...ONE, number: 10, color: 'blue', servedSince: 4 },
    { ...TWO, number: 11, color: 'green', servedSince: 0 },
  ]);
  t.strictSame(state.legacy, [[4, 10]], 'cookies of the active generation mean what is active');
});

await t.test('generations that came back lead to the same deployment', async (t) => {
  const state = made({ ...SLOTS, resumed: [1, 3], draining: [] });
  t.strictSame(state.legacy, [
    [4, 10],
    [1, 10],
    [3, 10],
  ]);
});

await t.test('what drains keeps its times and its cookies, and its color', async (t) => {
  const drain = { ...TWO, ...TIMES, generation: 2, resumed: [1], color: 'green' };
  const gone = { ...TWO, release: 'v0', ...TIMES, generation: 3, resumed: [], color: 'green' };
  const slots = { ...SLOTS, green: { ...SLOTS.green, hasServed: true } };
  const state = made({ ...slots, draining: [drain, gone] });
  t.strictSame(state.draining, [
    { deployment: 10, ...TIMES },
    { deployment: 11, ...TIMES },
  ]);
  t.match(state.deployments, [
    { number: 10, release: 'v2', servedSince: 2 },
    { number: 11, release: 'v0', servedSince: 3 },
    { number: 12, release: 'v1', servedSince: 4 },
  ]);
  t.match(
    state,
    { blue: { deployment: 12 }, green: { deployment: 10 } },
    'idle and draining is one',
  );
  t.strictSame(state.legacy, [
    [2, 10],
    [1, 10],
    [3, 11],
    [4, 12],
  ]);
});

await t.test('a release at one address on both colors is two deployments', async (t) => {
  const state = made({ blue: SLOTS.blue, green: { ...SLOTS.green, ...ONE }, draining: [] });
  t.match(state, { blue: { deployment: 10 }, green: { deployment: 11 } });
});

await t.test(
  'a color without targets has no deployment, and keeps what was configured',
  async (t) => {
    const empty = { release: '', urls: [], hasServed: false, configured: 'nothing' };
    const state = made({ blue: SLOTS.blue, green: empty, draining: [] });
    t.strictSame(state.green, { deployment: 0, configured: 'nothing' });
    const unknown = made({ draining: [] });
    t.strictSame(unknown.blue, { deployment: 0, configured: '' });
    t.strictSame([unknown.deployments, unknown.legacy], [[], []]);
  },
);

await t.test('a lock-out is of the release from now on', async (t) => {
  const lockedOut = { reason: 'it leaks', actor: 'ann', atMs: 5, generation: 3 };
  const state = made({ ...SLOTS, green: { ...SLOTS.green, lockedOut }, draining: [] });
  t.strictSame(state.lockOuts, [
    { reason: 'it leaks', actor: 'ann', atMs: 5, release: 'v2', deployment: 11, epoch: 3 },
  ]);
});

await t.test('the way back leads to what the last switch has left', async (t) => {
  const last = { outcome: 'switched', actor: 'ann' } as const;
  const left = (side: object, from: 'blue' | 'green' = 'green') =>
    made({ ...SLOTS, draining: [] }, { last: { ...last, from, left: JSON.stringify(side) } });
  t.strictSame(left(TWO).lastSwitch, { from: 11, ...last });
  const replaced = left({ ...TWO, release: 'v0' });
  t.equal(replaced.lastSwitch?.from, 12, 'also where something else is on its color now');
  t.match(replaced.deployments[2], { number: 12, release: 'v0', color: 'green', servedSince: 1 });
  t.equal(left({ release: '', urls: [] }).lastSwitch?.from, 0, 'or nowhere');
});

await t.test('maintenance goes on', async (t) => {
  const maintenance = { message: 'soon', retryAfterSeconds: 5 };
  t.strictSame(made({ ...SLOTS, draining: [], maintenance }).maintenance, maintenance);
});

await t.test('what makes no sense is no state', async (t) => {
  for (const state of [
    {},
    { ...SLOTS },
    { ...SLOTS, draining: [{}] },
    { ...SLOTS, draining: [], odd: 1 },
  ]) {
    t.throws(() => made(state), JSON.stringify(state).slice(0, 30));
  }
  t.throws(() => made({}, { state: 'no JSON' }));
});

// Other targets for a deployment: what is the same deployment still, and what is refused.

import * as fc from 'fast-check';
import t from 'tap';
import { OperatorError } from '../../../../src/control-plane/base/problems.ts';
import {
  deploymentOf,
  type ServiceState,
} from '../../../../src/control-plane/store/service-state.ts';
import { asWritten } from '../../../../src/control-plane/deployments/address-use.ts';
import {
  registration,
  type World,
} from '../../../../src/control-plane/deployments/registration.ts';
import { mayScale, scaling } from '../../../../src/control-plane/deployments/scaling.ts';
import { testPolicy } from '../../../support/policy.ts';
import { deployment, serviceState } from '../support/stored.ts';

const NOW_MS = 5_000;

function at(port: number): string {
  return `http://127.0.0.1:${port}`;
}

/** Blue has the deployment 1 at three places and is active, green has the deployment 2. */
const SHOP = serviceState({
  deployments: [
    deployment(1, { servedSince: 1, urls: [at(1), at(2), at(3)] }),
    deployment(2, { color: 'green', urls: [at(11), at(12)] }),
    deployment(3, { color: 'green', urls: [at(21)] }),
  ],
});

function worldOf(states: readonly ServiceState[], changes: Partial<World> = {}): World {
  return {
    services: new Map(states.map((state) => [state.name, state])),
    nextDeployment: 9,
    placesOf: asWritten,
    allow: [],
    policyOf: () => testPolicy(),
    actor: 'ann',
    nowMs: NOW_MS,
    ...changes,
  };
}

function scale(
  number: number,
  ports: readonly number[],
  { state = SHOP, world = worldOf([state]) }: { state?: ServiceState; world?: World } = {},
) {
  const wanted = { deployment: deploymentOf(state, number)!, urls: ports.map(at) };
  return scaling(state, wanted, world);
}

/** Returns the code of the refusal of `run`. */
function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof OperatorError) return error.code;
    throw error;
  }
  return 'none';
}

await t.test('what comes and what goes is told; the deployment is the same', async (t) => {
  const found = scale(1, [3, 4, 1])!;
  t.strictSame([found.added, found.removed], [[at(4)], [at(2)]]);
  t.equal(found.nextDeployment, 9, 'no number is given');
  const [after] = found.states;
  t.strictSame(deploymentOf(after!, 1)!.urls, [at(3), at(4), at(1)]);
  t.match(after, { leaving: [{ deployment: 1, urls: [at(2)], startedAtMs: NOW_MS }] });
  t.equal(scale(1, [2, 3, 1]), undefined, 'another order changes nothing');
});

await t.test('one that is idle or drains is scaled; one that is only kept is not', async (t) => {
  t.ok(scale(2, [12]));
  t.equal(
    refusal(() => scale(3, [21, 22])),
    'deployment-unknown',
  );
  const drain = { deployment: 3, startedAtMs: 1, sessionsUntilMs: 2, endsAtMs: 3 };
  const draining = serviceState({ ...SHOP, draining: [{ ...drain, longLived: 'cut' }] });
  t.ok(scale(3, [21, 22], { state: draining }));
  const deployments = draining.deployments.map((one) => ({ ...one, release: '' }));
  const nameless = { ...draining, deployments };
  t.ok(scale(3, [21, 22], { state: nameless }), 'it is not in its own way');
});

await t.test('a whole replacement is another release, and refused with the way', async (t) => {
  t.equal(
    refusal(() => scale(1, [4])),
    'replaces-all-targets',
  );
  t.equal(
    refusal(() => scale(2, [13])),
    'replaces-all-targets',
  );
  t.throws(() => scale(1, [4]), { message: /register a release on the other color, then switch/ });
  t.throws(() => scale(2, [13]), { message: /register a release in its place/ });
});

await t.test('an address of another release is refused, also while that only leaves', async (t) => {
  t.equal(
    refusal(() => scale(1, [1, 2, 3, 11])),
    'address-in-use',
  );
  const bank = serviceState({ name: 'bank', deployments: [deployment(7, { urls: [at(5)] })] });
  const other = { ...bank, blue: { deployment: 7, configured: '' }, green: SHOP.green };
  const both = worldOf([SHOP, { ...other, green: { deployment: 0, configured: '' } }]);
  t.equal(
    refusal(() => scale(1, [1, 5], { world: both })),
    'address-in-use',
  );
  const [left] = scale(2, [12])!.states;
  t.equal(
    refusal(() => scale(1, [1, 11], { state: left! })),
    'address-in-use',
  );
  t.ok(scale(2, [12, 11], { state: left! }), 'its own comes back');
});

await t.test('another spelling of a target that goes is no other target', async (t) => {
  const world = worldOf([SHOP], {
    placesOf: (url) => new Set([url.replace('localhost', '127.0.0.1')]),
  });
  const wanted = { deployment: deploymentOf(SHOP, 1)!, urls: [at(1), 'http://localhost:2'] };
  t.equal(
    refusal(() => scaling(SHOP, wanted, world)),
    'target-invalid',
  );
});

await t.test('one that another release has taken over is not scaled', async (t) => {
  const takenOver = { service: 'bank', deployment: 8, release: 'b1' };
  const state = serviceState({
    ...SHOP,
    deployments: SHOP.deployments.map((one) => (one.number === 2 ? { ...one, takenOver } : one)),
  });
  t.notOk(mayScale(deploymentOf(state, 2)!, [at(11)]));
  t.equal(
    refusal(() => scale(2, [11], { state })),
    'address-in-use',
  );
  t.throws(() => scale(2, [11], { state }), { message: /b1 \(deployment 8\) of bank does/ });
});

await t.test('another release at an address that leaves waits, or takes it over', async (t) => {
  const [left] = scale(1, [1])!.states;
  const wanted = {
    color: 'green',
    release: 'v9',
    urls: [at(2)],
    metadata: {},
    unlock: false,
  } as const;
  const register = (evict: boolean) => registration(left!, { ...wanted, evict }, worldOf([left!]));
  t.equal(
    refusal(() => register(false)),
    'address-in-use',
  );
  t.throws(() => register(false), { message: /is still drained by v1 \(deployment 1\)/ });
  const [after] = register(true)!.states;
  t.match(after!.leaving, [{ deployment: 1, longLived: 'cut' }], 'what runs there is hurried');
  t.equal(deploymentOf(after!, 1)!.takenOver, undefined, 'the deployment itself goes on');
});

await t.test('whatever is wanted: one stays, nothing is lost, nothing leaves in use', async (t) => {
  let scaled = 0;
  const ports = fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(ports, { maxLength: 8 }), (all) => {
      let state: ServiceState = SHOP;
      const seen = new Set(deploymentOf(state, 1)!.urls);
      for (const wanted of all) {
        const before = deploymentOf(state, 1)!.urls;
        const urls = wanted.map(at);
        const code = refusal(() => scale(1, wanted, { state }));
        const stays = before.some((url) => urls.includes(url));
        if (code !== (stays ? 'none' : 'replaces-all-targets')) return false;
        if (!stays) continue;
        state = scale(1, wanted, { state })?.states[0] ?? state;
        scaled++;
        for (const url of urls) seen.add(url);
        const own = deploymentOf(state, 1)!.urls;
        const leaving = state.leaving.flatMap((one) => one.urls);
        const known = [...own, ...leaving];
        if (new Set(known).size < known.length) return false;
        if (known.length !== seen.size) return false; // Nothing ends it but the end of its drain.
      }
      return state.deployments.length === SHOP.deployments.length;
    }),
    { numRuns: 1_000 },
  );
  t.ok(scaled > 1_000, `${scaled} times`);
});

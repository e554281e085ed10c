// Which request may leave the deployment that it was sent to, because that can't be reached, and what
// its client is told.

import t from 'tap';
import {
  Deciding,
  DEPLOYMENT,
  NOW_S,
  SERVED_SINCE,
  SESSION_ID,
  tokenOf,
} from '../../../support/deciding.ts';

const { active, draining } = DEPLOYMENT;
const cookie = (deployment: number): string => `Cookie: turnout=${tokenOf(deployment)}`;

await t.test('a session of a deployment that drains goes on as one of the active', (t) => {
  const world = new Deciding({ affinity: { mode: 'drain' } });
  t.equal(world.ask([cookie(draining)]).to, 'draining');
  const moved = world.moved();
  t.equal(moved?.to, 'active');
  t.match(moved?.gives, {
    by: 'cookie',
    deployment: active,
    epoch: SERVED_SINCE.active,
    id: SESSION_ID,
    issuedS: NOW_S - 3_600,
    seenS: NOW_S,
  });
  t.strictSame(world.sessionsSeen(), { draining: 1, active: 1 });
  t.end();
});

await t.test('a request that names its release has no session to tell of', (t) => {
  const world = new Deciding({ affinity: { mode: 'drain' }, skew: { isOn: true } });
  t.equal(world.ask(['x-deployment-id: r2']).to, 'draining');
  t.strictSame(world.moved(), { to: 'active', gives: undefined });
  t.end();
});

await t.test('what goes to the active deployment, and what must not move, stays', (t) => {
  const world = new Deciding({ affinity: { mode: 'drain' } });
  world.ask([cookie(active)]);
  t.equal(world.moved(), undefined);
  world.ask([]);
  t.equal(world.moved(), undefined);
  const strict = new Deciding({ affinity: { mode: 'strict' } });
  t.equal(strict.ask([cookie(draining)]).to, 'draining');
  t.equal(strict.moved(), undefined);
  t.end();
});

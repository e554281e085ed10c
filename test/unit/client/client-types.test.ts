// What the types of `turnout/client` refuse: `npm run typecheck` fails where a marked line is right.

import t from 'tap';
import { TurnoutClient, TurnoutProblem, type KnownCode } from '../../../src/client/client.ts';

/** Never called: the compiler reads it. */
async function refused(client: TurnoutClient): Promise<void> {
  // @ts-expect-error: there are two colors.
  await client.register('red', { release: 'v1', targets: [] });
  // @ts-expect-error: a release has targets.
  await client.register('blue', { release: 'v1' });
  // @ts-expect-error: the time of a hold is a text with a unit.
  await client.switch({ hold: 10 });
  // @ts-expect-error: several services are another call, with another answer.
  await client.switch({ services: ['a', 'b'] });
  // @ts-expect-error: one word of three.
  await client.rollback({ restick: 'some' });
  // @ts-expect-error: a generation is a number.
  await client.switch({}, { ifMatch: '7' });
  // @ts-expect-error: a freeze has a reason.
  await client.freeze({});
  await client.audit({ verify: true, head: '7:abc' });
  // @ts-expect-error: a head is a number and a hash, as text.
  await client.audit({ head: 7 });
  await client.steerRollout('r-1', 'abort', { restick: 'new', ramp: '30s' });
  // @ts-expect-error: taking all traffic over needs a reason.
  await client.steerRollout('r-1', 'promote', {});
  // @ts-expect-error: nothing is done to a rollout so.
  await client.steerRollout('r-1', 'restart', {});
  const { services } = await client.status();
  // @ts-expect-error: no color is called so.
  if (services[0]?.active === 'red') return;
  // @ts-expect-error: an answer is not written to.
  services[0]!.active = 'green';
}

/** Codes of this version are known, and a later version may send others. */
const KNOWN: KnownCode = 'target-unhealthy';
// @ts-expect-error: no such code.
const UNKNOWN: KnownCode = 'target-unwell';

await t.test('the client has what the types are about', async (t) => {
  t.type(refused, 'function');
  for (const code of [KNOWN, UNKNOWN]) t.equal(new TurnoutProblem(409, { code }).code, code);
  t.match(new TurnoutProblem(500, {}).message, 'no reason was given (status 500)');
});

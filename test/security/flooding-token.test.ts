// A token that may switch makes as many calls as it can. It pushes no other caller out of audit log,
// history and kept answers, and is told to wait; callers on the machine itself go on.

import { mock } from 'node:test';
import t from 'tap';
import { restartClock } from '../../src/base/clock.ts';
import {
  CHANGE_EVERY_MS,
  CHANGES_AT_ONCE_MAX,
} from '../../src/control-plane/base/control-limits.ts';
import { openAdmin, post } from '../unit/control-plane/support/admin.ts';
import { notes } from '../unit/control-plane/support/notes.ts';

const ALL = { services: undefined, before: undefined, limit: 100_000 };

await t.test('a caller that makes too many changes has to wait, others do not', async (t) => {
  const { address, tokens, audit, turnedAway } = await openAdmin(t);
  mock.timers.enable({ apis: ['Date'], now: Date.now() });
  restartClock();
  t.teardown(() => mock.timers.reset());
  const wanted = { name: 'ci', role: 'switch', services: [], lifeMs: undefined } as const;
  const { text } = await tokens.create(wanted, () => notes());
  const headers = { authorization: `Bearer ${text}` };
  const change = async (on: boolean, key?: string) =>
    post(
      address,
      '/v1/maintenance',
      { on },
      { ...headers, ...(key && { 'idempotency-key': key }) },
    );
  await post(address, '/v1/switch', { to: 'green', reason: 'honest' });
  t.match(await change(true, 'first'), { status: 200 });
  for (let count = 1; count < CHANGES_AT_ONCE_MAX; count++) {
    const { status } = await change(count % 2 === 0);
    if (status !== 200) t.equal(status, 200, `change ${count}`);
  }
  const refused = await change(true, 'late');
  t.match(refused, {
    status: 429,
    headers: { 'retry-after': '30' },
    json: { code: 'too-many-changes', detail: 'ci has made too many changes; wait 30 s' },
  });
  t.equal(turnedAway.get('too-many-changes'), 1);
  t.match((await audit.latest(ALL))[0], {
    actor: 'ci',
    outcome: 'refused',
    code: 'too-many-changes',
  });
  t.match(await change(true, 'first'), { headers: { 'idempotent-replayed': 'true' } });
  const back = await post(address, '/v1/rollback', { reason: 'it burns' }, headers);
  t.match(back, { status: 200 }, 'there is always a way back');
  t.match(await post(address, '/v1/unlock', {}), { status: 200 }, 'others go on');
  mock.timers.tick(CHANGE_EVERY_MS);
  t.match(await change(true, 'late'), { status: 200 }, 'the key was not used up');
  t.match(await change(false), { status: 429 });
  t.ok((await audit.latest(ALL)).some(({ reason }) => reason === 'honest'));
});

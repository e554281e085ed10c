// Two operators at night: one switches with a hold, the other freezes. The freeze is answered at once, and
// nothing moves after that answer.

import t from 'tap';
import { BLOCK } from '../../../../src/contract/counters.ts';
import { change, only } from '../support/board.ts';
import { ask, openAdmin, post } from '../support/admin.ts';

const HELD = { to: 'green', hold: '60s', reason: 'by ci' };

/** A request runs that does not end; a switch holds all others. */
async function holding(t: Parameters<typeof openAdmin>[0]) {
  const parts = await openAdmin(t);
  const { address, switchboard, count } = parts;
  count(only(switchboard.table).blue.block, BLOCK.inflight, 1);
  const switching = post(address, '/v1/switch', HELD);
  while (switchboard.waiting('default') === undefined) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  return { ...parts, switching };
}

for (const service of [undefined, 'default']) {
  const what = service === undefined ? 'of all switching' : 'of one service';
  await t.test(`a freeze ${what} calls off the switch that holds requests`, async (t) => {
    const { address, switchboard, switching, count } = await holding(t);
    t.match(only(switchboard.table).hold, { methods: 'all' });
    const reason = 'incident';
    const frozen = await post(address, '/v1/freeze', { reason, ...(service && { service }) });
    t.match(frozen, {
      status: 200,
      json: { freeze: { reason }, changed: true, calledOff: ['switch by loopback'] },
    });
    const refused = await switching;
    t.match(refused, { status: 409, json: { code: 'called-off', detail: /nothing was changed/ } });
    // What it has waited for ends now: it is too late for the switch.
    count(only(switchboard.table).blue.block, BLOCK.inflight, 0);
    t.match(await post(address, '/v1/switch', HELD), { json: { code: 'switching-frozen' } });
    t.equal(only(switchboard.table).active, 'blue');
    t.equal(only(switchboard.table).hold, undefined, 'the requests that waited go on');
    t.equal(switchboard.waiting('default'), undefined);
    const { json } = await ask(address, '/v1/audit?limit=9');
    const entries = (json as { entries: { action: string; outcome: string }[] }).entries;
    const told = entries.map(({ action, outcome }) => `${action} ${outcome}`);
    t.ok(told.includes('POST /v1/freeze done'), told.join());
    t.ok(told.includes('POST /v1/switch refused'), told.join());
  });
}

await t.test('a freeze that was there already says so, and calls off nothing', async (t) => {
  const { address } = await openAdmin(t);
  await post(address, '/v1/freeze', { reason: 'first' });
  const again = await post(address, '/v1/freeze', { reason: 'second' });
  t.match(again.json, { freeze: { reason: 'first' }, changed: false });
  t.notOk('calledOff' in (again.json as object));
});

await t.test('an end of a freeze calls off nothing', async (t) => {
  const { switchboard, switching, count } = await holding(t);
  const ends = switchboard.serviceFreezes.set(change({ actor: 'mia' }), undefined);
  count(only(switchboard.table).blue.block, BLOCK.inflight, 0);
  t.match(await switching, { status: 200 });
  t.match(await ends, { changed: false });
});

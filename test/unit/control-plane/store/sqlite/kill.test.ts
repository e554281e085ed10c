// kill -9 at any instruction of the store: what was acknowledged is there, nothing is half done, and
// the chain of the audit log is whole.
//
// TURNOUT_KILLS sets how many times.

import t from 'tap';
import { openSqliteStore } from '../../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import { TestLog } from '../../support/fixtures.ts';
import { lookInto, writeAndKill } from '../../support/killed-store.ts';

const ROUNDS = Number(process.env['TURNOUT_KILLS'] ?? 20);

await t.test('what was acknowledged is there after kill -9, and nothing half done', async (t) => {
  const dir = t.testdir();
  let refused = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    // A different count each time, so that the kill meets different moments.
    const [what, epoch, color] = await writeAndKill(dir, 1 + ((round * 7) % 50));
    const log = new TestLog();
    const store = openSqliteStore(dir, log);
    const { state } = store;
    t.ok(state.epoch >= epoch, `round ${round}: epoch ${epoch} is not lost`);
    if (state.epoch === epoch) t.equal(state.services.get('default')?.active, color);
    const found = lookInto(store);
    t.match(found, { faults: [], isChainWhole: true }, 'nothing is half done');
    if (what === 'refused') t.ok(found.refusals > refused, 'the refusal is not lost');
    refused = found.refusals;
    t.same(log.lines, [], 'and the file is sound');
    await store.close();
  }
});

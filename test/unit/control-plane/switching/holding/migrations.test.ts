// A switch that holds requests and changes the data meanwhile: only `ok` lets it be made.

import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { BLOCK } from '../../../../../src/contract/counters.ts';
import type { AskedMigration } from '../../../../../src/control-plane/switching/holding/migrations.ts';
import { back, board, DOWN, only, to } from '../../support/board.ts';
import { serviceConfig } from '../../support/fixtures.ts';
import { notes } from '../../support/notes.ts';

/** Longer than any test lasts. */
const LONG = { holdMs: 600_000, migrate: 'widen' };

function migrating() {
  const parts = board([serviceConfig()]);
  parts.hooks.migrations = ['widen'];
  return parts;
}

await t.test('the data change while requests are held, and then the switch is made', async (t) => {
  const { switchboard, hooks } = migrating();
  const asked: AskedMigration[] = [];
  hooks.migrate = async (about) => {
    asked.push(about);
    const { active, hold } = only(switchboard.table);
    t.equal(active, 'blue');
    t.match(hold, { methods: 'all', closesLongLived: true });
    t.match(switchboard.waiting('default'), { what: 'switch by 127.0.0.1: migration widen' });
    return { verdict: 'ok', detail: 'exit code 0' };
  };
  t.match(await switchboard.switch(to('green', LONG)), { to: 'green', changed: true });
  t.equal(only(switchboard.table).hold, undefined);
  const subject = { service: 'default', from: { color: 'blue' }, to: { color: 'green' } };
  t.match(asked, [{ service: 'default', name: 'widen', subjects: [subject] }]);
  t.match(asked[0]!.subjects[0]!.to.targets, [/^http:/]);
});

await t.test('it is not asked before the last request has ended', async (t) => {
  const { switchboard, hooks, count, totals } = migrating();
  const { block } = only(switchboard.table).blue;
  count(block, BLOCK.inflight, 1);
  const blockSlot = totals.blockSlot.bind(totals);
  let looks = 0;
  totals.blockSlot = (of, slot) => {
    if (of === block && slot === BLOCK.inflight && ++looks === 3) count(block, slot, 0);
    return blockSlot(of, slot);
  };
  hooks.migrate = async () => {
    t.ok(looks >= 3);
    return { verdict: 'ok', detail: '' };
  };
  t.match(await switchboard.switch(to('green', LONG)), { changed: true });
});

await t.test(
  'whatever is not ok refuses the switch, and requests go on where they were',
  async (t) => {
    for (const verdict of ['fail', 'error'] as const) {
      const { switchboard, hooks, store } = migrating();
      hooks.migrate = async () => ({ verdict, detail: 'exit code 1: no such table' });
      await t.rejects(switchboard.switch(to('green', LONG)), {
        code: 'gate-failed',
        message: /migration widen of default: exit code 1: no such table; .* nothing was switched$/,
      });
      t.match(only(switchboard.table), { active: 'blue', hold: undefined });
      t.strictSame(store.records, []);
      t.equal(switchboard.waiting('default'), undefined);
    }
  },
);

await t.test('it is asked again with the same attempt while it says later', async (t) => {
  const { switchboard, hooks } = migrating();
  const attempts: string[] = [];
  hooks.migrate = async ({ attempt }) => {
    attempts.push(attempt);
    if (attempts.length < 3) return { verdict: 'later', detail: '', retryAfterMs: 1 };
    return { verdict: 'ok', detail: '' };
  };
  t.match(await switchboard.switch(to('green', LONG)), { changed: true });
  t.equal(attempts.length, 3);
  t.equal(new Set(attempts).size, 1);
});

await t.test('it is called off when the time of the hold is over', async (t) => {
  const { switchboard, hooks } = migrating();
  hooks.migrate = async (_asked, signal) => {
    await sleep(600_000, undefined, { signal }).catch(() => {});
    return { verdict: 'error', detail: 'called off' };
  };
  await t.rejects(switchboard.switch(to('green', { ...LONG, holdMs: 50 })), {
    code: 'gate-failed',
    message: /it was not done before the hold ended/,
  });
  hooks.migrate = async () => ({ verdict: 'later', detail: '', retryAfterMs: 600_000 });
  await t.rejects(switchboard.switch(to('green', { ...LONG, holdMs: 50 })), {
    code: 'gate-failed',
  });
  t.match(only(switchboard.table), { active: 'blue', hold: undefined });
});

await t.test('a rollback calls it off at once', async (t) => {
  const { switchboard, hooks } = migrating();
  await switchboard.switch(to('green'));
  const begun = Promise.withResolvers<AbortSignal>();
  hooks.migrate = async (_asked, signal) => {
    begun.resolve(signal);
    return new Promise(() => {});
  };
  const switching = switchboard.switch(to('blue', LONG));
  switching.catch(() => {});
  const signal = await begun.promise;
  t.match(await switchboard.rollback(back()), { to: 'blue' });
  await t.rejects(switching, { code: 'called-off' });
  t.ok(signal.aborted, 'the gate ends its program');
});

await t.test('what refuses the switch by now refuses it before the data change', async (t) => {
  const { switchboard, hooks, workers } = migrating();
  let isAsked = false;
  hooks.migrate = async () => {
    isAsked = true;
    return { verdict: 'ok', detail: '' };
  };
  const freeze = { actor: 'ops', atMs: 1, reason: 'incident' };
  workers.onAdopt = async () => {
    await switchboard.freeze.set(freeze, () => notes());
  };
  await t.rejects(switchboard.switch(to('green', LONG)), { code: 'switching-frozen' });
  t.notOk(isAsked);
});

await t.test('a name that means nothing, or several, and no hold are refused first', async (t) => {
  const two = board([serviceConfig({ name: 'a' }), serviceConfig({ name: 'b' })]);
  const { switchboard, hooks, ail } = two;
  ail(3002, DOWN);
  const request = to('green', { ...LONG, force: true, reason: 'test' });
  const all = async () => switchboard.switchAll(['a', 'b'], request);
  await t.rejects(all(), { code: 'gate-unknown', message: /no gate widen .* for a, b/ });
  hooks.migrations = ['widen'];
  await t.rejects(all(), { code: 'body-invalid', message: /a and b have a gate widen/ });
  const alone = migrating();
  await t.rejects(alone.switchboard.switch(to('green', { ...LONG, holdMs: 0 })), {
    code: 'body-invalid',
    message: /needs "hold"/,
  });
  const dry = { ...LONG, migrate: 'other', dryRun: true };
  await t.rejects(alone.switchboard.switch(to('green', dry)), { code: 'gate-unknown' });
});

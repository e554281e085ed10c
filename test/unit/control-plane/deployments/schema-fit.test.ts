// Which release may serve the data as they are by now: expand, migrate, contract; and a point of no return.

import * as fc from 'fast-check';
import t from 'tap';
import { fits, schemaReached } from '../../../../src/control-plane/deployments/schema-fit.ts';
import type { ReleaseSchema } from '../../../../src/control-plane/store/service-state.ts';
import { back, board, change, only, to, wanted } from '../support/board.ts';

const UNFIT = { code: 'schema-incompatible', status: 409 };

function schema(provides: number, least: number, most: number): ReleaseSchema {
  return { provides, requires: [least, most] };
}

type Board = ReturnType<typeof board>;

/** Registers a release on the idle color. */
async function register({ switchboard }: Board, release: string, needs?: ReleaseSchema) {
  const color = only(switchboard.table).active === 'blue' ? 'green' : 'blue';
  const { nextDeployment } = switchboard.basis.stored;
  const targets = [`http://127.0.0.1:${4_000 + nextDeployment}`];
  return switchboard.register(change(), wanted({ color, release, targets, schema: needs }));
}

/** v41 (10), then v42 (12), which is active. */
async function migrated(): Promise<Board> {
  const parts = board();
  await register(parts, 'v41', schema(10, 10, 11));
  await parts.switchboard.switch(to('green'));
  await register(parts, 'v42', schema(12, 10, 12));
  await parts.switchboard.switch(to('blue', { force: true, reason: 'no overlap' }));
  return parts;
}

await t.test('what was brought stays, whatever serves later', async (t) => {
  t.equal(schemaReached(undefined, undefined), undefined);
  t.equal(schemaReached(undefined, { schema: schema(10, 10, 10) }), 10);
  t.equal(schemaReached(12, { schema: schema(10, 10, 12) }), 12);
  t.equal(schemaReached(12, {}), 12);
});

await t.test('what is not known fits, and else the range says it', (t) => {
  const number = fc.integer({ min: 0, max: 30 });
  const property = fc.property(number, number, number, (least, span, at) => {
    const needs = schema(least, least, least + span);
    return fits(needs, at) === (at >= least && at <= least + span) && fits(needs, undefined);
  });
  fc.assert(property);
  t.equal(fits(undefined, 7), true);
  t.end();
});

await t.test('a rollback to code that does not know the data is refused', async (t) => {
  const parts = await migrated();
  const { switchboard } = parts;
  await t.rejects(switchboard.rollback(back()), {
    ...UNFIT,
    message: /the data have schema 12 by now, and .*v41.* works with 10 to 11; bring a release/,
    members: { schema: 12, release: 'v41', requires: [10, 11] },
  });
  await t.rejects(switchboard.switch(to('green')), UNFIT, 'by another name, too');
  t.throws(() => switchboard.checkMove(only(switchboard.table)), UNFIT, 'failover would, too');
  const forced = back({ force: true, reason: 'it reads only' });
  t.match(await switchboard.rollback(forced), { to: 'green', changed: true });
  t.equal(switchboard.states.get('default')?.schema, 12, 'the data are as they were');
});

await t.test('code that serves beside the new one must bear the new schema', async (t) => {
  const parts = board();
  const { switchboard } = parts;
  await register(parts, 'v41', schema(10, 10, 11));
  await switchboard.switch(to('green'));
  t.match(await register(parts, 'v42', schema(12, 10, 12)), {
    obstacles: [{ code: 'schema-incompatible' }],
  });
  await t.rejects(switchboard.switch(to('blue')), { ...UNFIT, message: /brings schema 12/ });
  t.match(await switchboard.switch(to('blue', { holdMs: 1_000 })), { changed: true });
});

await t.test('expand, migrate, contract goes through, each with its way back', async (t) => {
  const parts = board();
  const { switchboard } = parts;
  const steps = [schema(10, 10, 11), schema(11, 10, 12), schema(12, 11, 13), schema(13, 12, 13)];
  for (const [at, needs] of steps.entries()) {
    await register(parts, `v${at}`, needs);
    const color = only(switchboard.table).active === 'blue' ? 'green' : 'blue';
    t.match(await switchboard.switch(to(color)), { changed: true }, `v${at}`);
    if (at === 0) continue;
    await switchboard.rollback(back({ lockOut: false }));
    t.match(await switchboard.switch(to(color)), { changed: true }, `v${at} again`);
  }
  t.equal(switchboard.states.get('default')?.schema, 13);
});

await t.test('releases that say nothing are as free as ever', async (t) => {
  const parts = await migrated();
  await register(parts, 'v43');
  t.match(await parts.switchboard.switch(to('green')), { changed: true });
  t.match(await parts.switchboard.rollback(back()), { changed: true });
});

function v7(most: number) {
  return wanted({ color: 'green', release: 'v7', schema: schema(1, 1, most) });
}

await t.test('a registration that says another schema is another one', async (t) => {
  const parts = board();
  for (const [most, changed] of [
    [1, true],
    [1, false],
    [2, true],
  ] as const) {
    t.match(await parts.switchboard.register(change(), v7(most)), { changed });
  }
});

await t.test('an operator states what the data have after a restore', async (t) => {
  const { switchboard, store } = await migrated();
  await t.rejects(switchboard.rollback(back()), UNFIT);
  t.match(await switchboard.dataSchema.state(change(), 11), { changed: true });
  t.match(await switchboard.dataSchema.state(change(), 11), { changed: false });
  t.equal(store.services.get('default')?.schema, 11, 'a restart knows it');
  t.match(await switchboard.rollback(back({ lockOut: false })), { to: 'green' });
  t.equal(switchboard.states.get('default')?.schema, 11, 'v41 brings less');
  t.match(await switchboard.switch(to('blue', { force: true, reason: 'again' })), { to: 'blue' });
  await switchboard.dataSchema.state(change(), undefined);
  t.equal(switchboard.states.get('default')?.schema, undefined);
  t.match(await switchboard.rollback(back()), { to: 'green' }, 'what is not known fits');
});

await t.test('behind a point of no return nothing goes back without force', async (t) => {
  const { switchboard, store } = board();
  await switchboard.switch(to('green'));
  const noReturn = { actor: 'ann', reason: 'mails are out', atMs: 1_000 };
  t.match(await switchboard.noReturn.set(change(), noReturn), { changed: true });
  t.match(await switchboard.noReturn.set(change(), noReturn), { changed: false });
  const refused = {
    code: 'point-of-no-return',
    status: 409,
    message: /since 1970-01-01T00:00:01.000Z there is no way back, says ann: mails are out/,
  };
  await t.rejects(switchboard.rollback(back()), refused);
  await t.rejects(switchboard.switch(to('blue')), refused);
  t.throws(() => switchboard.checkMove(only(switchboard.table)), refused);
  t.match(store.services.get('default')?.noReturn, noReturn, 'a restart knows it');
  const forced = back({ force: true, reason: 'worse than mails' });
  t.match(await switchboard.rollback(forced), { to: 'blue' });
  t.equal(switchboard.states.get('default')?.noReturn, undefined, 'it was that of green');
});

await t.test('it can be taken back, and a newer release ends it', async (t) => {
  const parts = board();
  const { switchboard } = parts;
  await switchboard.switch(to('green'));
  const noReturn = { actor: 'ann', reason: 'mails are out', atMs: 1_000 };
  await switchboard.noReturn.set(change(), noReturn);
  await switchboard.noReturn.set(change(), undefined);
  t.match(await switchboard.rollback(back({ lockOut: false })), { changed: true });
  await switchboard.switch(to('green'));
  await switchboard.noReturn.set(change(), noReturn);
  await register(parts, 'v3');
  t.match(await switchboard.switch(to('blue')), { changed: true });
  t.match(await switchboard.rollback(back()), { changed: true });
});

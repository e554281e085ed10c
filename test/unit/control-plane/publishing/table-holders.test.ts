// Holders of tables put together: names are looked up before a worker has to serve from a table, and
// of several holders all are waited for.

import t from 'tap';
import {
  namesFirst,
  together,
  type TableHolders,
} from '../../../../src/control-plane/publishing/table-holders.ts';
import { hasEnded } from '../support/has-ended.ts';
import { oneService } from '../support/tables.ts';

/** Far more than a test takes. */
const LONG_MS = 60_000;

function recording() {
  const calls: string[] = [];
  const looked = Promise.withResolvers<void>();
  const holders: TableHolders = {
    prepare: async ({ version }, withinMs) => void calls.push(`prepare ${version} ${withinMs}`),
    point: async (version, withinMs) => void calls.push(`point ${version} ${withinMs}`),
    adopt: async (version, withinMs) => void calls.push(`adopt ${version} ${withinMs}`),
    forget: (version) => void calls.push(`forget ${version}`),
  };
  const names = {
    prepare: async ({ version }: { readonly version: number }): Promise<void> => {
      calls.push(`look up ${version}`);
      await looked.promise;
    },
  };
  return { calls, looked, both: namesFirst(names, holders) };
}

await t.test('workers prepare a table once its names were looked up', async (t) => {
  const { calls, looked, both } = recording();
  const prepared = both.prepare(oneService({}, 7), 500);
  t.same(calls, ['look up 7']);
  looked.resolve();
  await prepared;
  t.same(calls, ['look up 7', 'prepare 7 500']);
});

await t.test('all else goes on as it is', async (t) => {
  const { calls, both } = recording();
  await both.point(7, 500);
  await both.adopt(7, 500);
  both.forget(6);
  t.same(calls, ['point 7 500', 'adopt 7 500', 'forget 6']);
});

/** Holders of tables; each call waits until the test lets it end. */
function holders(names: readonly string[]) {
  const calls: string[] = [];
  const ends: (() => void)[] = [];
  const wait = async (call: string): Promise<void> => {
    calls.push(call);
    await new Promise<void>((resolve) => ends.push(resolve));
  };
  const all = names.map((name): TableHolders => ({
    prepare: async ({ version }) => wait(`${name} prepare ${version}`),
    point: async (version) => wait(`${name} point ${version}`),
    adopt: async (version) => wait(`${name} adopt ${version}`),
    forget: (version) => calls.push(`${name} forget ${version}`),
  }));
  return { calls, ends, both: together(all) };
}

await t.test('of several holders all are asked, and all are waited for', async (t) => {
  const { calls, ends, both } = holders(['one', 'two']);
  const steps = {
    prepare: async () => both.prepare(oneService({}, 5), LONG_MS),
    point: async () => both.point(5, LONG_MS),
    adopt: async () => both.adopt(5, LONG_MS),
  };
  for (const [name, ask] of Object.entries(steps)) {
    const asked = ask();
    t.strictSame(calls.splice(0), [`one ${name} 5`, `two ${name} 5`]);
    for (const end of ends.splice(0)) {
      t.notOk(await hasEnded(asked), name);
      end();
    }
    await t.resolves(asked);
  }
  both.forget(5);
  t.strictSame(calls, ['one forget 5', 'two forget 5']);
});

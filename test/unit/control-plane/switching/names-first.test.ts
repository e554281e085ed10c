// Names of a new table are looked up before a worker has to serve from it.

import t from 'tap';
import { namesFirst } from '../../../../src/control-plane/switching/names-first.ts';
import type { TableHolders } from '../../../../src/control-plane/switching/publisher.ts';
import { oneService } from '../support/tables.ts';

function recording() {
  const calls: string[] = [];
  const looked = Promise.withResolvers<void>();
  const holders: TableHolders = {
    prepare: async ({ generation }, withinMs) =>
      void calls.push(`prepare ${generation} ${withinMs}`),
    point: async (generation, withinMs) => void calls.push(`point ${generation} ${withinMs}`),
    adopt: async (generation, withinMs) => void calls.push(`adopt ${generation} ${withinMs}`),
    forget: (generation) => void calls.push(`forget ${generation}`),
  };
  const names = {
    prepare: async ({ generation }: { readonly generation: number }): Promise<void> => {
      calls.push(`look up ${generation}`);
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

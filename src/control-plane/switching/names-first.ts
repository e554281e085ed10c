// Names in a new table are looked up before anybody has to serve from it.

import type { Names } from '../targets/names.ts';
import type { TableHolders } from './publisher.ts';

/** Returns `holders`, who get a table once its names were looked up, or could not be for a while. */
export function namesFirst(names: Pick<Names, 'prepare'>, holders: TableHolders): TableHolders {
  return {
    async prepare(table, withinMs) {
      await names.prepare(table);
      await holders.prepare(table, withinMs);
    },
    point: async (generation, withinMs) => holders.point(generation, withinMs),
    adopt: async (generation, withinMs) => holders.adopt(generation, withinMs),
    forget: (generation) => holders.forget(generation),
  };
}

// What serves from tables, as the publisher sees it: it only has to prepare a table, go by it, and
// forget it. Here are also the two ways to put such holders together.

import type { RoutingTable } from '../../contract/table.ts';
import type { Names } from '../targets/names.ts';

/** What serves from tables: workers, and the process before an upgrade. */
export interface TableHolders {
  /** Resolves when every worker could serve `table`; rejects with `workers-not-ready`. */
  prepare(table: RoutingTable, withinMs: number): Promise<void>;
  /** Resolves when a holder that does not share our pointer goes by `version`, too. */
  point(version: number, withinMs: number): Promise<void>;
  /** Tells the workers that the pointer has moved; resolves when each goes by it. */
  adopt(version: number, withinMs: number): Promise<void>;
  forget(version: number): void;
}

/** Returns `holders`, which get a table once its names were looked up, or could not be for a while. */
export function namesFirst(names: Pick<Names, 'prepare'>, holders: TableHolders): TableHolders {
  return {
    async prepare(table, withinMs) {
      await names.prepare(table);
      await holders.prepare(table, withinMs);
    },
    point: async (version, withinMs) => holders.point(version, withinMs),
    adopt: async (version, withinMs) => holders.adopt(version, withinMs),
    forget: (version) => holders.forget(version),
  };
}

/** Returns several holders as one, which has done something once all of them have. */
export function together(holders: readonly TableHolders[]): TableHolders {
  return {
    async prepare(table, withinMs) {
      await Promise.all(holders.map(async (one) => one.prepare(table, withinMs)));
    },
    async point(version, withinMs) {
      await Promise.all(holders.map(async (one) => one.point(version, withinMs)));
    },
    async adopt(version, withinMs) {
      await Promise.all(holders.map(async (one) => one.adopt(version, withinMs)));
    },
    forget(version) {
      for (const one of holders) one.forget(version);
    },
  };
}

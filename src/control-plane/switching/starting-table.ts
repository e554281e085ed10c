// The table that a process begins with: made of configuration and stored state, and durable before
// a worker serves from it.

import type { Config } from '../../config/config.ts';
import type { RoutingTable } from '../../contract/table.ts';
import { fingerprintOf, firstTable, storedServices } from './table-state.ts';
import type { Log } from '../base/log.ts';
import { messageOf, StartError } from '../base/problems.ts';
import type { Slots } from '../memory/slots.ts';
import type { Notes, Store, StoredState } from '../store/store.ts';

interface StartingParts {
  readonly config: Config;
  readonly store: Pick<Store, 'begin'>;
  readonly stored: StoredState;
  readonly slots: Slots;
  /** What is written down with a new table. */
  readonly notes: (generation: number) => Notes;
  readonly log: Log;
}

/** Returns the table, and whether it is a new one, which was stored then. */
export function startingTable(
  parts: StartingParts,
  nowMs: number,
): { readonly table: RoutingTable; readonly isNew: boolean } {
  const { config, stored, slots, log } = parts;
  const table = firstTable(config, stored, slots, nowMs);
  if (table.generation === stored.generation) return { table, isNew: false };
  try {
    storeFirst(parts, table, nowMs);
    return { table, isNew: true };
  } catch (error) {
    // Drains that have ended meanwhile can end later: a full disk must not stop a restart.
    const before = firstTable(config, stored, slots, 0);
    if (before.generation !== stored.generation) {
      throw new StartError(`the first routing table could not be stored: ${messageOf(error)}`, {
        cause: error,
      });
    }
    log.error(
      { err: error },
      'nothing can be stored; traffic is served as before, changes are refused',
    );
    return { table: before, isNew: false };
  }
}

function storeFirst(
  { config, store, stored, notes }: StartingParts,
  table: RoutingTable,
  nowMs: number,
): void {
  const { generation } = table;
  const services = storedServices(table, { config, stored: stored.services, nowMs });
  store.begin({ generation, fingerprint: fingerprintOf(table) }, services, notes(generation));
}

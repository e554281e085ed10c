// The step from state that knows a release by its addresses to state that knows deployments.

import type { DatabaseSync } from 'node:sqlite';
import { stateOfLegacy, type LegacyService } from '../legacy-state.ts';
import { printState } from '../service-state.ts';
import { DamageError } from './store-fault.ts';

const TABLES = `
  CREATE TABLE service_states (name TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE place (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    next_deployment INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE changes_of_active (
    epoch INTEGER NOT NULL,
    service TEXT NOT NULL,
    from_color TEXT NOT NULL CHECK (from_color IN ('blue', 'green')),
    to_color TEXT NOT NULL CHECK (to_color IN ('blue', 'green')),
    release TEXT NOT NULL,
    deployment INTEGER NOT NULL,
    left_deployment INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    took_ms REAL,
    outcome TEXT NOT NULL CHECK (outcome IN ('switched', 'rolled-back')),
    forced INTEGER NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    PRIMARY KEY (epoch, service)
  ) STRICT;
  INSERT INTO changes_of_active
    SELECT generation, service, from_color, to_color, release, 0, 0, at_ms, took_ms, outcome, forced,
      reason, actor FROM switches;`;

/** The old tables go, the new ones take their names. A refusal is remembered under no key any more. */
const RENAMES = `
  DELETE FROM answers WHERE status >= 400;
  DROP TABLE services; ALTER TABLE service_states RENAME TO services;
  DROP TABLE position; ALTER TABLE place RENAME TO position;
  DROP TABLE switches; ALTER TABLE changes_of_active RENAME TO switches;
  CREATE INDEX switches_by_service ON switches (service, epoch);
  CREATE INDEX switches_by_actor ON switches (service, actor, epoch);`;

/** Runs inside the transaction of the migration. */
export function toDeployments(database: DatabaseSync): void {
  database.exec(TABLES);
  const setService = database.prepare('INSERT INTO service_states VALUES (?, ?)');
  let next = 1;
  for (const row of database.prepare('SELECT * FROM services ORDER BY name').all()) {
    const state = stateOfRow(database, row, next);
    next = Math.max(next, ...state.deployments.map(({ number }) => number + 1));
    setService.run(state.name, printState(state));
  }
  const position = database.prepare('SELECT generation FROM position').get();
  if (position !== undefined) {
    database.prepare('INSERT INTO place VALUES (1, ?, ?)').run(position['generation']!, next);
  }
  database.exec(RENAMES);
}

function stateOfRow(
  database: DatabaseSync,
  row: Readonly<Record<string, unknown>>,
  firstNumber: number,
): ReturnType<typeof stateOfLegacy> {
  const name = String(row['name']);
  const last = database
    .prepare('SELECT * FROM switches WHERE service = ? ORDER BY generation DESC LIMIT 1')
    .get(name);
  const service: LegacyService = {
    name,
    active: row['active'] === 'green' ? 'green' : 'blue',
    since: Number(row['since']),
    sinceAtMs: Number(row['since_at_ms']),
    state: String(row['state']),
    last: last && {
      from: last['from_color'] === 'green' ? 'green' : 'blue',
      outcome: last['outcome'] === 'rolled-back' ? 'rolled-back' : 'switched',
      actor: String(last['actor']),
      left: String(last['left_side']),
    },
  };
  try {
    return stateOfLegacy(service, firstNumber);
  } catch (error) {
    throw new DamageError(`the state of ${name} cannot be read`, { cause: error });
  }
}

// The tables of the store, as a list of steps. A published step is never edited: a change
// of the schema is one more step at the end.

import type { DatabaseSync } from 'node:sqlite';
import { GENESIS } from '../audit-chain.ts';
import { StartError } from '../../base/problems.ts';
import { tellEarlierTrim } from './sqlite-audit.ts';
import { POINTS_SCHEMA } from './sqlite-points.ts';
import { SCHEDULES_SCHEMA } from './sqlite-schedules.ts';
import { toDeployments } from './to-deployments.ts';

const STEPS: readonly (string | ((database: DatabaseSync) => void))[] = [
  `CREATE TABLE position (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     generation INTEGER NOT NULL,
     fingerprint TEXT NOT NULL
   ) STRICT;
   CREATE TABLE services (
     name TEXT PRIMARY KEY,
     active TEXT NOT NULL CHECK (active IN ('blue', 'green')),
     since INTEGER NOT NULL,
     since_at_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE switches (
     generation INTEGER PRIMARY KEY,
     service TEXT NOT NULL,
     from_color TEXT NOT NULL CHECK (from_color IN ('blue', 'green')),
     to_color TEXT NOT NULL CHECK (to_color IN ('blue', 'green')),
     release TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     took_ms REAL,
     outcome TEXT NOT NULL CHECK (outcome IN ('switched', 'rolled-back')),
     forced INTEGER NOT NULL,
     reason TEXT NOT NULL,
     actor TEXT NOT NULL
   ) STRICT;
   CREATE INDEX switches_by_service ON switches (service, generation);`,
  // JSON: see service-state.ts
  `ALTER TABLE services ADD COLUMN state TEXT NOT NULL
     DEFAULT '{"draining":[]}';
   ALTER TABLE switches ADD COLUMN left_side TEXT NOT NULL
     DEFAULT '{"release":"","urls":[]}';`,
  // The texts of audit: see audit-chain.ts
  `CREATE TABLE audit (
     seq INTEGER PRIMARY KEY,
     service TEXT NOT NULL,
     entry TEXT NOT NULL,
     hash TEXT NOT NULL
   ) STRICT;
   CREATE INDEX audit_by_service ON audit (service, seq);
   CREATE TABLE audit_ends (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     anchor_seq INTEGER NOT NULL,
     anchor_hash TEXT NOT NULL,
     head_seq INTEGER NOT NULL,
     head_hash TEXT NOT NULL
   ) STRICT;
   INSERT INTO audit_ends VALUES (1, 0, '${GENESIS.hash}', 0, '${GENESIS.hash}');
   CREATE TABLE answers (
     key TEXT PRIMARY KEY,
     digest TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     status INTEGER NOT NULL,
     generation INTEGER NOT NULL,
     body TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX answers_by_age ON answers (at_ms);
   CREATE TABLE tokens (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL,
     role TEXT NOT NULL CHECK (role IN ('read', 'switch', 'admin')),
     services TEXT NOT NULL,
     hash TEXT NOT NULL,
     created_at_ms INTEGER NOT NULL,
     expires_at_ms INTEGER,
     revoked_at_ms INTEGER,
     last_used_at_ms INTEGER
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE freeze (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     reason TEXT NOT NULL,
     actor TEXT NOT NULL,
     at_ms INTEGER NOT NULL
   ) STRICT;`,
  `ALTER TABLE answers ADD COLUMN actor TEXT NOT NULL DEFAULT '';
   CREATE INDEX answers_by_actor ON answers (actor, at_ms);
   CREATE INDEX switches_by_actor ON switches (service, actor, generation);`,
  toDeployments,
  tellEarlierTrim,
  `ALTER TABLE tokens ADD COLUMN targets TEXT NOT NULL DEFAULT '[]'`,
  // JSON of what a rollout is. `seq`: the order of their starts.
  `CREATE TABLE rollouts (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     id TEXT NOT NULL UNIQUE,
     services TEXT NOT NULL,
     state TEXT NOT NULL,
     started_at_ms INTEGER NOT NULL,
     ended_at_ms INTEGER
   ) STRICT;
   CREATE INDEX rollouts_not_over ON rollouts (seq) WHERE ended_at_ms IS NULL;
   CREATE TABLE events (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     kind TEXT NOT NULL,
     service TEXT NOT NULL,
     rollout TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     data TEXT NOT NULL
   ) STRICT;
   CREATE INDEX events_by_rollout ON events (rollout, seq) WHERE rollout <> '';
   CREATE TABLE deliveries (
     sink TEXT PRIMARY KEY,
     seq INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  SCHEDULES_SCHEMA,
  POINTS_SCHEMA,
];

/** What this version writes, kept in `user_version` of the file. */
const SCHEMA_VERSION = STEPS.length;

/** Returns the schema of a file that an earlier version has written; undefined: no step is needed. */
export function earlierSchema(database: DatabaseSync): number | undefined {
  const found = schemaOf(database);
  return found > 0 && found < SCHEMA_VERSION ? found : undefined;
}

function schemaOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
}

/** Brings the schema up to date in one transaction; refuses a file of a newer version. */
export function migrate(database: DatabaseSync): void {
  const found = schemaOf(database);
  if (found > SCHEMA_VERSION) {
    throw new StartError(
      `the state file has schema ${found}, this version knows up to ${SCHEMA_VERSION}: ` +
        'it was written by a newer Turnout',
    );
  }
  if (found === SCHEMA_VERSION) return;
  database.exec('BEGIN IMMEDIATE');
  for (const step of STEPS.slice(found)) {
    if (typeof step === 'string') database.exec(step);
    else step(database);
  }
  database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT;`);
}

// The series of rollouts in SQLite: a row for each point, in the order in which they were measured. Writes
// within the transaction of its caller. What a point says is known to rollouts alone.

import type { DatabaseSync } from 'node:sqlite';
import { ROLLOUT_SERIES_KEPT } from '../../base/control-limits.ts';
import type { PointsDraft } from '../rollout-store.ts';

/** `seq`: the order of the points. Times may go back; this does not. */
export const POINTS_SCHEMA = `CREATE TABLE rollout_points (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     rollout TEXT NOT NULL,
     point TEXT NOT NULL
   ) STRICT;
   CREATE INDEX points_by_rollout ON rollout_points (rollout, seq);`;

export class SqlitePoints {
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(database: DatabaseSync) {
    this.#statements = prepareStatements(database);
  }

  write({ rollout, points, isWhole, isOver }: PointsDraft): void {
    const { add, clear, trim } = this.#statements;
    if (isWhole) clear.run(rollout);
    for (const point of points) add.run(rollout, point);
    if (isOver) trim.run(ROLLOUT_SERIES_KEPT);
  }

  of(rollout: string): string[] {
    return this.#statements.of.all(rollout).map((row) => String(row['point']));
  }
}

function prepareStatements(database: DatabaseSync) {
  return {
    add: database.prepare('INSERT INTO rollout_points (rollout, point) VALUES (?, ?)'),
    clear: database.prepare('DELETE FROM rollout_points WHERE rollout = ?'),
    of: database.prepare('SELECT point FROM rollout_points WHERE rollout = ? ORDER BY seq'),
    // Of those that are over; one that moved no traffic has no points, and takes no place.
    trim: database.prepare(
      `DELETE FROM rollout_points WHERE rollout NOT IN (
         SELECT id FROM rollouts WHERE ended_at_ms IS NULL)
       AND rollout NOT IN (
         SELECT id FROM rollouts WHERE ended_at_ms IS NOT NULL
           AND EXISTS (SELECT 1 FROM rollout_points WHERE rollout_points.rollout = rollouts.id)
         ORDER BY seq DESC LIMIT ?)`,
    ),
  };
}

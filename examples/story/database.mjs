// Where the database is: the folder `database` of the folder in which a program runs, or what PGHOST,
// PGUSER and PGDATABASE say.

import { resolve } from 'node:path';
import { Client, Pool } from 'pg';

const { PGHOST = resolve('database'), PGUSER = 'shop', PGDATABASE = 'postgres' } = process.env;
const PLACE = { host: PGHOST, user: PGUSER, database: PGDATABASE };

/** Connections for a server that answers many requests at once. */
export function openPool() {
  const pool = new Pool({ ...PLACE, max: 5 });
  // One that breaks while nothing uses it; the next query opens another.
  pool.on('error', (error) => console.error(error.message));
  return pool;
}

/** Resolves with what `work` does on a connection of its own. */
export async function connected(work) {
  const client = new Client(PLACE);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

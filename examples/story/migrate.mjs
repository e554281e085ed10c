// Changes the table while the shop is open. Each change may be made twice.
//
//   node migrate.mjs create     the table as v1 wants it
//   node migrate.mjs before     what TURNOUT_RELEASE needs before it gets traffic: a gate
//   node migrate.mjs left       what may be done once TURNOUT_RELEASE has gone: a hook
//   node migrate.mjs contract   the old column goes, and with it the way back
//
// Exit code 75: not yet, ask again.

import { connected } from './database.mjs';

const NOT_YET = 75;
/** Rows of one transaction: they are locked for milliseconds, and writers hardly notice. */
const BATCH = 500;

/** Behind a long query, a change of the table would wait, and all other queries behind the change. */
const CAREFULLY = "SET lock_timeout = '2s'";
/** What PostgreSQL says then: the next try may find the table free. */
const LOCK_NOT_AVAILABLE = '55P03';

const create = 'CREATE TABLE IF NOT EXISTS orders (id uuid PRIMARY KEY, euros numeric NOT NULL)';

/** The new column may be empty: v1 goes on writing rows without it. */
const expand = 'ALTER TABLE orders ADD COLUMN IF NOT EXISTS cents bigint';

/** v4 writes rows without the old column, while v3 still reads both. */
const loosen = 'ALTER TABLE orders ALTER COLUMN euros DROP NOT NULL';

const contract = `
  ALTER TABLE orders ALTER COLUMN cents SET NOT NULL;
  ALTER TABLE orders DROP COLUMN IF EXISTS euros`;

async function backfill(client) {
  let filled = 0;
  for (;;) {
    const { rowCount } = await client.query(
      `UPDATE orders SET cents = round(euros * 100) WHERE id IN
         (SELECT id FROM orders WHERE cents IS NULL LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)`,
    );
    filled += rowCount;
    if (rowCount === 0) return `${filled} orders of v1 have cents now`;
  }
}

async function before(client, release) {
  if (release === 'v1') return 'v1 needs no change';
  if (release !== 'v4') {
    await client.query(expand);
    return 'orders has a column cents';
  }
  const { rows } = await client.query('SELECT count(*) AS left FROM orders WHERE cents IS NULL');
  if (rows[0].left !== '0') {
    process.exitCode = NOT_YET;
    return `${rows[0].left} orders have no cents yet`;
  }
  await client.query(loosen);
  return 'all orders have cents, and euros may be empty';
}

/** Once v1 has gone, nothing writes orders without cents any more. */
async function left(client, release) {
  return release === 'v1' ? await backfill(client) : `${release} leaves nothing to do`;
}

const CHANGES = {
  create: (client) => client.query(create).then(() => 'orders has a column euros'),
  contract: (client) => client.query(contract).then(() => 'orders has cents alone'),
  before,
  left,
};

const change = CHANGES[process.argv[2]];
const { TURNOUT_RELEASE = '' } = process.env;
const said = await connected(async (client) => {
  await client.query(CAREFULLY);
  return await change(client, TURNOUT_RELEASE);
}).catch((error) => {
  if (error.code !== LOCK_NOT_AVAILABLE) throw error;
  process.exitCode = NOT_YET;
  return 'the table is in use';
});
// The last lines of stderr, or else of stdout, are what Turnout tells of a gate.
console.log(said);

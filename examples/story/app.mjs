// A small shop: it takes orders and shows them. One file has all of its releases, so that what differs
// between them can be seen side by side.
//
//   node app.mjs RELEASE SOCKET        node app.mjs v1 /run/shop/v1.sock
//
// POST /orders {"id": "…", "amount": "12.50"}   201 once the order is in the database
// GET  /orders/ID                               200 {"id": "…", "amount": "12.50"}
// GET  /healthz                                 200 while the database answers

import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { openPool } from './database.mjs';

/** Knows the column `euros` alone. */
const v1 = {
  write: {
    text: 'INSERT INTO orders (id, euros) VALUES ($1, $2)',
    values: ({ id, amount }) => [id, amount],
  },
  read: 'SELECT round(euros * 100) AS cents FROM orders WHERE id = $1',
};

/** Writes both columns; reads the new one, and the old one of orders that v1 has taken. */
const both = (centsOf) => ({
  write: {
    text: 'INSERT INTO orders (id, euros, cents) VALUES ($1, $2, $3)',
    values: ({ id, amount }) => [id, amount, centsOf(amount)],
  },
  read: 'SELECT coalesce(cents, round(euros * 100)) AS cents FROM orders WHERE id = $1',
});

/** The bug: its tests had an order of "12" and none of "12.50", of which BigInt makes an exception. */
const v2 = both((amount) => BigInt(amount) * 100n);

const toCents = (amount) => Math.round(Number(amount) * 100);
const v3 = both(toCents);

/** Knows the column `cents` alone. */
const v4 = {
  write: {
    text: 'INSERT INTO orders (id, cents) VALUES ($1, $2)',
    values: ({ id, amount }) => [id, toCents(amount)],
  },
  read: 'SELECT cents FROM orders WHERE id = $1',
};

const RELEASES = { v1, v2, v3, v4 };

const [release, socket] = process.argv.slice(2);
const { write, read } = RELEASES[release];
const pool = openPool();

async function answer(request) {
  const { method, url } = request;
  if (url === '/healthz') {
    await pool.query('SELECT 1');
    return [200, { status: 'up' }];
  }
  if (method === 'POST' && url === '/orders') {
    const order = JSON.parse(Buffer.concat(await request.toArray()).toString());
    await pool.query(write.text, write.values(order));
    return [201, { id: order.id }];
  }
  const id = /^\/orders\/([0-9a-f-]+)$/.exec(url)?.[1];
  const { rows } = id === undefined ? { rows: [] } : await pool.query(read, [id]);
  if (rows.length === 0) return [404, { error: 'no such order' }];
  return [200, { id, amount: (Number(rows[0].cents) / 100).toFixed(2) }];
}

const server = createServer(async (request, response) => {
  const [status, body] = await answer(request).catch((error) => [500, { error: error.message }]);
  response.writeHead(status, { 'content-type': 'application/json', 'x-release': release });
  response.end(JSON.stringify(body));
});
server.listen(socket);

process.once('SIGTERM', () => {
  server.close(async () => {
    await pool.end();
    rmSync(socket, { force: true });
  });
});

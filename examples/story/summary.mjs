// Compares what clients were answered with what the database has. Exit code 1: not as promised.
//
//   node summary.mjs RESULT

import { readFileSync } from 'node:fs';
import { connected } from './database.mjs';

const { requests, byBug, others, acknowledged } = JSON.parse(readFileSync(process.argv[2], 'utf8'));

const orders = await connected(async (client) => {
  const found = await client.query('SELECT id, cents FROM orders');
  return new Map(found.rows.map(({ id, cents }) => [id, Number(cents)]));
});

const found = acknowledged.filter(([id, amount]) => orders.get(id) === Math.round(amount * 100));
const otherwise = Object.values(others).reduce((sum, count) => sum + count, 0);
const row = (what, count) => console.log(`  ${what.padEnd(34)}${String(count).padStart(8)}`);

row('requests', requests);
row('failed', byBug + otherwise);
row('  of these by the bug of v2', byBug);
row('writes that were acknowledged', acknowledged.length);
row('  of these found in the database', found.length);
for (const [what, count] of Object.entries(others))
  console.log(`  not by the bug: ${count} x ${what}`);

const broken = [
  byBug === 0 && 'no client has met the bug: the story has shown nothing',
  otherwise > 0 && 'requests failed that the bug has nothing to do with',
  acknowledged.length === 0 && 'nothing was written',
  found.length < acknowledged.length && 'writes were lost',
].filter((one) => one !== false);
for (const one of broken) console.log(`  BROKEN: ${one}`);
process.exitCode = broken.length === 0 ? 0 : 1;

// Clients of the shop: each places orders, looks orders up, and is another one after a while. Until it
// is told to stop (SIGTERM); then it writes down what it was answered.
//
//   node load.mjs SOCKET CLIENTS RESULT

import { randomInt, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const [socketPath, clients, result] = process.argv.slice(2);
/** Requests of one client, until another one comes in its place, without cookies. */
const VISIT = 12;
/** Between two requests of one client. */
const PAUSE_MS = 50;

/** Amounts by the ids of the orders that the shop has said it has. */
const acknowledged = new Map();
const ids = [];
const others = {};
let requests = 0;
let byBug = 0;
const end = new AbortController();
process.once('SIGTERM', () => end.abort());

/** Only this is forgiven: v2 can't read an amount with cents. */
function isBug({ status, release, body }) {
  return status === 500 && release === 'v2' && body.error?.includes('to a BigInt') === true;
}

/** A request of a visitor, who keeps cookies as a browser does. */
function ask(visitor, { method, path, order }) {
  const { promise, resolve, reject } = Promise.withResolvers();
  const headers = { cookie: [...visitor.cookies.values()].join('; ') };
  const asked = request({ socketPath, method, path, headers, agent: visitor.agent });
  asked.once('error', reject);
  asked.once('response', async (response) => {
    try {
      for (const cookie of response.headers['set-cookie'] ?? []) {
        const [pair] = cookie.split(';');
        visitor.cookies.set(pair.split('=')[0], pair);
      }
      const body = JSON.parse(Buffer.concat(await response.toArray()).toString());
      resolve({ status: response.statusCode, release: response.headers['x-release'], body });
    } catch (error) {
      reject(error);
    }
  });
  asked.end(order === undefined ? undefined : JSON.stringify(order));
  return promise;
}

/** Counts a request; `isRight` says whether the answer is. */
async function count(visitor, question, isRight) {
  requests++;
  const answer = await ask(visitor, question).catch((error) => ({
    status: error.message,
    body: {},
  }));
  if (isRight(answer)) return true;
  if (isBug(answer)) byBug++;
  else {
    const what = `${question.method} ${question.path.split('/')[1]} by ${answer.release ?? 'none'}: ${answer.status} ${JSON.stringify(answer.body)}`;
    others[what] = (others[what] ?? 0) + 1;
  }
  return false;
}

async function place(visitor) {
  const cents = randomInt(100, 10_000);
  // Half of the amounts are whole euros.
  const amount = randomInt(2) === 0 ? `${Math.ceil(cents / 100)}` : (cents / 100).toFixed(2);
  const order = { id: randomUUID(), amount };
  const question = { method: 'POST', path: '/orders', order };
  if (!(await count(visitor, question, ({ status }) => status === 201))) return;
  acknowledged.set(order.id, Number(amount).toFixed(2));
  ids.push(order.id);
}

/** Any order, whichever release has taken it. */
async function lookUp(visitor) {
  const id = ids[randomInt(ids.length)];
  const isRight = ({ status, body }) => status === 200 && body.amount === acknowledged.get(id);
  await count(visitor, { method: 'GET', path: `/orders/${id}` }, isRight);
}

async function client() {
  while (!end.signal.aborted) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const visitor = { cookies: new Map(), agent };
    for (let asked = 0; asked < VISIT && !end.signal.aborted; asked++) {
      await (asked % 2 === 0 || ids.length === 0 ? place(visitor) : lookUp(visitor));
      await pause(PAUSE_MS);
    }
    agent.destroy();
  }
}

await Promise.all(Array.from({ length: Number(clients) }, client));
writeFileSync(result, JSON.stringify({ requests, byBug, others, acknowledged: [...acknowledged] }));

// Few file descriptors: clients beyond those that fit are closed and counted, operators and health
// checks go on, and so does everything when there is room again.

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { AdminClient, seriesOf } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { temporaryDirectory } from './turnout-process.ts';
import { until } from './upgrade-scene.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const LIMIT = 200;
/** What fits into `LIMIT` beside all else. */
const FITS = 47;

interface Scene {
  readonly port: number;
  readonly admin: AdminClient;
  readonly pid: number;
  readonly lines: readonly string[];
}

async function open(t: Test): Promise<Scene> {
  const app = await openColoredApp(t, 'blue');
  const args = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '1'];
  const health = ['--health-interval', '100ms', '--health-fall', '1', '--health-rise', '1'];
  const command = [process.execPath, MAIN, 'run', ...args, ...health, '--access-log', 'off'];
  const rest = ['--blue', app.url, '--state', temporaryDirectory(t)];
  const limited = `ulimit -n ${LIMIT}; exec "$@"`;
  const child = spawn('sh', ['-c', limited, 'sh', ...command, ...rest], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  await until(() => lines.some((line) => / is up"/.test(line)), 'a healthy target');
  const ready = JSON.parse(lines.find((line) => line.includes('"msg":"ready"'))!) as {
    readonly listen: string;
    readonly admin: string;
  };
  const admin = new AdminClient(ready.admin);
  t.teardown(() => admin.close());
  return { port: Number(ready.listen.split(':')[1]), admin, pid: child.pid!, lines };
}

interface Client {
  readonly socket: Socket;
  /** The answer, or nothing where the connection was closed before. */
  readonly outcome: Promise<string>;
}

/** A connection that asks once and stays open. */
function client(t: Test, port: number, path: string): Client {
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.on('error', () => {}); // A close says the same.
  socket.write(`GET ${path} HTTP/1.1\r\nHost: app.example\r\n\r\n`);
  const answered = new Promise<string>((resolve) => {
    socket.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1')));
  });
  const closed = new Promise<string>((resolve) => {
    socket.once('close', () => resolve(''));
  });
  return { socket, outcome: Promise.race([answered, closed]) };
}

await t.test('a flood of clients takes no descriptor from anybody else', async (t) => {
  const { port, admin, pid, lines } = await open(t);
  t.match(lines.join('\n'), `do not fit into ${LIMIT} file descriptors: a worker takes ${FITS}`);
  // Each has a connection to the target at the same time.
  const clients = Array.from({ length: 2 * LIMIT }, () => client(t, port, '/held'));
  const outcomes = await Promise.all(clients.map(async ({ outcome }) => outcome));
  const answered = outcomes.filter((text) => text.startsWith('HTTP/1.1 200 '));
  t.equal(answered.length, FITS);
  t.equal(outcomes.filter((text) => text === '').length, 2 * LIMIT - FITS, 'the others are closed');
  t.ok(readdirSync(`/proc/${pid}/fd`).length < LIMIT - 20, 'there is room for operators');
  const metrics = (await admin.get('/metrics')).text;
  // One that has asked nothing yet makes room for the next of the same network.
  const closed = ['refused', 'displaced'].map((how) => `turnout_connections_${how}_total`);
  const counts = closed.map((name) => seriesOf(metrics, name));
  t.equal(counts[0]! + counts[1]!, 2 * LIMIT - FITS);
  t.match((await admin.get('/v1/status')).json, { workers: { restarts: 0 } });
  t.notMatch(lines.join('\n'), / is down"/, 'targets are not blamed');

  for (const { socket } of clients) socket.destroy();
  const again = client(t, port, '/');
  t.match(await again.outcome, /^HTTP\/1\.1 200 /, 'others are served at once');
});

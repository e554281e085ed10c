// A real process that writes its log where the test wants it: into a pipe that the test reads or not.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { freePort, ownAddress } from '../support/own-address.ts';
import { temporaryDirectory } from './turnout-process.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
/** Makes a line of the access log this much longer. */
/** As long as a line has of it; the name of the agent makes the line 3 KB long. */
const LONG_PATH = `/${'x'.repeat(2_047)}`;
const LONG_AGENT = 'x'.repeat(512);

/** A kept connection could be closed by a process that ends while it is used. */
const CLOSE = { connection: 'close' };

export interface Scene {
  readonly process: ChildProcess;
  readonly admin: AdminClient;
  readonly adminAt: string;
  readonly proxy: string;
  readonly ended: Promise<number | null>;
}

/** Starts it on ports that are known before, with these descriptors as its output. */
export async function start(
  t: Test,
  stdio: readonly [number, number] | 'closed' | 'sockets',
): Promise<Scene> {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const host = ownAddress();
  const [proxy, adminAt] = [`${host}:${await freePort(host)}`, `${host}:${await freePort(host)}`];
  const args = ['run', '--listen', proxy, '--admin', adminAt, '--workers', '1'];
  const colors = ['--blue', blue.url, '--green', green.url, '--health-kind', 'none'];
  const state = ['--state', temporaryDirectory(t), '--access-log', 'all'];
  const command = [process.execPath, MAIN, ...args, ...colors, ...state];
  const child =
    stdio === 'closed'
      ? spawn('sh', ['-c', 'exec "$@" >&- 2>&-', 'sh', ...command], { stdio: 'ignore' })
      : spawn(command[0]!, command.slice(1), {
          // What Node calls a pipe is a pair of sockets, as the journal of systemd is one.
          stdio: stdio === 'sockets' ? ['ignore', 'pipe', 'pipe'] : ['ignore', ...stdio],
        });
  // So Node does not read them when the process ends, which another one outlives.
  for (const unread of [child.stdout, child.stderr]) unread?.on('readable', () => {});
  t.teardown(() => {
    child.kill('SIGKILL');
    for (const unread of [child.stdout, child.stderr]) unread?.destroy();
  });
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  const admin = new AdminClient(adminAt);
  t.teardown(() => admin.close());
  for (;;) {
    const status = await admin.get('/readyz').then(
      (answer) => answer.status,
      () => undefined,
    );
    if (status === 200) return { process: child, admin, adminAt, proxy, ended };
    if (child.exitCode !== null) throw new Error(`expected a start, got ${child.exitCode}`);
  }
}

/** Sends requests, some at a time; returns how many were answered with 200. */
export async function load(proxy: string, count: number): Promise<number> {
  let next = 0;
  let good = 0;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (next++ < count) {
        const answer = await fetch(`http://${proxy}${LONG_PATH}`, {
          headers: { ...CLOSE, 'user-agent': LONG_AGENT },
        });
        await answer.arrayBuffer();
        if (answer.status === 200) good++;
      }
    }),
  );
  return good;
}

/** Returns the lines that were dropped so far, of both logs. */
export async function droppedLines(admin: AdminClient): Promise<Readonly<Record<string, number>>> {
  const { text } = await admin.get('/metrics');
  const all = text.matchAll(/^turnout_log_lines_dropped_total\{log="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries(Array.from(all, ([, log, count]) => [log, Number(count)]));
}

export async function switchTo(admin: AdminClient, to: string): Promise<number> {
  return (await admin.post('/v1/switch', { to, force: true, reason: 'x'.repeat(200) })).status;
}

export interface Fifo {
  readonly reader: number;
  readonly writer: number;
  /** Returns what can be read now. */
  read(): string;
}

export function openFifo(t: Test): Fifo {
  const path = join(temporaryDirectory(t), 'out');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(65_536);
  return {
    reader,
    writer: openSync(path, 'w'),
    read() {
      let text = '';
      try {
        for (;;) {
          const count = readSync(reader, buffer);
          if (count === 0) return text;
          text += buffer.toString('utf8', 0, count);
        }
      } catch {
        return text; // It would have to wait.
      }
    },
  };
}

/** The line is whole. */
export function isJson(line: string): boolean {
  try {
    return typeof JSON.parse(line) === 'object';
  } catch {
    return false;
  }
}

// What can become of a state directory, and a switch whose steps a test can stop at.

import { once } from 'node:events';
import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import { WebSocketServer } from 'ws';
import { mountFailingDisk } from '../support/failing-disk.ts';
import { serve } from '../support/serving.ts';
import { temporaryDirectory } from './turnout-process.ts';

/** Where the state is, and what brings it back to where a restart can use it. */
export interface Place {
  readonly state: string;
  readonly damage: () => void;
  readonly repair: () => void;
}

const NOTHING = (): void => {};

export const DAMAGES: Readonly<Record<string, (t: Test) => Place>> = {
  'deleted file': (t) => {
    const state = temporaryDirectory(t);
    return { state, damage: () => remove(state, ['turnout.db']), repair: NOTHING };
  },
  'deleted directory content': (t) => {
    const state = temporaryDirectory(t);
    return { state, damage: () => remove(state, readdirSync(state)), repair: NOTHING };
  },
  'deleted journal': (t) => {
    const state = temporaryDirectory(t);
    return { state, damage: () => remove(state, ['turnout.db-wal']), repair: NOTHING };
  },
  'replaced file': (t) => {
    const state = temporaryDirectory(t);
    return { state, damage: () => replace(state), repair: NOTHING };
  },
  'emptied file': (t) => {
    const state = temporaryDirectory(t);
    return { state, damage: () => truncateSync(join(state, 'turnout.db')), repair: NOTHING };
  },
  'emptied journal': (t) => {
    const state = temporaryDirectory(t);
    return { state, damage: () => truncateSync(join(state, 'turnout.db-wal')), repair: NOTHING };
  },
  'read-only remount': (t) => {
    const disk = mountFailingDisk(t);
    const state = join(disk.path, 'state');
    mkdirSync(state);
    return { state, damage: () => disk.fail(), repair: () => disk.repair() };
  },
};

function remove(state: string, names: readonly string[]): void {
  for (const name of names) rmSync(join(state, name), { recursive: true, force: true });
}

/** A backup from before is put in its place, as a tool does it: by a new file. */
function replace(state: string): void {
  copyFileSync(join(state, 'turnout.db'), join(state, 'restored'));
  renameSync(join(state, 'restored'), join(state, 'turnout.db'));
}

/** An app whose health check can be kept waiting. */
export interface GatedApp {
  readonly url: string;
  /** Checks wait from here on. */
  shut(): void;
  /** Answers those that wait, and later ones at once. */
  open(): void;
  /** Resolves when a check waits. */
  asked(): Promise<void>;
}

export async function openGatedApp(t: Test): Promise<GatedApp> {
  const waiting = new Set<ServerResponse>();
  const arrivals = new EventTarget();
  let isShut = false;
  const server = createServer((request, response) => {
    if (request.url !== '/healthz' || !isShut) response.end('green');
    else {
      waiting.add(response);
      arrivals.dispatchEvent(new Event('arrival'));
    }
  });
  const { port } = await serve(t, server, new WebSocketServer({ noServer: true }));
  return {
    url: `http://127.0.0.1:${port}`,
    shut: () => void (isShut = true),
    open() {
      isShut = false;
      for (const response of waiting) response.end('green');
      waiting.clear();
    },
    async asked() {
      if (waiting.size === 0) await once(arrivals, 'arrival');
    },
  };
}

/** A call to switch to green whose bytes are sent as the test says. */
export class SlowCall {
  readonly answered: Promise<number>;
  readonly #socket: Socket;

  static async open(t: Test, admin: string): Promise<SlowCall> {
    const [host, port] = admin.split(':') as [string, string];
    const socket = connect(Number(port), host);
    await once(socket, 'connect');
    t.teardown(() => socket.destroy());
    return new SlowCall(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.answered = once(socket, 'data').then(([bytes]) =>
      Number((bytes as Buffer).toString().split(' ')[1]),
    );
  }

  send(from: number, end?: number): void {
    this.#socket.write(textOf({ to: 'green' }).slice(from, end));
  }

  sendAll(hold?: string): void {
    this.#socket.write(textOf({ to: 'green', hold }));
  }
}

function textOf(body: object): string {
  const text = JSON.stringify(body);
  const head = ['POST /v1/switch HTTP/1.1', 'host: localhost', 'content-type: application/json'];
  return `${head.join('\r\n')}\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
}

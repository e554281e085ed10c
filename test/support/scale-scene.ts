// Apps that a deployment runs at, each with a name of its own, and what clients have open there: a
// WebSocket, an event stream, a slow request. Over TCP or a Unix socket.
//
//   GET /healthz   200, or 503 while it is sick    GET /slow     ends when the test says so
//   GET /events    an event at once, then silence  WebSocket     says the name first
//   any other      the name

import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { shortDir } from '../unit/control-plane/support/fixtures.ts';
import { serve } from './serving.ts';

export type AppKind = 'tcp' | 'unix';

export interface ScaledApp {
  readonly name: string;
  /** As a target, in normal form. */
  readonly url: string;
  /** Requests that have come in, health checks left out. */
  readonly requestCount: number;
  isSick: boolean;
  /** Ends what is slow. */
  release(): void;
  close(): Promise<void>;
}

/** Starts an app that closes with the test. */
export async function openScaledApp(t: Test, kind: AppKind, name: string): Promise<ScaledApp> {
  const slow = new Set<ServerResponse>();
  let requestCount = 0;
  const app = { isSick: false };
  const server = createServer((asked, response) => {
    if (asked.url === '/healthz') {
      response.writeHead(app.isSick ? 503 : 200).end();
      return;
    }
    requestCount++;
    response.setHeader('x-app', name);
    if (asked.url === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`data: ${name}\n\n`);
    } else if (asked.url === '/slow') {
      slow.add(response);
      response.write('begun');
    } else {
      response.end(name);
    }
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    requestCount++;
    socket.on('error', () => {}); // The client sees it, and judges.
    socket.send(name);
  });
  const path = kind === 'unix' ? join(shortDir(t), `${name}.sock`) : undefined;
  const { port, close } = await serve(t, server, sockets, path);
  return {
    name,
    url: path === undefined ? `http://127.0.0.1:${port}` : `unix:${path}`,
    get requestCount() {
      return requestCount;
    },
    get isSick() {
      return app.isSick;
    },
    set isSick(sick) {
      app.isSick = sick;
    },
    release() {
      for (const response of slow) response.end(', and done');
      slow.clear();
    },
    close,
  };
}

/** A response of which the head has come. */
export interface Begun {
  /** The app that it comes from. */
  readonly app: string;
  readonly status: number;
  readonly cookies: readonly string[];
  /** Resolves with the whole body; rejects where it was cut. */
  readonly body: Promise<string>;
  /** Leaves with a reset: an end alone could be that of a client that reads on. */
  drop(): void;
}

/** Sends a GET on a connection of its own. */
export async function begin(proxy: string, path: string, cookie = ''): Promise<Begun> {
  const headers = cookie === '' ? {} : { cookie };
  const asked = request(`http://${proxy}${path}`, { agent: false, headers });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const body = read(response);
  body.catch(() => {}); // Judged where it is awaited.
  return {
    app: String(response.headers['x-app']),
    status: response.statusCode ?? 0,
    cookies: response.headers['set-cookie'] ?? [],
    body,
    drop: () => response.socket.resetAndDestroy(),
  };
}

async function read(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += String(part);
  return text;
}

/** Begins the same until it comes from `app`. */
export async function beginAt(proxy: string, path: string, app: ScaledApp): Promise<Begun> {
  for (let left = 200; left > 0; left--) {
    const begun = await begin(proxy, path);
    if (begun.app === app.name) return begun;
    begun.drop();
  }
  throw new Error(`${app.name} gets no request`);
}

export interface OpenSocket {
  /** Resolves with the code of the close. */
  readonly closed: Promise<number>;
}

/** Opens a WebSocket to `app`. */
export async function socketAt(proxy: string, app: ScaledApp): Promise<OpenSocket> {
  for (let left = 200; left > 0; left--) {
    const socket = new WebSocket(`ws://${proxy}/ws`);
    const [name] = (await once(socket, 'message')) as [Buffer];
    if (name.toString() === app.name) {
      return { closed: once(socket, 'close').then(([code]) => code as number) };
    }
    socket.terminate();
  }
  throw new Error(`${app.name} gets no WebSocket`);
}

/** Returns the names of the apps that answer `count` requests; throws for any but a 200. */
export async function answering(proxy: string, count: number, cookie = ''): Promise<Set<string>> {
  const names = new Set<string>();
  for (let left = count; left > 0; left--) {
    const { status, body } = await begin(proxy, '/', cookie);
    const text = await body;
    if (status !== 200) throw new Error(`expected 200, got ${status} ${text}`);
    names.add(text);
  }
  return names;
}

/** Resolves when `app` has answered a request. */
export async function served(proxy: string, app: ScaledApp): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while (!(await answering(proxy, 4)).has(app.name)) {
    if (performance.now() > deadlineMs) throw new Error(`${app.name} gets no request`);
  }
}

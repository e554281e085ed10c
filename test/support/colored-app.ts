// A target that says its color in every response, for load and for tests that look at one request.
//
//   GET /length/N, /chunked/N   N bytes      POST /upload   how much came, and its checksum
//   GET /held                   begins at once, ends when the test says so
//   GET /hang                   is never answered               any other: the color
//   WebSocket                   says the color, then every message back

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { Test } from 'tap';
import { WebSocketServer } from 'ws';
import type { Color } from '../../src/contract/table.ts';
import { contentOf, receiptOf } from './load-kinds.ts';
import { serve } from './serving.ts';

const CHUNK_BYTES = 4_096;

export interface ColoredApp {
  readonly url: string;
  readonly port: number;
  /** Requests that have come in, health checks left out. */
  readonly requestCount: number;
  /** Resolves when `count` requests for `path` have come in. */
  arrived(path: string, count: number): Promise<void>;
  /** Ends all responses of `/held`. */
  release(): void;
  /** Stops listening and cuts what is open. */
  close(): Promise<void>;
}

/** Starts an app on a free port; it closes with the test. */
export async function openColoredApp(t: Test, color: Color): Promise<ColoredApp> {
  const held = new Set<ServerResponse>();
  const arrivals = new EventTarget();
  const counts = new Map<string, number>();
  let requestCount = 0;
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    if (path !== '/healthz') requestCount++;
    counts.set(path, (counts.get(path) ?? 0) + 1);
    arrivals.dispatchEvent(new Event('arrival'));
    if (path === '/held') {
      held.add(response);
      response.write(color);
    } else if (path !== '/hang') {
      // A client that has gone is the business of the test, which sees it at its own end.
      answer(color, request, response).catch(() => response.destroy());
    }
  });
  const tunnels = new WebSocketServer({ server });
  tunnels.on('connection', (tunnel) => {
    tunnel.send(color);
    tunnel.on('message', (data) => tunnel.send(data));
    tunnel.on('error', () => {}); // The client sees it, and judges.
  });
  const { port, close } = await serve(t, server, tunnels);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    get requestCount() {
      return requestCount;
    },
    async arrived(path, count) {
      while ((counts.get(path) ?? 0) < count) await once(arrivals, 'arrival');
    },
    release() {
      for (const response of held) response.end();
      held.clear();
    },
    close,
  };
}

async function answer(
  color: Color,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [, what, count] = (request.url ?? '').split('/');
  switch (what) {
    case 'length':
      response.setHeader('content-length', Number(count)).end(contentOf(color, Number(count)));
      break;
    case 'chunked':
      await respondInChunks(contentOf(color, Number(count)), response);
      break;
    case 'upload':
      response.end(await receive(color, request));
      break;
    default:
      response.end(color);
  }
}

/** One chunk a turn, so that long responses run across a switch. */
async function respondInChunks(content: Buffer, response: ServerResponse): Promise<void> {
  for (let at = 0; at < content.length; at += CHUNK_BYTES) {
    response.write(content.subarray(at, at + CHUNK_BYTES));
    await turn();
  }
  response.end();
}

async function receive(color: Color, request: IncomingMessage): Promise<string> {
  let byteCount = 0;
  let checksum = 0;
  for await (const chunk of request) {
    const bytes = chunk as Buffer;
    byteCount += bytes.length;
    checksum = crc32(bytes, checksum);
  }
  return receiptOf(color, byteCount, checksum);
}

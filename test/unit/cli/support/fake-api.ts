// An admin API that says what a test wants it to say, and remembers what it was asked.

import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

export interface Request {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** `cut`: the connection ends without an answer. */
type Answering = (request: Request) => Reply | 'cut' | Promise<Reply | 'cut'>;

export interface FakeApi {
  /** What `--admin` takes. */
  readonly admin: string;
  readonly asked: Request[];
  /** Dry runs of several steps, which are not among `asked`. */
  readonly dryRuns: Request[];
  /** Requests that would change something. */
  readonly changes: () => Request[];
  /** `POST /v1/switch`, one for each request. */
  readonly lines: () => string[];
  close(): Promise<void>;
}

interface Listening {
  /** Answers dry runs of several steps; left out: nothing would be refused. */
  readonly dryRun?: Answering;
  readonly socket?: string;
  readonly tls?: ServerOptions;
}

/** Answers everything by `answering`; a plain value is the body of a 200. */
export async function fakeApi(
  t: Test,
  answering: Answering,
  { socket, tls, dryRun = nothingRefused }: Listening = {},
): Promise<FakeApi> {
  const asked: Request[] = [];
  const dryRuns: Request[] = [];
  const answer = async (request: Request, response: ServerResponse): Promise<void> => {
    const isDryRun = request.path === '/v1/dry-run';
    (isDryRun ? dryRuns : asked).push(request);
    const reply = await (isDryRun ? dryRun : answering)(request);
    if (reply === 'cut') {
      response.destroy();
      return;
    }
    const text = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body);
    response.writeHead(reply.status, { 'content-type': 'application/json' }).end(text);
  };
  const server: Server = tls === undefined ? createServer() : createTlsServer(tls);
  server.on('request', (incoming, response) => {
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('end', () => {
      const url = new URL(incoming.url ?? '/', 'http://localhost');
      const text = Buffer.concat(parts).toString();
      const request: Request = {
        method: incoming.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: incoming.headers,
        body: text === '' ? undefined : (JSON.parse(text) as unknown),
      };
      void answer(request, response);
    });
  });
  server.listen(socket ?? { port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    if (server.listening) await once(server, 'close');
  };
  t.teardown(close);
  const port = (server.address() as AddressInfo).port;
  const scheme = tls === undefined ? 'http' : 'https';
  return {
    admin: socket === undefined ? `${scheme}://127.0.0.1:${port}` : `unix:${socket}`,
    asked,
    dryRuns,
    changes: () => asked.filter(({ method }) => method !== 'GET'),
    lines: () => asked.map(({ method, path }) => `${method} ${path}`),
    close,
  };
}

function nothingRefused(): Reply {
  return ok({ generation: 5, refusals: [] });
}

export function ok(body: unknown): Reply {
  return { status: 200, body };
}

export function problem(status: number, code: string): Reply {
  return { status, body: { title: `title of ${code}`, detail: `detail of ${code}`, code } };
}

/** Time of day on every fake terminal; answers speak of times before and after it. */
export const NOW_MS = Date.parse('2026-03-04T05:06:07.000Z');

/** Returns the time so long before that, as answers have it; negative: after it. */
export function ago(ms: number): string {
  return new Date(NOW_MS - ms).toISOString();
}

interface SideChanges {
  readonly deployment?: number;
  readonly release?: string;
  readonly health?: string;
  readonly targets?: readonly object[];
  readonly names?: readonly object[];
  readonly lastMinute?: object;
  readonly lockedOut?: object | null;
}

/** An answer of `/v1/status` with one service that has blue active. */
export function statusAnswer({
  generation = 5,
  active = 'blue',
  since = 2,
  blue = {},
  green = {},
  services,
  ...rest
}: {
  readonly generation?: number;
  readonly active?: string;
  readonly since?: number;
  readonly blue?: SideChanges;
  readonly green?: SideChanges;
  readonly services?: readonly unknown[];
  readonly [key: string]: unknown;
} = {}): object {
  const at = ago(3_600_000);
  return {
    version: '1.2.3',
    generation,
    ready: true,
    uptimeSeconds: 60,
    listen: '127.0.0.1:8080',
    listeners: [{ address: '127.0.0.1:8080', for: 'traffic', tls: false }],
    workers: { count: 2, listening: 2, restarts: 0 },
    state: { dir: '/state', warning: null },
    services: services ?? [
      {
        name: 'shop',
        active,
        since: { generation: since, at },
        blue: side('v1', { port: 3001, deployment: 11 }, blue),
        green: side('v2', { port: 3002, deployment: 12 }, green),
        draining: [],
        held: null,
        maintenance: null,
        previous: null,
        switches: [],
        ...rest,
      },
    ],
  };
}

function side(
  release: string,
  { port, deployment }: { readonly port: number; readonly deployment: number },
  changes: SideChanges,
): object {
  const changedAt = ago(60_000);
  return {
    deployment,
    release,
    health: 'up',
    traffic: { inflight: 3, tunnels: 2, streams: 1, sessions: 40, requests: 1_000 },
    lastMinute: {
      requestsPerSecond: Array.from({ length: 60 }, (_, index) => index),
      share: 0.5,
      errorRate: 0.02,
      p50Ms: 1.5,
      p99Ms: 120,
    },
    targets: [{ url: `http://127.0.0.1:${port}`, health: 'up', reason: '', changedAt }],
    ...changes,
  };
}

/** An answer to a switch of `shop` from blue to green. */
export function switchedAnswer(changes: object = {}): object {
  return {
    generation: 6,
    service: 'shop',
    from: 'blue',
    to: 'green',
    release: 'v2',
    deployment: 12,
    publishedAt: ago(0),
    tookMs: 3.2,
    changed: true,
    ...changes,
  };
}

/** One drain of an answer of `/v1/drain`: what the switch above has begun. */
export function drainOf(changes: object = {}): object {
  return {
    service: 'shop',
    deployment: 11,
    generation: 2,
    color: 'blue',
    release: 'v1',
    targets: ['http://127.0.0.1:3001'],
    startedAt: ago(0),
    requests: 1,
    tunnels: 0,
    streams: 0,
    sessions: { seen: 7, standardError: 0.01 },
    deadlines: {
      sessions: ago(-60_000),
      end: ago(-90_000),
    },
    safeToStop: false,
    reasons: ['1 request runs'],
    ...changes,
  };
}

// Two workers inside the test that serve one service, and clients that keep their cookies: what a
// rollout does to thousands of sessions, by the same edits and tables as in the product.

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { ServiceConfig } from '../../src/config/config.ts';
import type { Order, Report } from '../../src/contract/messages.ts';
import { NO_CERTIFICATES } from '../../src/contract/certificates.ts';
import { allocateSharedMemory } from '../../src/contract/shared-memory.ts';
import type { Color, RoutingTable } from '../../src/contract/table.ts';
import { routingTable } from '../../src/control-plane/deployments/routing-table.ts';
import type { Edit } from '../../src/control-plane/deployments/state-edit.ts';
import { Slots } from '../../src/control-plane/memory/slots.ts';
import { Totals } from '../../src/control-plane/memory/totals.ts';
import { emptyState, type ServiceState } from '../../src/control-plane/store/service-state.ts';
import { openPlane, type Plane } from '../../src/data-plane/plane.ts';
import { testSettings } from './plane.ts';
import { TEST_INSTANCE, TEST_KEYS } from './policy.ts';
import { connectRaw, type RawPeer } from './raw-peer.ts';

const WORKERS = 2;
/** Connections to each worker, and requests that are sent on one at once. */
const PEERS = 6;
const BATCH = 50;

/** A client with its cookie. */
export interface Session {
  cookie: string | undefined;
  /** Where its requests went, one entry for each change. */
  readonly colors: Color[];
}

export interface SplitScene {
  readonly totals: Totals;
  /** Number of the last decision. */
  readonly epoch: () => number;
  readonly state: () => ServiceState;
  readonly table: () => RoutingTable;
  /** Makes the next table, and has it served. */
  readonly publish: (edit: (epoch: number) => Edit) => Promise<void>;
  /** Sends one request of each session. */
  readonly ask: (sessions: readonly Session[]) => Promise<void>;
}

/** Returns `count` clients that were never here. */
export function newSessions(count: number): Session[] {
  return Array.from({ length: count }, () => ({ cookie: undefined, colors: [] }));
}

/** Opens the workers; blue, the deployment 1, is active, green, the deployment 2, is on a Unix socket. */
export async function openSplitScene(t: Test, config: ServiceConfig): Promise<SplitScene> {
  const folder = mkdtempSync(join(tmpdir(), 'turnout-split-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const blue = await openApp(t, 'blue');
  const green = await openApp(t, 'green', join(folder, 'green.sock'));
  const memory = allocateSharedMemory(WORKERS);
  const totals = new Totals(memory, WORKERS);
  const slots = new Slots(totals);
  let state = stateOf(config.name, { blue, green });
  let epoch = 1;
  let version = 1;
  const make = (): RoutingTable => {
    const states = new Map([[state.name, state]]);
    return routingTable({ version, epoch, configs: [config], states }, slots);
  };
  let table = make();
  Atomics.store(memory.pointer, 0, version);
  const workers: Worker[] = [];
  for (let index = 0; index < WORKERS; index++) {
    const reports = new Reports();
    const listening = reports.next('listening');
    const plane = openPlane(
      {
        index,
        workerCount: WORKERS,
        memory,
        keys: TEST_KEYS,
        instance: TEST_INSTANCE,
        // Each request of a connection is another client.
        settings: testSettings({ forwarding: { trustedProxies: ['127.0.0.1'] } }),
        tables: [table],
        names: [],
        reusePort: false,
        inherited: [],
        certificates: NO_CERTIFICATES,
      },
      (report) => reports.take(report),
    );
    t.teardown(() =>
      obeyed({ plane, reports }, { kind: 'stop', withinMs: 0, idleMs: 0 }, 'stopped'),
    );
    const { listeners } = (await listening) as Extract<Report, { kind: 'listening' }>;
    const { port } = listeners[0]!;
    const peers = await Promise.all(Array.from({ length: PEERS }, () => connectRaw(port)));
    t.teardown(() => peers.forEach((peer) => peer.reset()));
    workers.push({ plane, reports, peers });
  }
  const all = async (order: Order, answer: Report['kind']): Promise<void> => {
    await Promise.all(workers.map((worker) => obeyed(worker, order, answer)));
  };
  return {
    totals,
    epoch: () => epoch,
    state: () => state,
    table: () => table,
    publish: async (edit) => {
      state = edit(epoch + 1)(state);
      epoch++;
      version++;
      table = make();
      await all({ kind: 'prepare', table }, 'prepared');
      Atomics.store(memory.pointer, 0, version);
      await all({ kind: 'adopt', version }, 'adopted');
    },
    ask: async (sessions) => {
      const peers = workers.flatMap((worker) => worker.peers);
      let next = 0;
      await Promise.all(
        peers.map(async (peer) => {
          while (next < sessions.length) {
            const batch = sessions.slice(next, next + BATCH);
            next += batch.length;
            await askBatch(peer, batch);
          }
        }),
      );
    },
  };
}

interface Worker {
  readonly plane: Plane;
  readonly reports: Reports;
  readonly peers: readonly RawPeer[];
}

class Reports {
  readonly #waiting: {
    readonly kind: Report['kind'];
    readonly resolve: (report: Report) => void;
  }[] = [];

  next(kind: Report['kind']): Promise<Report> {
    return new Promise((resolve) => this.#waiting.push({ kind, resolve }));
  }

  take(report: Report): void {
    if (report.kind === 'fault') throw new Error(report.stack);
    const at = this.#waiting.findIndex(({ kind }) => kind === report.kind);
    if (at !== -1) this.#waiting.splice(at, 1)[0]!.resolve(report);
  }
}

async function obeyed(
  { plane, reports }: Pick<Worker, 'plane' | 'reports'>,
  order: Order,
  answer: Report['kind'],
): Promise<void> {
  const answered = reports.next(answer);
  plane.obey(order);
  await answered;
}

/** An app that says its color and nothing else. */
async function openApp(t: Test, color: Color, path?: string): Promise<string> {
  const body = `${color}!`;
  const response = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      // Each request is one small packet without a body; several may come in one read.
      const count = chunk.toString('latin1').split('\r\n\r\n').length - 1;
      socket.write(response.repeat(count));
    });
    t.teardown(() => socket.destroy());
  });
  server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path });
  await once(server, 'listening');
  t.teardown(() => server.close());
  return path === undefined
    ? `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    : `unix:${path}`;
}

function stateOf(name: string, urls: Readonly<Record<Color, string>>): ServiceState {
  const made = { metadata: {}, actor: 'test', atMs: 0, previewSeries: 0, takenOver: undefined };
  return {
    ...emptyState(name, 'blue', 0),
    blue: { deployment: 1, configured: '' },
    green: { deployment: 2, configured: '' },
    deployments: [
      { ...made, number: 1, color: 'blue', release: 'v1', urls: [urls.blue], servedSince: 1 },
      { ...made, number: 2, color: 'green', release: 'v2', urls: [urls.green], servedSince: 0 },
    ],
  };
}

async function askBatch(peer: RawPeer, sessions: readonly Session[]): Promise<void> {
  peer.text = '';
  const requests = sessions.map(({ cookie }) => {
    const line = cookie === undefined ? '' : `Cookie: ${cookie}\r\n`;
    return `GET / HTTP/1.1\r\nHost: shop.test\r\n${line}\r\n`;
  });
  peer.send(requests.join(''));
  const answers = await peer.until(`${sessions.length} answers`, () => {
    const parts = peer.text.split('!');
    return parts.length > sessions.length ? parts : undefined;
  });
  for (const [index, session] of sessions.entries()) {
    const answer = answers[index]!;
    const color = answer.endsWith('green') ? 'green' : 'blue';
    if (session.colors.at(-1) !== color) session.colors.push(color);
    session.cookie = /^Set-Cookie: ([^;]+)/mu.exec(answer)?.[1] ?? session.cookie;
  }
}

// One plane between a target that breaks off and a client that reads at once, later or slowly, all
// of them over TCP or all over Unix sockets. Says what was delivered and how the end looks.

import { createServer, type Server } from 'node:net';
import { LINGER_MS, LINGER_SILENCE_MS, TICK_MS } from '../../src/base/limits.ts';
import type { LiveEndpoint } from '../../src/contract/table.ts';
import { OriginConnection } from './origin.ts';
import { FIRST_VERSION, openTestPlane, testTable, type TestPlane } from './plane.ts';
import { connectRaw, turns, type RawPeer } from './raw-peer.ts';
import { becomes, gaugesOf } from './shared-counters.ts';

export type Transport = 'TCP' | 'Unix';

/** When the side that gets a message reads it. */
export const READINGS = ['at once', 'later', 'slowly'] as const;

export type Reading = (typeof READINGS)[number];

/** Longer than any limit on silence of a test plane. */
const STALL_MS = 61_000;
/** Enough for all sockets of this process to hand on what is under way. */
const TURNS = 60;

export class CutBench {
  readonly plane: TestPlane;
  readonly #where: number | string;
  readonly #server: Server;
  #target = Promise.withResolvers<OriginConnection>();

  private constructor(plane: TestPlane, where: number | string, server: Server) {
    this.plane = plane;
    this.#where = where;
    this.#server = server;
    server.on('connection', (socket) => this.#target.resolve(new OriginConnection(socket)));
  }

  /** `path` makes the names of its Unix sockets. */
  static async open(transport: Transport, path: (name: string) => string): Promise<CutBench> {
    const server = createServer({ allowHalfOpen: true });
    const isUnix = transport === 'Unix';
    await new Promise<void>((resolve) => {
      if (isUnix) server.listen(path('target'), resolve);
      else server.listen(0, '127.0.0.1', resolve);
    });
    const bound = server.address();
    const address: LiveEndpoint['address'] =
      bound !== null && typeof bound === 'object'
        ? { kind: 'tcp', host: '127.0.0.1', port: bound.port }
        : { kind: 'unix', path: path('target') };
    const where = path('clients');
    const plane = await openTestPlane(
      { blue: [1], green: [] },
      isUnix ? { listen: { kind: 'unix', path: where } } : {},
    );
    const bench = new CutBench(plane, isUnix ? where : plane.port, server);
    bench.#leadTo(address);
    return bench;
  }

  connect(): Promise<RawPeer> {
    this.#target = Promise.withResolvers();
    return connectRaw(this.#where);
  }

  /** Resolves with the connection that the target has got since the client connected. */
  target(): Promise<OriginConnection> {
    return this.#target.promise;
  }

  /** Resolves once the plane has handed on `bytes` of a message. */
  async handedOn(bytes: number): Promise<void> {
    await becomes(() => {
      const [client] = this.plane.plane.clients();
      const { request, response } = client?.exchange ?? {};
      return (request?.bytes ?? 0) + (response?.bytes ?? 0) >= bytes;
    });
    await turns(TURNS);
  }

  /** Resolves once what has broken off is over; `tunnelled` is a side of a tunnel. */
  async rest(tunnelled: RawPeer | undefined): Promise<void> {
    await turns(TURNS);
    // A tunnel whose one side has ended goes on; its other side is the reader.
    if (tunnelled?.socket.writableEnded === true) return;
    await becomes(() => gaugesOf(this.plane).inflight === 0);
    await turns(TURNS);
  }

  stall(): void {
    this.#pass(STALL_MS);
  }

  /** Resolves with how `peer` sees its connection end; a plane that only waits is given its time. */
  async endOf(peer: RawPeer): Promise<'end' | 'reset' | 'silence'> {
    await turns(TURNS);
    for (let passedMs = 0; passedMs < LINGER_MS && peer.ending === undefined;) {
      passedMs += LINGER_SILENCE_MS;
      this.#pass(LINGER_SILENCE_MS);
      await turns(TURNS);
    }
    return peer.ending ?? 'silence';
  }

  async close(): Promise<void> {
    await this.plane.stop();
    this.#server.close();
  }

  #pass(ms: number): void {
    this.plane.plane.wheel.advance(Math.ceil(ms / TICK_MS) + 2);
  }

  #leadTo(address: LiveEndpoint['address']): void {
    const version = FIRST_VERSION + 1;
    const table = testTable(version, 'blue', { blue: [1], green: [] });
    const services = table.services.map((service) => ({
      ...service,
      blue: {
        ...service.blue,
        endpoints: service.blue.endpoints.map((endpoint) => ({ ...endpoint, slot: 1, address })),
      },
    }));
    const { plane, memory } = this.plane;
    plane.obey({ kind: 'prepare', table: { ...table, services } });
    Atomics.store(memory.pointer, 0, version);
    plane.obey({ kind: 'adopt', version });
  }
}

/** Lets `peer` read as `reading` says; one that reads later begins when `isOver` resolves. */
export async function readAs(
  peer: RawPeer,
  reading: Reading,
  isOver: () => Promise<void>,
): Promise<void> {
  const { socket } = peer;
  if (reading === 'later') socket.pause();
  if (reading === 'slowly') {
    socket.on('data', () => {
      socket.pause();
      void turns(TURNS).then(() => socket.resume());
    });
  }
  await isOver();
  socket.resume();
}

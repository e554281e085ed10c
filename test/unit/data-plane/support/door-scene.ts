// Doorsteps of a test: a server whose connections each get one, over TCP or a Unix socket, and what has
// become of them. Time passes by hand.

import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import { once } from 'node:events';
import type { Test } from 'tap';
import { Wheel } from '../../../../src/data-plane/base/wheel.ts';
import {
  Doorstep,
  type DoorstepHost,
  type Greeted,
  type Greeting,
} from '../../../../src/data-plane/doorstep/doorstep.ts';
import type { LiveEndpoint } from '../../../../src/contract/table.ts';
import { ACCEPT_OPTIONS } from '../../../../src/data-plane/transport/accepted-socket.ts';
import { RawPeer } from '../../../support/raw-peer.ts';
import { eventually } from '../../../support/shared-counters.ts';
import { listenOn, type SocketKind } from './stream-pair.ts';

/** What a doorstep has told, in order: `entered`, or an outcome. */
class RecordingHost implements DoorstepHost {
  readonly wheel = new Wheel();
  readonly told: string[] = [];
  readonly greeted: Greeted[] = [];
  readonly faults: unknown[] = [];
  /** Thrown by the next `entered` or `gone`. */
  fault: Error | undefined;

  entered(_step: Doorstep, greeted: Greeted): void {
    this.told.push('entered');
    this.greeted.push(greeted);
    this.#throw();
  }

  gone(_step: Doorstep, outcome: string): void {
    this.told.push(outcome);
    this.#throw();
  }

  contained(error: unknown): void {
    this.faults.push(error);
  }

  #throw(): void {
    const { fault } = this;
    this.fault = undefined;
    if (fault !== undefined) throw fault;
  }
}

export interface DoorScene {
  readonly host: RecordingHost;
  readonly steps: readonly Doorstep[];
  /** What the doorsteps have accepted. */
  readonly sockets: readonly Socket[];
  /** Opens a connection that says nothing yet. */
  connect(): Promise<RawPeer>;
  /** Opens one and begins TLS after `before`, written first. */
  secure(options?: tls.ConnectionOptions, before?: Buffer): Promise<RawPeer>;
  /** Resolves with the next thing that is told. */
  next(): Promise<string | undefined>;
  pass(ms: number): void;
}

export async function openDoorScene(
  t: Test,
  greeting: Greeting,
  kind: SocketKind = 'tcp',
): Promise<DoorScene> {
  const host = new RecordingHost();
  const steps: Doorstep[] = [];
  const sockets: Socket[] = [];
  const server = net.createServer(ACCEPT_OPTIONS, (socket) => {
    sockets.push(socket);
    steps.push(new Doorstep(host, greeting, socket));
  });
  const address = await listenOn(t, server, kind);
  const peers: Socket[] = [];
  t.teardown(() => {
    for (const socket of [...peers, ...sockets]) socket.destroy();
    server.close();
  });
  let seen = 0;
  const open = async (): Promise<Socket> => {
    const socket = net.connect({ ...placeOf(address), allowHalfOpen: true });
    peers.push(socket);
    await once(socket, 'connect');
    return socket;
  };
  return {
    host,
    steps,
    sockets,
    connect: async () => new RawPeer(await open()),
    async secure(options = {}, before = Buffer.alloc(0)) {
      const below = await open();
      if (before.length > 0) below.write(before);
      return new RawPeer(
        tls.connect({ socket: below, rejectUnauthorized: false, ...options }),
        below,
      );
    },
    async next() {
      const told = await eventually(
        () => host.told[seen],
        () => undefined,
      );
      if (told !== undefined) seen++;
      return told;
    },
    pass: (ms) => host.wheel.advance(Math.ceil(ms / 100) + 2),
  };
}

function placeOf(address: LiveEndpoint['address']): net.NetConnectOpts {
  return address.kind === 'tcp'
    ? { host: '127.0.0.1', port: address.port }
    : { path: address.path };
}

/** Returns the bytes of a ClientHello that names `servername`. */
export async function clientHello(servername = 'localhost'): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const server = net.createServer((socket) => {
    socket.once('data', (bytes) => {
      resolve(bytes);
      socket.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const socket = tls.connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false });
  socket.on('error', () => {});
  const bytes = await promise;
  server.close();
  return bytes;
}

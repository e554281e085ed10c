// A byte stream with a real socket at its other end, over TCP or a Unix socket, accepted or
// connected, plain or by TLS.

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import tls from 'node:tls';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { LiveEndpoint } from '../../../../src/contract/table.ts';
import { TargetTls, type TargetTerms } from '../../../../src/contract/target-tls.ts';
import {
  ACCEPT_OPTIONS,
  takeConnections,
  type Accepted,
} from '../../../../src/data-plane/transport/accepted-socket.ts';
import { ByteStream } from '../../../../src/data-plane/transport/byte-stream.ts';
import type { GreetedSocket } from '../../../../src/data-plane/transport/greeted-socket.ts';
import { Doorstep, type Greeted } from '../../../../src/data-plane/doorstep/doorstep.ts';
import { Wheel } from '../../../../src/data-plane/base/wheel.ts';
import { connectRaw, RawPeer } from '../../../support/raw-peer.ts';
import { testCertificates } from '../../../support/test-certificates.ts';
import { testDoor } from './test-door.ts';
import { RecordingOwner } from './recording-owner.ts';

export type SocketKind = 'tcp' | 'unix';
/** What a stream is carried by; of a TLS stream, what that is carried by. */
export type StreamKind = SocketKind | 'tls over tcp' | 'tls over unix';
export type StreamSide = 'accepted' | 'connected';

/** Every way in which a stream comes to be. */
export const STREAM_WAYS: readonly (readonly [kind: StreamKind, side: StreamSide])[] = [
  ['tcp', 'accepted'],
  ['tcp', 'connected'],
  ['unix', 'accepted'],
  ['unix', 'connected'],
  ['tls over tcp', 'accepted'],
  ['tls over tcp', 'connected'],
  ['tls over unix', 'accepted'],
];

export interface StreamPair {
  readonly owner: RecordingOwner;
  readonly stream: ByteStream;
  /** The other end. */
  readonly peer: RawPeer;
  /** Code of the first error that the other end has seen. */
  readonly peerError: () => string | undefined;
}

/** Opens a pair, closed when `t` ends. `prepare` may change the owner before its first call. */
export async function openPair(
  t: Test,
  [kind, side]: readonly [StreamKind, StreamSide],
  prepare: (owner: RecordingOwner) => void = () => undefined,
): Promise<StreamPair> {
  const owner = new RecordingOwner();
  prepare(owner);
  const options = side === 'accepted' ? ACCEPT_OPTIONS : { allowHalfOpen: true };
  const server = createServer(options);
  const isTls = kind === 'tls over tcp' || kind === 'tls over unix';
  const taken = Promise.withResolvers<Accepted | GreetedSocket>();
  const accepted = new Promise<Socket>((resolve) => {
    if (isTls && side === 'accepted') {
      server.once('connection', (socket) => void greet(socket).then(taken.resolve));
    } else if (side === 'accepted') takeConnections(server, taken.resolve);
    else server.once('connection', resolve);
  });
  const address = await listenOn(
    t,
    server,
    kind === 'unix' || kind === 'tls over unix' ? 'unix' : 'tcp',
  );
  let stream: ByteStream;
  let peer: RawPeer;
  if (side === 'accepted') {
    const port = address.kind === 'tcp' ? address.port : address.path;
    const connected = isTls ? connectTls(port) : connectRaw(port);
    stream = ByteStream.accept(owner, await taken.promise);
    peer = await connected;
  } else {
    const terms = isTls ? testTerms() : undefined;
    stream = ByteStream.connect(owner, address, { terms });
    peer = isTls ? await greetTls(await accepted) : new RawPeer(await accepted);
  }
  let errorCode: string | undefined;
  peer.socket.on('error', (error: NodeJS.ErrnoException) => {
    errorCode ??= error.code;
  });
  t.teardown(() => {
    stream.close();
    peer.socket.destroy();
    server.close();
  });
  return { owner, stream, peer, peerError: () => errorCode };
}

/** Takes a connection through its handshake. */
async function greet(socket: Socket): Promise<GreetedSocket> {
  const wheel = new Wheel();
  return new Promise((resolve, reject) => {
    const host = {
      wheel,
      entered: (_step: Doorstep, greeted: Greeted) => resolve(greeted.socket),
      gone: (_step: Doorstep, outcome: string) => reject(new Error(`the handshake: ${outcome}`)),
      contained: reject,
    };
    void new Doorstep(host, { hasProxyHeader: false, door: testDoor() }, socket);
  });
}

async function connectTls(port: number | string): Promise<RawPeer> {
  const socket =
    typeof port === 'string'
      ? connect({ path: port, allowHalfOpen: true })
      : connect({ port, allowHalfOpen: true });
  const secured = tls.connect({ socket, rejectUnauthorized: false });
  const peer = new RawPeer(secured);
  await once(secured, 'secureConnect');
  return peer;
}

/** What a target with the test certificate is asked. */
function testTerms(): TargetTerms {
  const [{ chain } = { chain: '' }] = testCertificates().certificates;
  const terms = { service: 'shop', authorities: chain, chain: '', key: '', serverName: '' };
  const address = { kind: 'tcp', host: '127.0.0.1', port: 1 } as const;
  const endpoint = { address, tls: { name: 'localhost', service: 'shop' } };
  return new TargetTls({ upstreams: [terms] }).of(endpoint)!;
}

/** Speaks TLS on a connection that has come in. */
async function greetTls(socket: Socket): Promise<RawPeer> {
  const [{ chain, key } = { chain: '', key: '' }] = testCertificates().certificates;
  const secured = new tls.TLSSocket(socket, { isServer: true, cert: chain, key });
  const peer = new RawPeer(secured, socket);
  // The other side may go before the handshake has ended here.
  await Promise.race([once(secured, 'secure'), peer.watch(() => peer.ending)]);
  return peer;
}

/** Lets `server` listen on a free address of `kind`. */
export async function listenOn(
  t: Test,
  server: Server,
  kind: SocketKind,
): Promise<LiveEndpoint['address']> {
  const path = kind === 'unix' ? socketPath(t) : '';
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if (kind === 'unix') server.listen(path, resolve);
    else server.listen(0, '127.0.0.1', resolve);
  });
  if (kind === 'unix') return { kind, path };
  return { kind, host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

/** Returns a path for a socket: short, because the system allows about a hundred characters. */
export function socketPath(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'turnout-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 's');
}

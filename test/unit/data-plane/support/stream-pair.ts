// A byte stream with a real socket at its other end, over TCP or a Unix socket, accepted or
// connected.

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { LiveEndpoint } from '../../../../src/contract/table.ts';
import {
  ACCEPT_OPTIONS,
  takeConnections,
  type Accepted,
} from '../../../../src/data-plane/transport/accepted-socket.ts';
import { ByteStream } from '../../../../src/data-plane/transport/byte-stream.ts';
import { connectRaw, RawPeer } from '../../../support/raw-peer.ts';
import { RecordingOwner } from './recording-owner.ts';

export type SocketKind = 'tcp' | 'unix';
export type StreamSide = 'accepted' | 'connected';

/** Every way in which a stream comes to be. */
export const STREAM_WAYS: readonly (readonly [kind: SocketKind, side: StreamSide])[] = [
  ['tcp', 'accepted'],
  ['tcp', 'connected'],
  ['unix', 'accepted'],
  ['unix', 'connected'],
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
  [kind, side]: readonly [SocketKind, StreamSide],
  prepare: (owner: RecordingOwner) => void = () => undefined,
): Promise<StreamPair> {
  const owner = new RecordingOwner();
  prepare(owner);
  const options = side === 'accepted' ? ACCEPT_OPTIONS : { allowHalfOpen: true };
  const server = createServer(options);
  const taken = Promise.withResolvers<Accepted>();
  const accepted = new Promise<Socket>((resolve) => {
    if (side === 'accepted') takeConnections(server, taken.resolve);
    else server.once('connection', resolve);
  });
  const address = await listenOn(t, server, kind);
  let stream: ByteStream;
  let peer: RawPeer;
  if (side === 'accepted') {
    const connected = connectRaw(address.kind === 'tcp' ? address.port : address.path);
    stream = ByteStream.accept(owner, await taken.promise);
    peer = await connected;
  } else {
    stream = ByteStream.connect(owner, address);
    peer = new RawPeer(await accepted);
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

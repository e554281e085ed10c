// Targets over TLS inside a test, a data plane that leads to one, and clients that ask it.

import { createHash, randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import https from 'node:https';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { request, type IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Test } from 'tap';
import type { UpstreamTerms } from '../../src/contract/certificates.ts';
import { openTestPlane, type SettingsPatch, type TestPlane } from './plane.ts';

/** Bytes of another place would show. */
export const BIG = randomBytes(1_048_576);
export const UPLOAD = randomBytes(20_971_520);

/** Returns what the target answers to an upload of `bytes`. */
export function receipt(bytes: Buffer): string {
  return `got ${bytes.length} ${createHash('sha256').update(bytes).digest('hex')}`;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly isWhole: boolean;
}

/** Opens a plane whose one target is at `port`. */
export async function planeTo(
  t: Test,
  port: number,
  terms: UpstreamTerms,
  upstream: SettingsPatch['upstream'] = {},
): Promise<TestPlane> {
  const plane = await openTestPlane(
    { blue: [port], green: [] },
    { targetAuthorities: terms.authorities, upstream },
  );
  certify(plane, terms);
  t.teardown(() => plane.stop());
  return plane;
}

export function certify({ plane, reports }: TestPlane, terms: UpstreamTerms): void {
  const version = 1 + reports.filter(({ kind }) => kind === 'certified').length;
  const none = { certificates: [], doors: [], challenges: [], ticketKeys: new Uint8Array(48) };
  plane.obey({ kind: 'certificates', set: { version, ...none, upstreams: [terms] } });
}

export async function listen(t: Test, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** A target that answers, and that counts its connections and how many of them went on with a session. */
export async function target(t: Test, options: https.ServerOptions) {
  const seen = {
    events: new EventEmitter(),
    sockets: new Set<Socket>(),
    connections: 0,
    resumed: 0,
    names: new Set<unknown>(),
    alpn: new Set<unknown>(),
  };
  const server = https.createServer(options, (incoming, response) => {
    if (incoming.url === '/last') response.setHeader('connection', 'close');
    if (incoming.url === '/big') {
      response.end(BIG);
      return;
    }
    seen.events.emit('request');
    const pieces: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => {
      pieces.push(chunk);
    });
    incoming.on('end', () => response.end(receipt(Buffer.concat(pieces))));
  });
  server.on('upgrade', (_request, socket) => {
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n',
    );
    socket.pipe(socket);
  });
  server.on('secureConnection', (socket) => {
    seen.connections++;
    seen.sockets.add(socket);
    if (socket.isSessionReused()) seen.resumed++;
    seen.names.add((socket as TLSSocket & { readonly servername: unknown }).servername);
    seen.alpn.add(socket.alpnProtocol);
  });
  return { port: await listen(t, server), seen };
}

/** A listener that speaks TLS with `files` and does on each connection what `run` says. */
export async function rawTarget(
  t: Test,
  pems: { readonly cert: string; readonly key: string },
  run: (secured: TLSSocket, below: Socket) => void,
): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (below) => {
    const secured = new TLSSocket(below, { ...pems, isServer: true });
    secured.on('error', () => {});
    run(secured, below);
  });
  return listen(t, server);
}

export async function ask(port: number, path = '/', body?: Buffer): Promise<Answer> {
  const method = body === undefined ? 'GET' : 'POST';
  const asked = request({ port, path, method, agent: false });
  asked.on('error', () => {});
  asked.end(body);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  response.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  response.on('error', () => {});
  // An error before it is what some tests are about.
  await new Promise((resolve) => response.once('close', resolve));
  return { status: response.statusCode!, body: text, isWhole: response.complete };
}

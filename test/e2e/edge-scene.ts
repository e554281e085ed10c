// A real process with two workers and a listener of every kind at one address, before an app that tells
// exactly what has reached it; and clients that speak to it byte by byte.

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tls from 'node:tls';
import type { Test } from 'tap';
import type { HandshakeOutcome } from '../../src/contract/counters.ts';
import { AdminClient, seriesOf } from '../support/admin-client.ts';
import { freePort, ownAddress } from '../support/own-address.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { serve } from '../support/serving.ts';
import { startAsGiven, temporaryDirectory, type Running } from './turnout-process.ts';
import { until } from './upgrade-scene.ts';

/** What an entry of `listen` says beside its address. */
export type ListenEntry = Readonly<Record<string, unknown>>;

export interface EdgeScene<Name extends string> {
  readonly host: string;
  readonly ports: Readonly<Record<Name, number>>;
  readonly running: Running;
  readonly admin: AdminClient;
  /** Opens a connection; with `options` by TLS, after the bytes of `before`. */
  open(at: Name, options?: tls.ConnectionOptions, before?: string): Promise<RawPeer>;
  /** Sends one request over a connection of its own, and resolves with all that came until its end. */
  ask(at: Name, request: string, options?: tls.ConnectionOptions, before?: string): Promise<string>;
  /** Has it listen as `entries` say, at the same ports; what they leave out is closed. */
  relisten(entries: Readonly<Partial<Record<Name, ListenEntry>>>): Promise<void>;
  /** Resolves with the value of a series of the metrics; 0: there is none. */
  metric(series: string): Promise<number>;
  /** Resolves once so many handshakes have come to `outcome`. */
  counted(outcome: HandshakeOutcome, count: number): Promise<void>;
  /** Resolves once no connection and no handshake is open. */
  settled(): Promise<void>;
}

export interface EdgeOptions {
  readonly hosts?: readonly string[];
  /** Further settings of the file. */
  readonly more?: Readonly<Record<string, unknown>>;
  readonly service?: Readonly<Record<string, unknown>>;
}

export const HOST = 'shop.test';
/** A request after which the connection ends. */
export const GET = `GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`;

/** Starts it; `entries` by the names by which the test calls its listeners. */
export async function openEdge<Name extends string>(
  t: Test,
  entries: Readonly<Record<Name, ListenEntry>>,
  { hosts = [HOST], more = {}, service = {} }: EdgeOptions = {},
): Promise<EdgeScene<Name>> {
  const app = await openTellingApp(t);
  const host = ownAddress();
  const names = Object.keys(entries) as Name[];
  const found = await Promise.all(names.map(async (name) => [name, await freePort(host)] as const));
  const ports = Object.fromEntries(found) as Record<Name, number>;
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  const shop = { hosts, health: { kind: 'none' }, affinity: { mode: 'off' }, ...service };
  const services = [{ ...shop, blue: { targets: [app] } }];
  const write = (listened: Readonly<Partial<Record<Name, ListenEntry>>>): void => {
    const listen = names
      .filter((name) => listened[name] !== undefined)
      .map((name) => ({ address: `${host}:${ports[name]}`, ...listened[name] }));
    writeFileSync(file, JSON.stringify({ watch: false, workers: 2, listen, services, ...more }));
  };
  write(entries);
  const state = ['--state', temporaryDirectory(t), '--admin', '127.0.0.1:0'];
  const running = await startAsGiven(t, ['--config', file, ...state]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const open = async (at: Name, options?: tls.ConnectionOptions, before = ''): Promise<RawPeer> => {
    const socket = connect({ port: ports[at], host, allowHalfOpen: true });
    await once(socket, 'connect');
    if (before !== '') socket.write(before, 'latin1');
    if (options === undefined) return new RawPeer(socket);
    const secured = tls.connect({
      socket,
      rejectUnauthorized: false,
      servername: HOST,
      ...options,
    });
    const peer = new RawPeer(secured, socket);
    await Promise.race([once(secured, 'secureConnect').catch(() => {}), peer.ended()]);
    return peer;
  };
  const metric = async (series: string): Promise<number> =>
    seriesOf((await admin.get('/metrics')).text, series) ?? 0;
  return {
    host,
    ports,
    running,
    admin,
    open,
    async ask(at, request, options, before) {
      const peer = await open(at, options, before);
      peer.send(request);
      await peer.ended();
      peer.socket.destroy();
      return peer.text;
    },
    async relisten(listened) {
      write(listened);
      const { status, text } = await admin.post('/v1/reload', {});
      if (status !== 200) throw new Error(`expected a reload, got ${text}`);
    },
    metric,
    counted: async (outcome, count) =>
      until(
        async () => (await metric(handshakes(outcome))) >= count,
        `${count} handshakes with the outcome ${outcome}`,
      ),
    settled: async () =>
      until(async () => {
        const { text } = await admin.get('/metrics');
        const open = ['turnout_tls_handshakes_open', 'turnout_connections_open'];
        return open.every((series) => seriesOf(text, series) === 0);
      }, 'an end of all connections'),
  };
}

/** Returns the series of an outcome. */
function handshakes(outcome: HandshakeOutcome): string {
  return `turnout_tls_handshakes_total{outcome="${outcome}"}`;
}

/** What the app was asked, as it tells it in its response. */
export interface Told {
  readonly url: string;
  /** Names in small letters, with their values in order. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly trailers: readonly (readonly [name: string, value: string])[];
}

/** Returns what the app has told in `text`, all of a connection. */
export function toldIn(text: string): Told {
  const found = /\{"url".*\}/.exec(text);
  if (found === null) throw new Error(`expected a response of the app, got ${text.slice(0, 500)}`);
  return JSON.parse(found[0]) as Told;
}

/** Returns the bytes of memory that a process has, its workers included. */
export function rssOf(pid: number): number {
  const [, pages] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
  return Number(pages) * 4_096;
}

async function openTellingApp(t: Test): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end(tell(request)));
  });
  server.on('upgrade', (request, socket) => {
    socket.on('error', () => {});
    socket.end(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n${tell(request)}`,
    );
  });
  const { port } = await serve(t, server);
  return `http://127.0.0.1:${port}`;
}

function tell({ url, rawHeaders, rawTrailers }: IncomingMessage): string {
  return JSON.stringify({ url, fields: pairs(rawHeaders), trailers: pairs(rawTrailers) });
}

function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), raw[at + 1]!]] : []));
}

// Apps with a place of their own, where one may follow another, and a Turnout with a file that
// operators can change, restart and upgrade.

import { once } from 'node:events';
import { copyFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage } from 'node:http';
import { Server as NetServer } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Test } from 'tap';
import { AdminClient, type AdminAnswer } from '../support/admin-client.ts';
import { freePort, ownAddress } from '../support/own-address.ts';
import { shortDir } from '../unit/control-plane/support/fixtures.ts';
import {
  startAsGiven,
  temporaryDirectory,
  turnout,
  type Ended,
  type Running,
} from './turnout-process.ts';
import { kill, until } from './upgrade-scene.ts';

export type PlaceKind = 'tcp' | 'unix';

/** Where an app can listen, and another one after it. */
export interface Place {
  readonly url: string;
  /** The same place in other words. */
  readonly alias: string;
  readonly listen: { readonly host: string; readonly port: number } | { readonly path: string };
}

/** Resolves with a place at which nothing listens yet. */
export async function newPlace(t: Test, kind: PlaceKind): Promise<Place> {
  if (kind === 'unix') {
    const dir = shortDir(t);
    const [path, link] = [join(dir, 'app.sock'), join(dir, 'link')];
    symlinkSync(path, link);
    return { url: `unix:${path}`, alias: `unix:${link}`, listen: { path } };
  }
  const host = ownAddress();
  const port = await freePort(host);
  const alias = `http://[::ffff:${host}]:${port}`;
  return { url: `http://${host}:${port}`, alias, listen: { host, port } };
}

export interface NamedApp {
  readonly url: string;
  /** Requests that have come in, in their order; health checks are left out. */
  readonly asked: readonly string[];
  /** What each of them brought. */
  readonly cookies: readonly string[];
  /** Takes no connection any more; those that are open stay. */
  stopListening(): Promise<void>;
  close(): Promise<void>;
}

export const TUNNEL = 'Connection: Upgrade\r\nUpgrade: chat\r\n';

/** Opens an app at `place` that answers with its name, tunnels too; it has nothing below `/missing`. */
export async function openAt(t: Test, place: Place, name: string): Promise<NamedApp> {
  const asked: string[] = [];
  const cookies: string[] = [];
  const server = createServer({ keepAliveTimeout: 0 }, (ask, answer) => {
    if (ask.url !== '/healthz') {
      asked.push(`${ask.method} ${ask.url}`);
      cookies.push(ask.headers.cookie ?? '');
    }
    if (ask.url?.startsWith('/missing') === true) answer.statusCode = 404;
    answer.end(name);
  });
  const tunnels = new Set<Duplex>();
  server.on('upgrade', (ask, socket) => {
    asked.push(`tunnel ${ask.url}`);
    tunnels.add(socket);
    socket.on('error', () => {}); // The client sees it, and judges.
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${TUNNEL}\r\n${name}`);
  });
  server.listen(place.listen);
  await once(server, 'listening');
  const stopListening = async (): Promise<void> => {
    if (!server.listening) return;
    // The server of HTTP would close what is idle as well.
    NetServer.prototype.close.call(server);
    await until(() => !server.listening, 'no listener');
  };
  const close = async (): Promise<void> => {
    await stopListening();
    server.closeAllConnections();
    for (const socket of tunnels) socket.destroy();
  };
  t.teardown(close);
  return { url: place.url, asked, cookies, stopListening, close };
}

/** Opens an app at a place of its own. */
export async function openNamed(t: Test, kind: PlaceKind, name: string): Promise<NamedApp> {
  return openAt(t, await newPlace(t, kind), name);
}

/** Of a configuration: a service, or a color of it. */
type Written = Readonly<Record<string, unknown>>;

export interface ReleaseScene {
  readonly running: Running;
  /** Its state directory. */
  readonly state: string;
  readonly admin: AdminClient;
  /** Writes the file; nothing is read yet. */
  write(services: readonly Written[]): void;
  reload(): Promise<AdminAnswer>;
  /** Ends the process, and starts another one with the same file, state and listener. */
  restart(): Promise<void>;
  /** Asks for an upgrade; the scene goes on with the new process if there is one. */
  upgrade(): Promise<AdminAnswer>;
  cli(...args: readonly string[]): Promise<Ended>;
  /** `turnout apply` of `wanted`. */
  apply(wanted: Written, ...args: readonly string[]): Promise<Ended>;
  /** Resolves when all targets of `color` are up. */
  isUp(color: 'blue' | 'green', service?: string): Promise<void>;
  /** Switches once the targets are healthy. */
  switchTo(to: string, body?: Written, service?: string): Promise<void>;
  status(service?: string): Promise<ServiceStatus>;
  /** Asks on a connection of its own. */
  ask(asked?: Asked): Promise<Heard>;
  /** Returns the cookies of a client that has just come and was answered by `name`. */
  newcomer(name: string, asked?: Asked): Promise<string>;
}

export interface Asked {
  readonly path?: string;
  readonly host?: string;
  readonly method?: string;
  readonly fields?: Readonly<Record<string, string>>;
}

interface Heard {
  readonly status: number;
  readonly text: string;
  /** Names and values. */
  readonly cookies: readonly string[];
  /** What was set, with all attributes. */
  readonly set: readonly string[];
}

interface SideStatus {
  readonly deployment: number;
  readonly release: string;
  readonly targets: readonly { readonly url: string; readonly health: string }[];
}

interface ServiceStatus {
  readonly name: string;
  readonly active: 'blue' | 'green';
  readonly blue: SideStatus;
  readonly green: SideStatus;
  readonly draining: readonly Written[];
}

/** Checks that tell soon what they know. */
const QUICK = { interval: '100ms', rise: 1 } as const;

/** Returns a color of the file. */
export function side(release: string, ...urls: readonly string[]): Written {
  return { release, targets: urls };
}

/** Starts Turnout with `services`, each with quick checks. */
export async function openReleases(
  t: Test,
  services: readonly Written[],
  {
    workers = 1,
    settings = {},
    keysOf,
  }: {
    readonly workers?: number;
    readonly settings?: Written;
    /** It begins with a copy of the keys of another one. */
    readonly keysOf?: Pick<ReleaseScene, 'state'>;
  } = {},
): Promise<ReleaseScene> {
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  const declared = join(temporaryDirectory(t), 'wanted.yaml');
  const state = temporaryDirectory(t);
  if (keysOf !== undefined) {
    copyFileSync(join(keysOf.state, 'signing.keys'), join(state, 'signing.keys'));
  }
  const write = (wanted: readonly Written[]): void => {
    const full = wanted.map((one) => ({ health: QUICK, ...one }));
    const content = { watch: false, stop: { deadline: '1s' }, ...settings, services: full };
    writeFileSync(file, JSON.stringify(content));
  };
  write(services);
  const fixed = ['--config', file, '--state', state, '--workers', String(workers)];
  const start = async (listen: string): Promise<Running> =>
    startAsGiven(t, [...fixed, '--listen', listen, '--admin', '127.0.0.1:0']);
  const pids = new Set<number>();
  t.teardown(() => {
    for (const pid of pids) kill(pid);
  });
  let running = await start(`${ownAddress()}:0`);
  let admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const again = (): void => {
    admin.close();
    admin = new AdminClient(running.admin);
  };
  const scene: ReleaseScene = {
    state,
    get running() {
      return running;
    },
    get admin() {
      return admin;
    },
    write,
    reload: async () => admin.post('/v1/reload', {}),
    async restart() {
      running.process.kill('SIGTERM');
      await running.ended;
      running = await start(running.proxy);
      again();
    },
    async upgrade() {
      const answer = await admin.post('/v1/upgrade', {});
      if (answer.status === 200) pids.add(Number(answer.json['pid']));
      again();
      return answer;
    },
    cli: async (...args) => turnout([...args, '--admin', running.admin]),
    async apply(wanted, ...args) {
      writeFileSync(declared, JSON.stringify(wanted));
      return turnout(['apply', '-f', declared, '--admin', running.admin, ...args]);
    },
    async isUp(color, service) {
      await until(async () => {
        const { targets } = (await scene.status(service))[color];
        return targets.length > 0 && targets.every(({ health }) => health === 'up');
      }, `${color} up`);
    },
    async switchTo(to, body = {}, service) {
      let last = '';
      const isDone = async (): Promise<boolean> => {
        const { status, text } = await admin.post('/v1/switch', { to, service, ...body });
        last = text;
        return status === 200;
      };
      await until(isDone, `a switch to ${to}`).catch((error: unknown) => {
        throw new Error(last, { cause: error });
      });
    },
    async status(service) {
      const { json } = await admin.get('/v1/status');
      const all = json['services'] as readonly ServiceStatus[];
      return all.find(({ name }) => service === undefined || name === service)!;
    },
    ask: async (asked = {}) => askAt(running.proxy, asked),
    async newcomer(name, asked = {}) {
      const { text, cookies } = await scene.ask(asked);
      if (text !== name) throw new Error(`expected ${name}, got ${text}`);
      return cookies.join('; ');
    },
  };
  return scene;
}

/** Asks at `host:port` on a connection of its own. */
async function askAt(
  address: string,
  { path = '/', host = 'shop.test', method = 'GET', fields = {} }: Asked = {},
): Promise<Heard> {
  const [hostname, port] = address.split(':');
  const headers = { host, ...fields };
  const asked = request({ hostname, port, path, method, headers, agent: false });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of answer.setEncoding('utf8')) text += String(part);
  const set = answer.headers['set-cookie'] ?? [];
  return {
    status: answer.statusCode ?? 0,
    text,
    cookies: set.map((one) => one.split(';')[0]!),
    set,
  };
}

// One plane with two clients: the victim, for which something of ours breaks, and a bystander that
// must not feel it. The target does what the path of a request says.

import { createServer } from 'node:net';
import type { Test } from 'tap';
import type { RoutingTable } from '../../../../src/contract/table.ts';
import {
  answering,
  openOrigin,
  type Origin,
  type OriginConnection,
} from '../../../support/origin.ts';
import {
  FIRST_VERSION,
  openTestPlane,
  testTable,
  type SettingsPatch,
  type Targets,
  type TestPlane,
} from '../../../support/plane.ts';
import { connectRaw, type RawPeer } from '../../../support/raw-peer.ts';
import { becomes } from '../../../support/shared-counters.ts';
import { countedIn } from './counted.ts';
import type { MethodFaults, MethodName } from './method-faults.ts';
import { socketPath, type SocketKind } from './stream-pair.ts';

/** No limit of ours ends what a test did not ask it to end. */
const NEVER_MS = 3_600_000;

export function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
}

export function post(path: string, length: number, body = ''): string {
  return `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${body}`;
}

export const UPGRADE =
  'GET /socket HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
/** Nothing follows on the connection. */
const LAST_OK = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok';
/** More than fits into the sockets between a target and a client that does not read. */
export const BIG_BYTES = 8_388_608;

/** What the target does with a request, by its path. */
const DEEDS: Readonly<Record<string, (connection: OriginConnection) => void | Promise<void>>> = {
  '/ok': (connection) => connection.send(OK),
  '/close': (connection) => {
    connection.send(LAST_OK);
    connection.end();
  },
  '/missing': (connection) =>
    connection.send('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno'),
  '/big': (connection) =>
    connection.send(
      `HTTP/1.1 200 OK\r\nContent-Length: ${BIG_BYTES}\r\n\r\n${'x'.repeat(BIG_BYTES)}`,
    ),
  '/half': (connection) => connection.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
  '/early': (connection) => connection.send(`HTTP/1.1 103 Early Hints\r\n\r\n${OK}`),
  '/until-close': (connection) => {
    connection.send('HTTP/1.1 200 OK\r\n\r\nok');
    connection.end();
  },
  '/garbage': (connection) => connection.send('no HTTP\r\n\r\n'),
  '/garbage-later': (connection) =>
    connection.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n'),
  '/gone': (connection) => connection.end(),
  '/events': (connection) =>
    connection.send(
      'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n' +
        'b\r\ndata: half\n\r\n',
    ),
  '/socket': (connection) =>
    connection.send(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
    ),
  '/silent': () => undefined,
};

async function serve(connection: OriginConnection): Promise<void> {
  for (;;) {
    const head = await connection.nextHead();
    if (head === undefined) {
      connection.end();
      return;
    }
    const path = head.start.split(' ')[1]!;
    if (path === '/upload') {
      await connection.watch(() => (connection.text.length > BIG_BYTES ? true : undefined));
      connection.send(LAST_OK);
      await connection.ended();
      return;
    }
    if (path === '/refused-early') {
      connection.send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno');
      await connection.ended();
      return;
    }
    // Answered before its body has come: the rest is of no interest.
    if (path === '/answered-early') {
      connection.send(LAST_OK);
      await connection.ended();
      return;
    }
    if ((await connection.nextRequest()) === undefined) return;
    await (DEEDS[path] ?? DEEDS['/ok']!)(connection);
  }
}

/** Nothing but the bystander is counted. */
export const AT_REST = 'clients: 1';

export interface SceneOptions {
  readonly kind: SocketKind;
  /** What the bystander sends before its first request. */
  readonly hello?: string;
  readonly patch?: SettingsPatch;
  readonly change?: (table: RoutingTable) => RoutingTable;
}

/** What a victim does, in a plane that is made so. */
export interface Scenario {
  readonly hello?: string;
  readonly patch?: SettingsPatch;
  /** Makes the table in which it begins. */
  readonly change?: (table: RoutingTable) => RoutingTable;
  readonly run: (scene: FaultScene) => Promise<void> | void;
}

export class FaultScene {
  readonly origin: Origin;
  readonly plane: TestPlane;
  /** Its requests are answered, whatever happens to the victim. */
  readonly bystander: RawPeer;
  readonly #faults: MethodFaults;
  readonly #where: number | string;
  readonly #peers: RawPeer[] = [];
  #victim: RawPeer | undefined = undefined;
  #targets: Targets;
  #version = FIRST_VERSION;

  private constructor(parts: {
    readonly origin: Origin;
    readonly plane: TestPlane;
    readonly bystander: RawPeer;
    readonly faults: MethodFaults;
    readonly where: number | string;
    readonly targets: Targets;
  }) {
    this.origin = parts.origin;
    this.plane = parts.plane;
    this.bystander = parts.bystander;
    this.#faults = parts.faults;
    this.#where = parts.where;
    this.#targets = parts.targets;
  }

  /** Opens a scene in which the bystander was answered once; closed when `t` ends. */
  static async open(t: Test, faults: MethodFaults, options: SceneOptions): Promise<FaultScene> {
    const origin = await openOrigin(serve);
    const other = await openOrigin(answering(OK));
    const path = options.kind === 'unix' ? socketPath(t) : undefined;
    const { patch = {}, change } = options;
    const targets = { blue: [origin.port], green: [other.port] };
    const plane = await openTestPlane(targets, {
      ...patch,
      ...(path !== undefined && { listen: { kind: 'unix', path } }),
      client: {
        headTimeoutMs: NEVER_MS,
        bodyIdleTimeoutMs: NEVER_MS,
        sendIdleTimeoutMs: NEVER_MS,
        keepAliveTimeoutMs: NEVER_MS,
        ...patch.client,
      },
      upstream: {
        connectTimeoutMs: NEVER_MS,
        headTimeoutMs: NEVER_MS,
        bodyIdleTimeoutMs: NEVER_MS,
        tunnelIdleTimeoutMs: NEVER_MS,
        ...patch.upstream,
      },
    });
    const where = path ?? plane.port;
    const bystander = await connectRaw(where);
    if (options.hello !== undefined) bystander.send(options.hello);
    const scene = new FaultScene({ origin, plane, bystander, faults, where, targets });
    t.teardown(async () => {
      faults.forget();
      for (const peer of [bystander, ...scene.#peers]) peer.socket.destroy();
      await plane.stop();
      await origin.close();
      await other.close();
    });
    if (change !== undefined) scene.publish(change);
    await scene.askBystander('/close');
    await scene.rest();
    return scene;
  }

  /** The client for which something breaks. */
  get victim(): RawPeer {
    return this.#victim!;
  }

  /** What was reported as an error of ours. */
  get reported(): string[] {
    return this.plane.reports.filter((one) => one.kind === 'fault').map(({ message }) => message);
  }

  async connectVictim(): Promise<void> {
    this.#victim = await this.connect();
  }

  async connect(): Promise<RawPeer> {
    const peer = await connectRaw(this.#where);
    this.#peers.push(peer);
    return peer;
  }

  /** Resolves once `look` is true; at once when the armed method has thrown: nothing may follow. */
  async until(what: string, look: () => boolean): Promise<void> {
    if (await becomes(() => this.#faults.isThrown || look())) return;
    throw new Error(`never came: ${what}; ${this.#victim?.summary()}`);
  }

  /** Resolves once the method was called since the scene was opened. */
  called(name: MethodName): Promise<void> {
    return this.until(`call of ${name}`, () => this.#faults.called.has(name));
  }

  /** Resolves once the victim has received `text`. */
  async hears(text: string): Promise<void> {
    await this.until(text, () => this.victim.text.includes(text));
  }

  /** The target has got a request for `path`. */
  async targetGot(path: string): Promise<void> {
    await this.until(`request for ${path}`, () =>
      [...this.origin.connections].some(({ text }) => text.includes(path)),
    );
  }

  /** The connections of the target. */
  get targetSides(): OriginConnection[] {
    return [...this.origin.connections];
  }

  /** Lets `ms` pass for every deadline of the plane. */
  passTime(ms: number): void {
    this.plane.plane.wheel.advance(Math.ceil(ms / 100) + 2);
  }

  /** Puts what `change` makes of the first table into force. */
  publish(change: (table: RoutingTable) => RoutingTable): void {
    this.#version++;
    const version = this.#version;
    const table = change(testTable(version, 'blue', this.#targets));
    const { plane, memory } = this.plane;
    plane.obey({ kind: 'prepare', table });
    Atomics.store(memory.pointer, 0, version);
    plane.obey({ kind: 'adopt', version });
  }

  /** Blue leads to a port on which nothing listens, or back to the target. */
  async lead(to: 'nowhere' | 'target'): Promise<void> {
    const blue = [to === 'target' ? this.origin.port : await closedPort()];
    this.#targets = { ...this.#targets, blue };
    this.publish((table) => table);
  }

  async askBystander(path: string): Promise<void> {
    const { bystander } = this;
    const from = bystander.text.length;
    bystander.send(get(path));
    const isAnswered = (): boolean => bystander.text.slice(from).endsWith('\r\n\r\nok');
    await bystander.until('answer', () => (isAnswered() ? true : undefined));
  }

  /** Resolves with what is counted once that is only the bystander, or with what still is then. */
  async rest(): Promise<string[]> {
    await becomes(() => {
      this.plane.plane.wheel.advance(10);
      return countedIn(this.plane.memory).join() === AT_REST;
    });
    return countedIn(this.plane.memory);
  }
}

function closedPort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' ? address!.port : 0;
      server.close(() => resolve(port));
    });
  });
}

// One data plane: what a worker owns. Installs tables, listens, and gives every request the table
// that the shared pointer names at that moment.

import net from 'node:net';
import type { FailureCode } from '../base/failures.ts';
import { assert, unreachable } from '../base/assert.ts';
import { CLIENT_READ_BYTES, PRECONNECT_COUNT, PRECONNECT_MS } from '../base/limits.ts';
import { workerRegion } from '../contract/counters.ts';
import type { SharedMemory } from '../contract/shared-memory.ts';
import type { Order, Report, WorkerBirth } from '../contract/messages.ts';
import type { DataPlaneSettings, ListenAddress } from '../contract/settings.ts';
import { sightingsOf } from '../contract/session-sightings.ts';
import { Signer } from '../contract/signing.ts';
import type { NameAddresses, RoutingTable } from '../contract/table.ts';
import { Forwarder, plainAddress, viaFields, type ViaFields } from '../http/forwarding.ts';
import { RequestHead } from '../http/request-head.ts';
import { ResponseHead } from '../http/response-head.ts';
import { AccessLog } from './access-log.ts';
import { ACCEPT_OPTIONS } from './accepted-socket.ts';
import { ClientConnection } from './client-connection.ts';
import { Decision, type DecidedClient, type DecisionParts } from './decision.ts';
import { Drains, type DrainHost } from './drains.ts';
import type { Exchange } from './exchange.ts';
import { listenerFd } from '../base/listener-fd.ts';
import { Parking } from './parking.ts';
import { Pools } from './pools.ts';
import { ProvenTokens } from './proven-tokens.ts';
import { RouteTable } from './route-table.ts';
import type { RoutedService, RoutedSide } from './routed-service.ts';
import { Tally } from './tally.ts';
import type { WallClock } from './wall-clock.ts';
import { Wheel } from './wheel.ts';

/** Connections the kernel may hold while a worker is busy; the system's own limit applies too. */
const BACKLOG = 4_096;

/** Part of the time of a stop over which tunnels and event streams are closed in order. */
const GENTLE_SHARE = 0.8;

/** Takes requests that no service is configured for; block 0 counts them. */
const NOWHERE: RoutedSide = {
  service: '',
  color: 'blue',
  release: '',
  generation: 0,
  block: 0,
  endpoints: [],
  pools: [],
  requestEnding: '\r\n',
  answerFields: '',
};

/** Opens a data plane in this thread; it reports `listening` or `listen-failed`. */
export function openPlane(birth: WorkerBirth, report: (report: Report) => void): Plane {
  return new Plane(birth, report);
}

export class Plane implements DecisionParts, DrainHost {
  readonly settings: DataPlaneSettings;
  readonly memory: SharedMemory;
  readonly tally: Tally;
  readonly wheel = new Wheel();
  /** Parsers are filled and read within one turn, so one of each serves every connection. */
  readonly requestHead: RequestHead;
  readonly responseHead: ResponseHead;
  readonly forwarder: Forwarder;
  readonly viaFields: ViaFields;
  readonly accessLog: AccessLog;
  /** Every client connection reads into it; what must outlive the read is copied. */
  readonly clientBuffer = Buffer.allocUnsafeSlow(CLIENT_READ_BYTES);
  readonly nowhere = NOWHERE;
  readonly workerCount: number;
  /** Requests that wait because their service is held. */
  readonly parking: Parking;
  /** What was decided on the request that is being read. */
  readonly decision: Decision;
  readonly sightings: Uint32Array;
  signer: Signer;
  proven = new ProvenTokens();
  isStopping = false;
  #isStopReported = false;
  #cutCount = 0;
  readonly #report: (report: Report) => void;
  readonly #servers: readonly net.Server[];
  readonly #drains = new Drains(this);
  readonly #trusted = new net.BlockList();
  readonly #clients = new Set<ClientConnection>();
  readonly #tables = new Map<number, RouteTable>();
  readonly #pools = new Pools(this);
  #current: RouteTable;

  constructor(birth: WorkerBirth, report: (report: Report) => void) {
    const { settings, memory } = birth;
    this.settings = settings;
    this.memory = memory;
    this.tally = new Tally(workerRegion(memory.counters, birth.index));
    this.requestHead = new RequestHead(settings.client);
    this.responseHead = new ResponseHead(settings.upstream);
    this.forwarder = new Forwarder(settings.forwarding);
    this.viaFields = viaFields(settings.forwarding.via);
    this.accessLog = new AccessLog(settings.accessLog);
    this.workerCount = birth.workerCount;
    this.sightings = sightingsOf(memory.sightings, birth.index);
    this.signer = new Signer(birth.keys);
    this.parking = new Parking(this.tally);
    this.decision = new Decision(this);
    this.#report = report;
    for (const range of settings.forwarding.trustedProxies) this.#trust(range);
    this.#pools.learn(birth.names);
    for (const table of birth.tables) this.#install(table);
    const current = this.#tables.get(Atomics.load(memory.pointer, 0));
    assert(current !== undefined, 'a worker is born with the table that the pointer names');
    this.#current = current;
    this.wheel.start();
    this.#drains.follow(current);
    this.#servers = this.#listenAll(birth);
  }

  get wall(): WallClock {
    return this.wheel.wall;
  }

  get health(): Int32Array {
    return this.memory.health;
  }

  clients(): Iterable<ClientConnection> {
    return this.#clients;
  }

  hasRoomToWait(service: RoutedService, bytes: number): boolean {
    return this.parking.hasRoom(service, bytes);
  }

  /** Decides on a request by the table that the pointer names at this moment. */
  decide(head: RequestHead, client: DecidedClient): Decision {
    this.decision.decide(this.table(), head, client);
    return this.decision;
  }

  /** Returns the table that the pointer names now: one atomic load. */
  table(): RouteTable {
    const generation = Atomics.load(this.memory.pointer, 0);
    if (generation !== this.#current.generation) {
      const next = this.#tables.get(generation);
      assert(next !== undefined, 'a table is prepared before the pointer names it');
      this.#current = next;
    }
    return this.#current;
  }

  obey(order: Order): void {
    switch (order.kind) {
      case 'prepare':
        this.#prepare(order.table);
        break;
      case 'adopt':
        this.#adopt(order.generation);
        break;
      case 'keys':
        this.signer = new Signer(order.keys);
        this.proven = new ProvenTokens();
        break;
      case 'resolve':
        this.#resolve(order.names);
        this.#report({ kind: 'resolved', version: order.version });
        break;
      case 'forget':
        this.#forget(order.generation);
        break;
      case 'stop':
        this.#stop(order.withinMs);
        break;
      default:
        unreachable(order);
    }
  }

  isTrusted(remoteAddress: string | undefined): boolean {
    if (remoteAddress === undefined || this.settings.forwarding.trustedProxies.length === 0)
      return false;
    const address = plainAddress(remoteAddress);
    return this.#trusted.check(address, net.isIPv6(address) ? 'ipv6' : 'ipv4');
  }

  /** A request was refused before it had a service. */
  refused(code: FailureCode, client: string): void {
    this.tally.failed(NOWHERE.block, code);
    this.accessLog.refused(code, client);
  }

  /** A broken rule of ours was caught where it costs one connection only. */
  contained(error: unknown): void {
    const { message, stack = '' } = error instanceof Error ? error : new Error(String(error));
    this.#report({ kind: 'fault', message, stack });
  }

  /** A tunnel or event stream has begun; `accounts.ts` counts its end. */
  longLivedBegan(exchange: Exchange): void {
    const { block } = exchange.side;
    if (exchange.tunnel === undefined) this.tally.streams(block, 1);
    else this.tally.tunnels(block, 1);
    this.#drains.join(exchange);
  }

  clientClosed(client: ClientConnection): void {
    this.#clients.delete(client);
    this.tally.connectionClosed();
    if (this.isStopping && this.#clients.size === 0) this.#stopped();
  }

  /** Opens every listener, or takes those that are open; reports once all of them are. */
  #listenAll({ reusePort, inherited }: WorkerBirth): net.Server[] {
    const { listen, previewListen } = this.settings;
    const open = (address: ListenAddress, fds: readonly number[], isPreview: boolean) => {
      const wheres = fds.length > 0 ? fds.map((fd) => ({ fd })) : [placeOf(address, reusePort)];
      return wheres.map((where) => this.#listen(address, where, isPreview));
    };
    const main = open(listen, inherited.listen, false);
    const preview = previewListen ? open(previewListen, inherited.preview, true) : [];
    let missing = main.length + preview.length;
    const onListening = (): void => {
      missing--;
      if (missing > 0) return;
      const ports = { port: portOf(main[0]), previewPort: portOf(preview[0]) };
      const fds = { listen: fdsOf(main), preview: fdsOf(preview) };
      this.#report({ kind: 'listening', ...ports, fds });
    };
    for (const server of [...main, ...preview]) server.on('listening', onListening);
    return [...main, ...preview];
  }

  #listen(address: ListenAddress, where: Where, isPreview: boolean): net.Server {
    const server = net.createServer({ ...ACCEPT_OPTIONS, noDelay: address.kind === 'tcp' });
    server.on('connection', (socket) => this.#accept(socket, isPreview));
    server.on('error', (error: NodeJS.ErrnoException) => {
      const { code = 'UNKNOWN', message } = error;
      this.#report({ kind: 'listen-failed', code, message });
    });
    server.listen({ ...where, backlog: BACKLOG });
    return server;
  }

  #accept(socket: net.Socket, isPreview: boolean): void {
    if (this.tally.connectionsOpen >= this.settings.client.connectionsMax) {
      this.tally.connectionRefused();
      socket.destroy();
      return;
    }
    this.tally.connectionOpened();
    this.#clients.add(new ClientConnection(this, socket, isPreview));
  }

  /** The pointer has moved: drains begin or end, and who waited is let go. */
  #adopt(generation: number): void {
    const table = this.table();
    this.#drains.follow(table);
    this.parking.follow(table);
    this.#report({ kind: 'adopted', generation });
  }

  /** Builds pools, opens first connections to the active colors, then reports `prepared`. */
  #prepare(table: RoutingTable): void {
    const { generation } = table;
    const active = this.#install(table).activePools();
    let isReported = false;
    const done = (): void => {
      if (isReported) return;
      isReported = true;
      clearTimeout(deadline);
      this.#report({ kind: 'prepared', generation });
    };
    // A target that does not accept must not block a forced switch.
    const deadline = setTimeout(done, PRECONNECT_MS);
    let pending = active.reduce((sum, pool) => sum + pool.missing(PRECONNECT_COUNT), 0);
    if (pending === 0) done();
    for (const pool of active) {
      pool.preconnect(PRECONNECT_COUNT, () => {
        pending--;
        if (pending === 0) done();
      });
    }
  }

  #install(table: RoutingTable): RouteTable {
    const routes = new RouteTable(table, {
      poolsOf: (endpoints) => this.#pools.of(endpoints),
      exposeColor: this.settings.exposeColor,
    });
    this.#tables.set(table.generation, routes);
    return routes;
  }

  /** Names lead elsewhere: new requests go there in every table, those that run end where they are. */
  #resolve(names: readonly NameAddresses[]): void {
    this.#pools.learn(names);
    for (const table of this.#tables.values()) table.renewPools();
    this.#retainPools();
  }

  #retainPools(): void {
    this.#pools.retain([...this.#tables.values()].flatMap((table) => table.pools()));
  }

  /** Drops a table and the pools that no other table names; running exchanges keep theirs. */
  #forget(generation: number): void {
    if (generation === Atomics.load(this.memory.pointer, 0)) return;
    this.#tables.delete(generation);
    this.#retainPools();
  }

  #stop(withinMs: number): void {
    if (this.isStopping) return;
    this.isStopping = true;
    for (const server of this.#servers) server.close();
    this.parking.letAllGo();
    this.#drains.closeAll(withinMs * GENTLE_SHARE);
    for (const client of this.#clients) client.stop();
    if (this.#clients.size === 0) {
      this.#stopped();
      return;
    }
    setTimeout(() => {
      this.#cutCount = this.#clients.size;
      for (const client of this.#clients) client.cut();
      this.#stopped();
    }, withinMs).unref();
  }

  #stopped(): void {
    if (this.#isStopReported) return;
    this.#isStopReported = true;
    this.wheel.stop();
    this.#drains.stop();
    this.#pools.retain([]);
    this.accessLog.flush();
    this.#report({ kind: 'stopped', cutCount: this.#cutCount });
  }

  #trust(range: string): void {
    const [address = '', bits] = range.split('/');
    const family = net.isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) this.#trusted.addAddress(address, family);
    else this.#trusted.addSubnet(address, Number(bits), family);
  }
}

/** What a server listens on: an address, or a socket that listens already. */
type Where = net.ListenOptions | { readonly fd: number };

function placeOf(address: ListenAddress, reusePort: boolean): net.ListenOptions {
  if (address.kind === 'unix') return { path: address.path };
  return { host: address.host, port: address.port, reusePort };
}

/** 0 where there is none. */
function portOf(server: net.Server | undefined): number {
  const address = server?.address() ?? null;
  return address !== null && typeof address === 'object' ? address.port : 0;
}

function fdsOf(servers: readonly net.Server[]): number[] {
  return servers.map(listenerFd).filter((fd) => fd !== undefined);
}

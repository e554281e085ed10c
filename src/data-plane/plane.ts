// One data plane: what a worker owns. Installs tables, listens, and gives every request the table
// that the shared pointer names at that moment.

import { FAILURES, type FailureCode } from '../base/failures.ts';
import { unreachable } from '../base/assert.ts';
import { CLIENT_READ_BYTES, GENTLE_SHARE, STOP_IDLE_MS } from '../base/limits.ts';
import { DECISION, workerRegion } from '../contract/counters.ts';
import type { SharedMemory } from '../contract/shared-memory.ts';
import { TargetTls } from '../contract/target-tls.ts';
import type { ListenerFds, Order, Report, WorkerBirth } from '../contract/messages.ts';
import type { DataPlaneSettings } from '../contract/worker-settings.ts';
import { clientsOf } from '../contract/client-sightings.ts';
import { sightingsOf } from '../contract/session-sightings.ts';
import { previewSigner, Signer } from '../contract/signing.ts';
import type { RoutingTable } from '../contract/table.ts';
import { FieldNames } from '../http/grammar/field-kind.ts';
import { Methods } from '../http/grammar/methods.ts';
import { Forwarder, type Peer, viaFields, type ViaFields } from '../http/forward/forwarding.ts';
import { HeadBuffer } from '../http/forward/head-buffer.ts';
import { RequestHead } from '../http/heads/request-head.ts';
import { RequestIds } from '../http/forward/request-ids.ts';
import { ResponseHead } from '../http/heads/response-head.ts';
import { AccessLog } from './exchange/access-log.ts';
import { Crowd } from './base/crowd.ts';
import { Doorway } from './clients/doorway.ts';
import type { H1Client } from './clients/h1-client.ts';
import type { ClientServices } from './clients/client-services.ts';
import {
  Decision,
  type Decided,
  type DecidedClient,
  type DecisionParts,
} from './routing/decision.ts';
import { Drains, type DrainHost } from './drains/drains.ts';
import { HoldPlans } from './drains/hold-plans.ts';
import { stillRunning } from './drains/still-running.ts';
import { countLongLived } from './exchange/accounts.ts';
import type { Exchange } from './exchange/exchange.ts';
import { Listeners } from './clients/listeners.ts';
import { HoldQueue } from './routing/hold-queue.ts';
import { PlaneDoors } from './plane-doors.ts';
import { PlaneStop } from './plane-stop.ts';
import { Tables } from './tables.ts';
import { connectAhead } from './targets/connect-ahead.ts';
import { Doors } from './doorstep/doors.ts';
import { Shadows } from './shadow/shadows.ts';
import type { ResponseTap } from './transport/response-tap.ts';
import type { TargetPool } from './transport/transport.ts';
import { ReadBuffers } from './targets/read-buffer.ts';
import type { TargetServices } from './targets/target-services.ts';
import { ProvenTokens } from './routing/tokens/proven-tokens.ts';
import { RouteTable } from './routing/table/route-table.ts';
import type { HeldSession, MovedSession } from './routing/sessions/session-keeper.ts';
import type { RoutedShadow } from './routing/table/routed-shadow.ts';
import {
  NOWHERE,
  type RoutedService,
  type RoutedDeployment,
} from './routing/table/routed-service.ts';
import { Tally, UNTIMED } from './base/tally.ts';
import type { WallClock } from './base/wall-clock.ts';
import { ForwardedAddresses } from './clients/forwarded-address.ts';
import { AddressRanges } from './base/address-ranges.ts';
import { Wheel } from './base/wheel.ts';

/** Opens a data plane in this thread; it reports `listening` or `listen-failed`. */
export function openPlane(birth: WorkerBirth, report: (report: Report) => void): Plane {
  return new Plane(birth, report);
}

export class Plane implements ClientServices, TargetServices, DecisionParts, DrainHost {
  settings: DataPlaneSettings;
  readonly memory: SharedMemory;
  readonly tally: Tally;
  readonly wheel = new Wheel();
  /** Parsers are filled and read within one turn, so one of each serves every connection. */
  requestHead: RequestHead;
  responseHead: ResponseHead;
  forwarder: Forwarder;
  viaFields: ViaFields;
  ids: RequestIds;
  readonly responseBuffer = new HeadBuffer();
  readonly accessLog: AccessLog;
  /** All but large uploads are read into it; what must outlive the read is copied. */
  readonly clientBuffer = Buffer.allocUnsafeSlow(CLIENT_READ_BYTES);
  readonly readBuffers = new ReadBuffers();
  readonly targetTls: TargetTls;
  readonly nowhere = NOWHERE;
  /** Of listeners with TLS. */
  readonly entrance: Doors;
  readonly workerCount: number;
  /** Requests that wait because their service is held. */
  readonly holdQueue: HoldQueue;
  readonly crowd = new Crowd();
  readonly sightings: Uint32Array;
  readonly clientSightings: Uint32Array;
  signer: Signer;
  /** Its key is the same for good. */
  readonly previewSigner: Signer;
  proven = new ProvenTokens();
  readonly #stopping: PlaneStop;
  readonly #report: (report: Report) => void;
  readonly #listeners: Listeners;
  readonly #shadows: Shadows;
  readonly #drains = new Drains(this);
  readonly #holdPlans = new HoldPlans(this);
  readonly #decision: Decision;
  #trusted: AddressRanges;
  #forwarded: ForwardedAddresses;
  readonly #doorway: Doorway;
  readonly #tables: Tables;
  readonly #doors: PlaneDoors;

  constructor(birth: WorkerBirth, report: (report: Report) => void) {
    const { settings, memory } = birth;
    this.settings = settings;
    this.memory = memory;
    this.tally = new Tally(workerRegion(memory.counters, birth.index));
    this.requestHead = requestHead(settings);
    this.responseHead = responseHead(settings);
    this.forwarder = new Forwarder(settings.forwarding);
    this.viaFields = viaFields(settings.forwarding.via);
    const onDropped = (lines: number): void => this.tally.logLinesDropped(lines);
    this.accessLog = new AccessLog(settings.accessLog, onDropped);
    this.ids = new RequestIds(settings.ids);
    this.workerCount = birth.workerCount;
    this.sightings = sightingsOf(memory.sightings, birth.index);
    this.clientSightings = clientsOf(memory.clients, birth.index);
    this.signer = new Signer(birth.keys);
    this.previewSigner = previewSigner(birth.keys);
    this.entrance = new Doors(birth.certificates);
    this.targetTls = new TargetTls(birth.certificates);
    this.holdQueue = new HoldQueue(this.tally);
    this.#decision = new Decision(this);
    this.#shadows = new Shadows(this, (deployment, paths) =>
      report({ kind: 'shadow-differences', deployment, paths }),
    );
    this.#report = report;
    this.#doorway = new Doorway(this, this.entrance, report);
    this.#stopping = new PlaneStop({
      accessLog: this.accessLog,
      clients: () => this.#doorway.clients,
      doorsteps: this.#doorway,
      leaveService: (withinMs) => this.#leaveService(withinMs),
      retire: () => this.#retire(),
      report,
    });
    this.#trusted = new AddressRanges(settings.forwarding.trustedProxies);
    this.#forwarded = new ForwardedAddresses(this.#trusted);
    this.#tables = new Tables(this, memory.pointer, birth.instance);
    this.#tables.learn(birth.names);
    for (const table of birth.tables) this.#tables.install(table, settings);
    this.wheel.start();
    this.#drains.follow(this.table());
    this.#holdPlans.follow(this.table());
    this.#listeners = new Listeners({
      acceptor: this.#doorway,
      reusePort: birth.reusePort,
      opensFiles: birth.index === 0,
    });
    this.#doors = new PlaneDoors(this, { tables: this.#tables, shadows: this.#shadows }, report);
    this.#doors.makeAll();
    this.#listeners.open(this.settings, birth.inherited, (failure) => {
      if (failure === undefined) return this.#tellListeners();
      this.#report({ kind: 'listen-failed', ...failure.fault });
    });
  }

  get isStopping(): boolean {
    return this.#stopping.isStopping;
  }

  get wall(): WallClock {
    return this.wheel.wall;
  }

  /** How long a connection may be idle. */
  get idleMaxMs(): number {
    return this.#stopping.isIdleOver ? STOP_IDLE_MS : this.settings.client.keepAliveTimeoutMs;
  }

  get health(): Int32Array {
    return this.memory.health;
  }

  clients(): Iterable<H1Client> {
    return this.#doorway.clients;
  }

  hasRoomToWait(service: RoutedService, bytes: number): boolean {
    return this.holdQueue.hasRoom(service, bytes);
  }

  /** Decides on a request by the table that the pointer names at this moment. */
  decide(head: RequestHead, client: DecidedClient): Decided {
    return this.#decision.decide(this.table(), head, client);
  }

  poolsNow(deployment: RoutedDeployment): readonly TargetPool[] {
    return this.table().poolsNow(deployment);
  }

  moveOver(service: RoutedService, session: HeldSession): MovedSession | undefined {
    return this.#decision.moved(this.table(), service, session);
  }

  rescuerOf(asked: RoutedDeployment): RoutedDeployment | undefined {
    return this.#decision.rescuer(this.table(), asked);
  }

  /** Returns the table in force, and goes by its settings. */
  table(): RouteTable {
    const table = this.#tables.current();
    if (table.settings !== this.settings) this.#use(table.settings);
    return table;
  }

  obey(order: Order): void {
    switch (order.kind) {
      case 'prepare':
        this.#prepare(order.table);
        break;
      case 'adopt':
        this.#adopt(order.version);
        break;
      case 'keys':
        this.signer = new Signer(order.keys);
        this.proven = new ProvenTokens();
        break;
      case 'certificates':
        void this.#doors.certify(order.set);
        break;
      case 'name-running': {
        const requests = stillRunning(this.#doorway.clients, order.blocks, order.max);
        this.#report({ kind: 'running', question: order.question, requests });
        break;
      }
      case 'resolve':
        this.#tables.resolve(order.names);
        this.#shadows.follow(this.table());
        this.#report({ kind: 'resolved', version: order.version });
        break;
      case 'forget':
        // Listeners that only it would have had are not needed.
        if (this.#tables.forget(order.version)) this.#listeners.keep(this.settings);
        break;
      case 'stop':
        this.#shadows.stop();
        this.#stopping.begin(order);
        break;
      default:
        unreachable(order);
    }
  }

  isTrusted(remoteAddress: string | undefined): boolean {
    return this.#trusted.has(remoteAddress);
  }

  addressHash(head: RequestHead, peer: Peer): number {
    return peer.isTrusted ? this.#forwarded.hashOf(head) : peer.addressHash;
  }

  /** A request was refused before it had a service. */
  refused(code: FailureCode, client: string, requestId: string): void {
    const { block } = NOWHERE;
    this.tally.failed(block, code);
    this.tally.requestBegan(block);
    this.tally.requestEnded(block, DECISION.active, FAILURES[code].status, UNTIMED);
    this.accessLog.refused(code, client, requestId);
  }

  /** Reports an error that was caught where it costs one connection at most. */
  contained(error: unknown): void {
    const { message, stack = '' } = error instanceof Error ? error : new Error(String(error));
    this.#report({ kind: 'fault', message, stack });
  }

  /** What is open for copies of requests. */
  get shadowed(): { readonly pairs: number; readonly connections: number } {
    return { pairs: this.#shadows.pairCount, connections: this.#shadows.openCount };
  }

  shadowOf(shadow: RoutedShadow, exchange: Exchange): ResponseTap | undefined {
    return this.#shadows.copy(shadow, exchange);
  }

  /** A tunnel or event stream has begun; `accounts.ts` counts its end. */
  longLivedBegan(exchange: Exchange): void {
    countLongLived(exchange, this.tally, 1);
    this.#drains.join(exchange);
  }

  doorstepLeft(): void {
    this.#stopping.clientClosed();
  }

  clientClosed(client: DecidedClient): void {
    this.#doorway.closed(client);
    client.bonds?.end();
    this.#stopping.clientClosed();
  }

  /** The pointer has moved: drains begin or end, requests whose hold has changed go on. */
  #adopt(version: number): void {
    const table = this.table();
    table.settlePools();
    this.#shadows.follow(table);
    this.#drains.follow(table);
    this.#holdPlans.follow(table);
    this.holdQueue.follow(table);
    if (!this.isStopping) this.#renewListeners();
    this.#report({ kind: 'adopted', version });
  }

  /** Opens what is missing, then closes listeners that the settings in force do not name. */
  #renewListeners(): void {
    // A worker that was born after `prepare` still has to open what the others have open.
    this.#listeners.open(this.settings, NO_SOCKETS, (failure) => {
      if (failure !== undefined) this.contained(failure.error);
      this.#listeners.keep(this.settings);
      this.#tellListeners();
    });
  }

  /** Reports what is open, unless that was said already. */
  #tellListeners(): void {
    const listeners = this.#listeners.news();
    if (listeners !== undefined) this.#report({ kind: 'listening', listeners });
  }

  /** Opens listeners, builds pools, opens first connections to active colors; then reports. */
  #prepare(table: RoutingTable): void {
    // The sessions of a split are told by the second in which it began: none of them may seem older.
    this.wall.update();
    const routes = this.#tables.install(table, this.settings);
    if (table.settings === undefined) this.#openFor(routes);
    else void this.#doors.prepare(() => this.#openFor(routes));
  }

  #openFor(routes: RouteTable): void {
    const { version } = routes;
    if (!this.#tables.has(version)) return; // It was refused elsewhere meanwhile.
    if (this.isStopping) {
      this.#connectAhead(routes);
      return;
    }
    this.#listeners.open(routes.settings, NO_SOCKETS, (failure) => {
      if (failure === undefined) this.#connectAhead(routes);
      else this.#report({ kind: 'unprepared', version, ...failure.fault });
    });
  }

  #connectAhead(routes: RouteTable): void {
    const { version } = routes;
    connectAhead(routes.activePools(), () => this.#report({ kind: 'prepared', version }));
  }

  #leaveService(withinMs: number): void {
    this.#listeners.close();
    this.#report({ kind: 'closed' });
    this.#drains.closeAll(withinMs * GENTLE_SHARE);
  }

  #retire(): void {
    this.wheel.stop();
    this.#drains.stop();
    this.#holdPlans.stop();
    this.#tables.retire();
  }

  /**
   * Goes by other settings. Open connections do so with their next request, but for what is fixed
   * when they are accepted: limits of heads, the send timeout, whether the peer is trusted.
   */
  #use(settings: DataPlaneSettings): void {
    this.settings = settings;
    this.requestHead = requestHead(settings);
    this.responseHead = responseHead(settings);
    this.forwarder = new Forwarder(settings.forwarding);
    this.viaFields = viaFields(settings.forwarding.via);
    this.ids = new RequestIds(settings.ids);
    this.accessLog.usePolicy(settings.accessLog);
    this.#trusted = new AddressRanges(settings.forwarding.trustedProxies);
    this.#forwarded = new ForwardedAddresses(this.#trusted);
  }
}

function requestHead({ client, forwarding, ids }: DataPlaneSettings): RequestHead {
  const names = new FieldNames(forwarding.strip, ids.field);
  return new RequestHead(client, names, new Methods(client.methods));
}

function responseHead({ upstream, ids }: DataPlaneSettings): ResponseHead {
  return new ResponseHead(upstream, new FieldNames([], ids.field));
}

/** Sockets are inherited at birth only. */
const NO_SOCKETS: readonly ListenerFds[] = [];

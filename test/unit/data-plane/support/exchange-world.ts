// One exchange between fakes: a service that is active on blue with two endpoints and drains on green
// with one, real counters and a wheel that the test turns. No sockets.

import type { Test } from 'tap';
import { allocateSharedMemory } from '../../../../src/contract/shared-memory.ts';
import { DECISION, workerRegion } from '../../../../src/contract/counters.ts';
import { clientsOf } from '../../../../src/contract/client-sightings.ts';
import { sightingsOf } from '../../../../src/contract/session-sightings.ts';
import type { DataPlaneSettings } from '../../../../src/contract/worker-settings.ts';
import { isLive, type Endpoint } from '../../../../src/contract/table.ts';
import { Tally } from '../../../../src/data-plane/base/tally.ts';
import { Wheel } from '../../../../src/data-plane/base/wheel.ts';
import { AccessLog } from '../../../../src/data-plane/exchange/access-log.ts';
import type { ExchangeServices } from '../../../../src/data-plane/exchange/exchange-services.ts';
import { Exchange } from '../../../../src/data-plane/exchange/exchange.ts';
import { countLongLived } from '../../../../src/data-plane/exchange/accounts.ts';
import type { Decided } from '../../../../src/data-plane/routing/decision.ts';
import {
  routedService,
  type RoutedDeployment,
} from '../../../../src/data-plane/routing/table/routed-service.ts';
import type { MovedSession } from '../../../../src/data-plane/routing/sessions/session-keeper.ts';
import type { TargetPool } from '../../../../src/data-plane/transport/transport.ts';
import { type Peer, Forwarder, viaFields } from '../../../../src/http/forward/forwarding.ts';
import { HeadBuffer } from '../../../../src/http/forward/head-buffer.ts';
import { RequestHead } from '../../../../src/http/heads/request-head.ts';
import { RequestIds } from '../../../../src/http/forward/request-ids.ts';
import { testSettings, testTable, type SettingsPatch } from '../../../support/plane.ts';
import { failureCounts, retryCount } from '../../../support/shared-counters.ts';
import { countedIn } from './counted.ts';
import { drainingOnGreen } from './fault-tables.ts';
import { FakeClient, FakePool, type FakeTarget } from './fake-streams.ts';

export interface WorldOptions {
  readonly patch?: SettingsPatch;
  readonly decided?: Partial<Decided>;
  /** Ports of endpoints of blue. */
  readonly blue?: readonly number[];
}

export class ExchangeWorld implements ExchangeServices {
  readonly settings: DataPlaneSettings;
  readonly memory = allocateSharedMemory(1);
  readonly tally = new Tally(workerRegion(this.memory.counters, 0));
  readonly wheel = new Wheel();
  readonly plane = { wheel: this.wheel };
  readonly clientBuffer = Buffer.alloc(65_536);
  readonly forwarder: Forwarder;
  readonly viaFields = viaFields('');
  readonly ids: RequestIds;
  readonly responseBuffer = new HeadBuffer();
  readonly health = this.memory.health;
  readonly sightings = sightingsOf(this.memory.sightings, 0);
  readonly clientSightings = clientsOf(this.memory.clients, 0);
  readonly accessLog = new AccessLog(
    { mode: 'off', oneIn: 1, format: 'json', query: false },
    () => {},
  );
  readonly nowhere;
  /** Where a 404 of blue may be tried. */
  rescuer: RoutedDeployment | undefined;
  moved: MovedSession | undefined;
  readonly errors: unknown[] = [];
  readonly client = new FakeClient();
  /** By slot of their endpoints. */
  readonly pools: FakePool[] = [];
  readonly requestHead: RequestHead;
  /** What is decided on each request. */
  decided: Decided;
  #exchange: Exchange | undefined = undefined;

  constructor({ patch = {}, decided = {}, blue = [1, 2] }: WorldOptions = {}) {
    this.settings = testSettings(patch);
    this.forwarder = new Forwarder(this.settings.forwarding);
    this.ids = new RequestIds(this.settings.ids);
    this.requestHead = new RequestHead(this.settings.client);
    const policy = { skew: { isOn: true, rescue: ['/assets/*'] } };
    const [table] = testTable(7, 'blue', { blue, green: [3] }, { policy }).services;
    const service = routedService(drainingOnGreen(table!), {
      poolsOf: (endpoints) => endpoints.map((endpoint) => this.#pool(endpoint)),
      epoch: 7,
      exposeColor: false,
      instance: 'test',
    });
    this.nowhere = { ...service.active, block: 0, pools: [] };
    this.rescuer = service.earlier[0]!.deployment;
    this.decided = {
      verdict: 'forward',
      refusal: undefined,
      response: undefined,
      service,
      deployment: service.active,
      reason: DECISION.active,
      hasSession: false,
      sessionField: '',
      fallback: undefined,
      ...decided,
    };
  }

  get exchange(): Exchange {
    return this.#exchange!;
  }

  /** Every stream to a target so far, in the order in which they were made. */
  get targets(): FakeTarget[] {
    return this.pools.flatMap(({ targets }) => targets);
  }

  /** The stream that carries the request. */
  get target(): FakeTarget {
    return this.targets.find(({ request }) => request !== undefined)!;
  }

  /** What is still counted as running, block by block and endpoint by endpoint. */
  get counted(): readonly string[] {
    return countedIn(this.memory);
  }

  get failures(): ReturnType<typeof failureCounts> {
    return failureCounts(this);
  }

  get retries(): number {
    return retryCount(this);
  }

  rescuerOf(): RoutedDeployment | undefined {
    return this.rescuer;
  }

  /** Says where a session goes on, if a test has set that. */
  moveOver(): MovedSession | undefined {
    return this.moved;
  }

  shadowOf(): undefined {
    return undefined;
  }

  addressHash(_head: RequestHead, peer: Peer): number {
    return peer.addressHash;
  }

  contained(error: unknown): void {
    this.errors.push(error);
  }

  longLivedBegan(exchange: Exchange): void {
    countLongLived(exchange, this.tally, 1);
  }

  poolsNow(deployment: RoutedDeployment): readonly TargetPool[] {
    return deployment.pools;
  }

  /** A request comes in: its head, and what follows that at once. */
  asks(text: string): this {
    const bytes = Buffer.from(text, 'latin1');
    const next = this.requestHead.parse(bytes, 0, bytes.length);
    if (next <= 0) throw new Error(`expected a whole head, got ${text}`);
    this.#exchange = new Exchange(this, this.client, this.requestHead, this.decided);
    this.#exchange.start(this.requestHead, bytes, next, bytes.length);
    return this;
  }

  /** More of the body comes in. A connection whose exchange has ended or that was cut brings none. */
  sends(text: string): void {
    if (!this.#hasClient) return;
    const bytes = Buffer.from(text, 'latin1');
    const { tunnel, request } = this.exchange;
    if (tunnel === undefined) request.take(bytes, 0, bytes.length);
    else tunnel.fromClient(bytes, bytes.length);
  }

  /** The client's connection tells its exchange something, if it still has one. */
  tells(event: (exchange: Exchange) => void): void {
    if (this.#hasClient) event(this.exchange);
  }

  passTime(ms: number): void {
    this.wheel.advance(Math.ceil(ms / 100) + 2);
  }

  get #hasClient(): boolean {
    return !this.client.isCut && this.client.keepAlive === undefined;
  }

  #pool(endpoint: Endpoint): FakePool {
    if (!isLive(endpoint)) throw new Error('the endpoints of tests have addresses');
    const known = this.pools.find((pool) => pool.endpoint.slot === endpoint.slot);
    if (known !== undefined) return known;
    const pool = new FakePool(endpoint);
    this.pools.push(pool);
    return pool;
  }
}

/** The exchange is over, the client knows how, and nothing stays counted. */
export function isOver(t: Test, world: ExchangeWorld, { deeds, failures = {} }: Expected): void {
  t.ok(world.exchange.isOver);
  t.strictSame(world.client.deeds, deeds);
  t.strictSame(world.failures, failures);
  t.strictSame(world.counted, []);
  t.strictSame(world.errors, []);
}

interface Expected {
  readonly deeds: readonly string[];
  readonly failures?: Readonly<Record<string, number>>;
}

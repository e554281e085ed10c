// A small world for the rules of deployments: a few addresses at which apps come and go, clients with
// cookies, operators, and a Turnout whose control plane and routing rules are the real ones. Between
// them there are no sockets, so that thousands of random histories can be tried. The process can be
// killed at any step of a change; what it had stored is what the next one begins with.

import { NO_ENTRANCE } from './no-entrance.ts';
import { mock } from 'node:test';
import { loadText, type Loaded } from '../../src/config/load.ts';
import { restartClock } from '../../src/base/clock.ts';
import { sightingsOf } from '../../src/contract/session-sightings.ts';
import { allocateSharedMemory } from '../../src/contract/shared-memory.ts';
import { previewSigner, Signer } from '../../src/contract/signing.ts';
import { isLive, type Color, type Endpoint, type RoutingTable } from '../../src/contract/table.ts';
import { LiveConfig } from '../../src/control-plane/reload/live-config.ts';
import { Reloader } from '../../src/control-plane/reload/reloader.ts';
import { Slots } from '../../src/control-plane/memory/slots.ts';
import { Totals } from '../../src/control-plane/memory/totals.ts';
import type { ServiceState } from '../../src/control-plane/store/service-state.ts';
import { beginning } from '../../src/control-plane/switching/starting-table.ts';
import { DrainWatch, servedBefore } from '../../src/control-plane/switching/drain-watch.ts';
import { Switchboard } from '../../src/control-plane/switching/switchboard.ts';
import { Decision } from '../../src/data-plane/routing/decision.ts';
import { ProvenTokens } from '../../src/data-plane/routing/tokens/proven-tokens.ts';
import { RouteTable } from '../../src/data-plane/routing/table/route-table.ts';
import { NOWHERE } from '../../src/data-plane/routing/table/routed-service.ts';
import type { EndpointPool } from '../../src/data-plane/targets/pool.ts';
import { TestLog } from '../unit/control-plane/support/fixtures.ts';
import { clientOf } from './deciding.ts';
import { parsedRequest } from './heads.ts';
import { testSettings } from './plane.ts';
import { TEST_INSTANCE, TEST_KEYS } from './policy.ts';
import { TextStore } from './text-store.ts';

/** No target here is a name. */
const NAMES = { of: (endpoint: Endpoint) => [endpoint].filter(isLive) };

/** Any time will do. */
export const START_MS = 1_800_000_000_000;
/** Sessions last as long as they are used within this. */
export const IDLE_MS = 60_000;
/** Sessions stay on what drains for at most this. */
export const SESSIONS_MS = 300_000;

/** What the configuration says of one color. */
export interface SaidColor {
  readonly release: string;
  /** Ports. */
  readonly at: readonly number[];
}

export type Said = Readonly<Record<string, Readonly<Record<Color, SaidColor>>>>;

/** The process ends before, or right after, a change is stored. */
export type KillPoint = 'before-store' | 'after-store';

function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

function colorYaml({ release, at }: SaidColor): string {
  return `{ release: ${JSON.stringify(release)}, targets: [${at.map(urlOf).join(', ')}] }`;
}

function yamlOf(said: Said): string {
  const services = Object.entries(said).map(
    ([name, { blue, green }]) =>
      `  - { name: ${name}, hosts: [${name}.test], active: blue, blue: ${colorYaml(blue)}, ` +
      `green: ${colorYaml(green)}, health: { kind: none }, affinity: { idle: ${IDLE_MS / 1_000}s }, ` +
      `drain: { sessions: ${SESSIONS_MS / 1_000}s, requests: 1s, streams: 1s }, skew: { mode: "on" } }`,
  );
  return `services:\n${services.join('\n')}\n`;
}

/** Few configurations are read again and again. */
const known = new Map<string, Extract<Loaded, { ok: true }>>();

function loaded(said: Said): Extract<Loaded, { ok: true }> {
  const yaml = yamlOf(said);
  const before = known.get(yaml);
  if (before !== undefined) return before;
  const machine = { platform: 'linux', cpus: 1, descriptors: Infinity };
  const read = loadText('town.yaml', yaml, { environment: {}, flags: {}, machine });
  if (!read.ok) throw new Error(JSON.stringify(read.faults));
  known.set(yaml, read);
  return read;
}

/**
 * One for all processes, of which one runs at a time: the collector does not see how large it is.
 */
const MEMORY = allocateSharedMemory(1);
/** More than a history can use of blocks and of slots. */
const NUMBERS_USED_MAX = 128;

/** What a client gets. */
export interface Served {
  /** Number of the deployment that the request was decided to go to. */
  readonly deployment: number;
  readonly release: string;
  readonly port: number;
  /** What is at that port. */
  readonly app: string;
  /** `name=value`, where the response gives a cookie. */
  readonly cookie: string | undefined;
}

/** One process of Turnout. */
class Turnout {
  readonly store: TextStore;
  readonly board: Switchboard;
  readonly drains: DrainWatch;
  readonly reloader: Reloader;
  /** What the next read of the configuration finds. */
  said: Said;
  #kill: KillPoint | undefined;
  isDead = false;
  readonly #tables = new Map<number, RouteTable>();
  readonly #pointer: Int32Array;
  readonly #decision: Decision;

  static async start(store: TextStore, said: Said): Promise<Turnout> {
    const totals = new Totals(MEMORY, 1);
    for (let number = 0; number < NUMBERS_USED_MAX; number++) {
      totals.clearBlock(number);
      totals.clearEndpoint(number);
    }
    const slots = new Slots(totals);
    const log = new TestLog();
    const stored = store.state;
    const { config } = loaded(said);
    const begun = await beginning({
      config,
      store,
      stored,
      slots,
      notes: () => ({ audit: undefined, answer: undefined }),
      log,
      nowMs: Date.now(),
      findPlaces: async () => new Map(),
      oursAmong: async () => new Set(),
      ask: async () => () => undefined,
      isStrict: false,
    });
    const before = servedBefore(stored.services.values());
    return new Turnout({
      store,
      said,
      memory: MEMORY,
      totals,
      slots,
      log,
      begun,
      servedBefore: before,
    });
  }

  private constructor(parts: {
    readonly store: TextStore;
    readonly said: Said;
    readonly memory: ReturnType<typeof allocateSharedMemory>;
    readonly totals: Totals;
    readonly slots: Slots;
    readonly log: TestLog;
    readonly begun: Awaited<ReturnType<typeof beginning>>;
    readonly servedBefore: ReadonlySet<number>;
  }) {
    const { store, said, memory, totals, slots, log, begun } = parts;
    this.store = store;
    this.said = said;
    this.#pointer = memory.pointer;
    slots.retain([begun.table]);
    Atomics.store(memory.pointer, 0, begun.table.version);
    this.#install(begun.table);
    const first = loaded(said);
    const live = new LiveConfig({ config: first.config, said: first.said });
    store.onCommit = (write) => {
      if (this.#kill === 'before-store') this.#die();
      write();
      if (this.#kill === 'after-store') this.#die();
    };
    this.board = new Switchboard({
      first: begun.table,
      memory,
      store,
      workers: {
        prepare: async (table) => this.#install(table),
        point: async () => {},
        adopt: async () => {},
        forget: (version) => void this.#tables.delete(version),
      },
      slots,
      totals,
      names: NAMES,
      nameRunning: async () => [],
      leftBehind: () => 0,
      configs: () => live.config.services,
      log,
      findPlaces: async () => new Map(),
      oursAmong: async () => new Set(),
      targetsAllow: () => [],
      migrations: { namesOf: () => [], ask: async () => ({ verdict: 'ok', detail: '' }) },
      health: () => [{ state: 'up', reason: '' }],
      spotCheck: async (_subject, known) => known,
      freezesOf: () => ({ present: undefined, freeAtMs: undefined, next: undefined }),
      onPublished: (table) => this.drains.follow(table),
    });
    this.drains = new DrainWatch({
      board: this.board,
      totals,
      names: NAMES,
      leftBehind: () => 0,
      servedBefore: parts.servedBefore,
      log,
    });
    this.drains.pause(); // The town says when it is looked.
    this.reloader = new Reloader({
      load: () => loaded(this.said),
      live,
      switchboard: this.board,
      slots,
      spotCheck: async (_subject, known) => known,
      health: () => [{ state: 'up', reason: '' }],
      findPlaces: async () => new Map(),
      oursAmong: async () => new Set(),
      checkFiles: async () => [],
      lookAtFiles: async () => [],
      open: async () => ({ use: () => {}, close: async () => {} }),
      audit: { note: () => {} },
      log,
    });
    this.#decision = new Decision({
      wall: {
        get seconds() {
          return Math.floor(Date.now() / 1_000);
        },
        get nowMs() {
          return Date.now();
        },
        update: () => {},
        untilMs: (atMs) => Math.max(0, atMs - Date.now()),
      },
      signer: new Signer(TEST_KEYS),
      previewSigner: previewSigner(TEST_KEYS),
      proven: new ProvenTokens(),
      sightings: sightingsOf(memory.sightings, 0),
      health: memory.health,
      addressHash: (_head, peer) => peer.addressHash,
      hasRoomToWait: () => true,
      entrance: NO_ENTRANCE,
      nowhere: NOWHERE,
    });
  }

  /** Lets the process end at a point of the next change. */
  killAt(point: KillPoint): void {
    this.#kill = point;
  }

  request(service: string, fields: readonly string[], target: string): Decision {
    const table = this.#tables.get(Atomics.load(this.#pointer, 0))!;
    const line = `GET ${target} HTTP/1.1\r\n`;
    const head = parsedRequest(line, [`Host: ${service}.test`, ...fields]);
    this.#decision.decide(table, head, clientOf());
    return this.#decision;
  }

  #install(table: RoutingTable): void {
    const parts = {
      poolsOf: (endpoints: readonly object[]) =>
        endpoints.map((endpoint) => ({ endpoint }) as EndpointPool),
      instance: TEST_INSTANCE,
    };
    this.#tables.set(table.version, new RouteTable(table, testSettings({}), parts));
  }

  #die(): never {
    this.isDead = true;
    throw new Error('the process was killed');
  }
}

/** The world. */
export class Town {
  /** What runs at each port. */
  readonly apps = new Map<number, string>();
  turnout: Turnout;

  private constructor(turnout: Turnout) {
    this.turnout = turnout;
  }

  static async found(said: Said): Promise<Town> {
    mock.timers.enable({ apis: ['Date'], now: START_MS });
    restartClock();
    const town = new Town(await Turnout.start(new TextStore(), said));
    for (const colors of Object.values(said)) {
      for (const { release, at } of Object.values(colors)) town.run(release, at);
    }
    return town;
  }

  leave(): void {
    mock.timers.reset();
    restartClock();
  }

  /** An operator starts a release at ports. */
  run(release: string, at: readonly number[]): void {
    for (const port of at) this.apps.set(port, release);
  }

  pass(ms: number): void {
    mock.timers.tick(ms);
  }

  async restart(): Promise<void> {
    this.turnout = await Turnout.start(this.turnout.store.reopened(), this.turnout.said);
  }

  states(): ReadonlyMap<string, ServiceState> {
    return this.turnout.board.states;
  }

  ask(service: string, cookies: readonly string[], target = '/'): Served {
    const fields = cookies.length === 0 ? [] : [`Cookie: ${cookies.join('; ')}`];
    const { deployment, sessionField } = this.turnout.request(service, fields, target);
    const url = deployment.endpoints[0]?.url ?? '';
    const port = Number(url.slice(url.lastIndexOf(':') + 1));
    const { number, release } = deployment;
    const cookie = /^Set-Cookie: ([^;]+)/.exec(sessionField)?.[1];
    return { deployment: number, release, port, app: this.apps.get(port) ?? 'nothing', cookie };
  }
}

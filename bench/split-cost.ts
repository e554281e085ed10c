// What a split adds to the decision on a request, in microseconds of this machine: the same requests by
// a table with and without one, in turns, and the fastest round of each.

import { NO_ENTRANCE } from '../test/support/no-entrance.ts';
import { performance } from 'node:perf_hooks';
import { loadConfig } from '../src/config/load.ts';
import { ENDPOINTS_MAX } from '../src/contract/counters.ts';
import { SIGHTING_WORDS } from '../src/contract/session-sightings.ts';
import { Signer } from '../src/contract/signing.ts';
import type { Deployment, Split } from '../src/contract/table.ts';
import { WallClock } from '../src/data-plane/base/wall-clock.ts';
import { Decision, type DecidedClient } from '../src/data-plane/routing/decision.ts';
import { ProvenTokens } from '../src/data-plane/routing/tokens/proven-tokens.ts';
import { RouteTable } from '../src/data-plane/routing/table/route-table.ts';
import { NOWHERE } from '../src/data-plane/routing/table/routed-service.ts';
import type { TargetPool } from '../src/data-plane/transport/transport.ts';
import { describePeer } from '../src/http/forward/forwarding.ts';
import { RequestHead } from '../src/http/heads/request-head.ts';

/** Short ones, so that some have the processor for themselves. */
const ROUNDS = 300;
const REQUESTS = 1_000;
const KEY = new Uint8Array(32);
const SINCE_S = 1;

/** Returns the larger one of two differences: for a client that begins, and for one with a cookie. */
export function splitMicros(): number {
  const loaded = loadConfig({
    file: '',
    environment: {},
    flags: { blue: 'http://127.0.0.1:1', green: 'http://127.0.0.1:2' },
    machine: { platform: process.platform, cpus: 1, descriptors: Infinity },
  });
  if (!loaded.ok) throw new Error('expected a configuration');
  const { config } = loaded;
  const { name, hosts, paths, policy, ...colors } = config.services[0]!;
  const deployment = (color: 'blue' | 'green', number: number): Deployment => ({
    number,
    color,
    release: '',
    block: number,
    servedSince: 1,
    previewSeries: 0,
    lockedOut: undefined,
    endpoints: colors[color].targets.map((target) => {
      return { ...target, slot: number, deployment: number };
    }),
  });
  const tableOf = (split: Split | undefined): RouteTable => {
    const nothing = { leaving: [], draining: [], previewed: [], legacy: [] };
    const open = { shadow: undefined, hold: undefined, maintenance: undefined };
    const both = { blue: deployment('blue', 1), green: deployment('green', 2) };
    const services = [
      { name, hosts, paths, policy, active: 'blue' as const, ...both, ...nothing, ...open, split },
    ];
    return new RouteTable({ version: 1, epoch: 1, services }, config.dataPlane, {
      // Only where they lead is looked at.
      poolsOf: (endpoints) => endpoints.map((endpoint) => ({ endpoint }) as TargetPool),
      instance: 'bench',
    });
  };
  const how = { ramp: undefined, sessions: 'new', by: 'session' } as const;
  const tables = {
    without: tableOf(undefined),
    during: tableOf({ deployment: 2, salt: 7, sinceS: SINCE_S, share: 1_000, ...how }),
  };
  const decider = new Decider(config.dataPlane.client);
  const cookie = decider.cookieBy(tables.without);
  const differences = ['', cookie].map((line) => {
    const fastest = { without: Infinity, during: Infinity };
    for (let round = 0; round < ROUNDS; round++) {
      for (const kind of ['without', 'during'] as const) {
        fastest[kind] = Math.min(fastest[kind], decider.micros(tables[kind], line));
      }
    }
    return fastest.during - fastest.without;
  });
  return Math.max(...differences);
}

class Decider {
  readonly #decision: Decision;
  readonly #head: RequestHead;

  constructor(limits: ConstructorParameters<typeof RequestHead>[0]) {
    const signer = new Signer({ signing: KEY, accepted: [KEY] });
    this.#head = new RequestHead(limits);
    this.#decision = new Decision({
      wall: new WallClock(),
      signer,
      previewSigner: signer,
      proven: new ProvenTokens(),
      sightings: new Uint32Array(SIGHTING_WORDS),
      health: new Int32Array(ENDPOINTS_MAX),
      hasRoomToWait: () => true,
      addressHash: (_head, peer) => peer.addressHash,
      entrance: NO_ENTRANCE,
      nowhere: NOWHERE,
    });
  }

  /** Returns the line with which a client brings the session that it was given. */
  cookieBy(table: RouteTable): string {
    this.#decide(table, requestBytes(''));
    const field = this.#decision.sessionField;
    return `Cookie: ${field.slice(field.indexOf(':') + 2, field.indexOf(';'))}\r\n`;
  }

  /** Returns the time of one request with `line`. */
  micros(table: RouteTable, line: string): number {
    const bytes = requestBytes(line);
    const startedMs = performance.now();
    for (let count = 0; count < REQUESTS; count++) this.#decide(table, bytes);
    return ((performance.now() - startedMs) / REQUESTS) * 1_000;
  }

  #decide(table: RouteTable, bytes: Buffer): void {
    this.#head.parse(bytes, 0, bytes.length);
    this.#decision.decide(table, this.#head, CLIENT);
  }
}

/** A proxy brings many clients: none is given the session of another. */
const CLIENT: DecidedClient = {
  peer: describePeer({ remoteAddress: '192.0.2.1', isTrusted: true, isSecure: false }),
  isPreview: false,
  redirectPort: undefined,
  hasWaited: false,
  givenSession: undefined,
  bonds: undefined,
};

function requestBytes(line: string): Buffer {
  return Buffer.from(`GET /a HTTP/1.1\r\nHost: a.example\r\n${line}\r\n`, 'latin1');
}

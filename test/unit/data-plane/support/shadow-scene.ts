// One plane whose requests on blue are copied to green. What each side does with a request is told
// by two functions; every wheel is turned by hand, so no limit ends what a test did not ask it to end.

import type { Test } from 'tap';
import { BLOCK, blockOffset, workerRegion } from '../../../../src/contract/counters.ts';
import {
  SHADOW_RESULTS,
  type ShadowedPath,
  type ShadowResult,
} from '../../../../src/contract/shadow-rules.ts';
import type { Address, RoutingTable, Shadow } from '../../../../src/contract/table.ts';
import { openOrigin, type Origin, type OriginConnection } from '../../../support/origin.ts';
import {
  FIRST_VERSION,
  openTestPlane,
  TEST_DEPLOYMENTS,
  testTable,
  type SettingsPatch,
  type TestPlane,
} from '../../../support/plane.ts';
import { connectRaw, type RawPeer } from '../../../support/raw-peer.ts';
import { becomes } from '../../../support/shared-counters.ts';
import { countedIn } from './counted.ts';

/** Answers a request for `path`; the connection goes on to the next one. */
export type Deed = (connection: OriginConnection, path: string) => void | Promise<void>;

export type Results = Partial<Record<ShadowResult, number>>;

export const SHADOW: Shadow = {
  deployment: TEST_DEPLOYMENTS.green,
  share: 10_000,
  fields: ['content-type'],
  ignore: [],
  ignorePaths: [],
  bodyBytesMax: 65_536,
  slowerMs: 0,
};

export function ok(body = 'ok', fields = ''): string {
  return `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
}

export function sends(text: string): Deed {
  return (connection) => connection.send(text);
}

export interface ShadowSceneOptions {
  readonly live?: Deed;
  readonly idle?: Deed;
  readonly shadow?: Partial<Shadow>;
  readonly patch?: SettingsPatch;
  /** Changes the first table. */
  readonly change?: (table: RoutingTable) => RoutingTable;
}

/** Green leads to `address`. */
export function greenAt(table: RoutingTable, address: Address): RoutingTable {
  const [service] = table.services;
  const { green } = service!;
  const endpoints = green.endpoints.map((endpoint) => ({ ...endpoint, address, url: 'elsewhere' }));
  return { ...table, services: [{ ...service!, green: { ...green, endpoints } }] };
}

export class ShadowScene {
  readonly live: Origin;
  readonly idle: Origin;
  readonly plane: TestPlane;
  readonly client: RawPeer;
  readonly #options: ShadowSceneOptions;
  readonly #peers: RawPeer[] = [];
  #version = FIRST_VERSION;
  /** Heads of copies that green has got. */
  readonly copies: string[];

  private constructor(parts: {
    readonly live: Origin;
    readonly idle: Origin;
    readonly plane: TestPlane;
    readonly client: RawPeer;
    readonly options: ShadowSceneOptions;
    readonly copies: string[];
  }) {
    this.live = parts.live;
    this.idle = parts.idle;
    this.plane = parts.plane;
    this.client = parts.client;
    this.#options = parts.options;
    this.copies = parts.copies;
  }

  /** Opens a scene that is closed when `t` ends; a test ends with `leavesNothing`. */
  static async open(t: Test, options: ShadowSceneOptions = {}): Promise<ShadowScene> {
    const copies: string[] = [];
    const live = await openOrigin((connection) => serve(connection, options.live ?? sends(ok())));
    const idle = await openOrigin((connection) =>
      serve(connection, options.idle ?? sends(ok()), copies),
    );
    const targets = { blue: [live.port], green: [idle.port] };
    const plane = await openTestPlane(targets, {
      ...options.patch,
      service: { ...options.patch?.service, shadow: { ...SHADOW, ...options.shadow } },
    });
    const client = await connectRaw(plane.port);
    const scene = new ShadowScene({ live, idle, plane, client, options, copies });
    t.teardown(async () => {
      for (const peer of [client, ...scene.#peers]) peer.socket.destroy();
      await plane.stop();
      await live.close();
      await idle.close();
    });
    if (options.change !== undefined) scene.publish({ ...SHADOW, ...options.shadow });
    return scene;
  }

  /** Errors of ours that were reported. */
  get faults(): string[] {
    return this.plane.reports.flatMap((one) => (one.kind === 'fault' ? [one.message] : []));
  }

  /** What was told of paths that differ. */
  get differences(): ShadowedPath[] {
    return this.plane.reports.flatMap((one) =>
      one.kind === 'shadow-differences' ? one.paths : [],
    );
  }

  /** What became of copies, without the zeros. */
  get results(): Results {
    const region = workerRegion(this.plane.memory.counters, 0);
    const at = blockOffset(2) + BLOCK.shadow;
    const counts = SHADOW_RESULTS.map((result, index) => [result, region[at + index]!] as const);
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }

  get open(): { readonly pairs: number; readonly connections: number } {
    return this.plane.plane.shadowed;
  }

  /** Lets all clients go: nothing may be left of them, and of copies, and nothing of ours has failed. */
  async leavesNothing(t: Test): Promise<void> {
    for (const peer of [this.client, ...this.#peers]) peer.socket.destroy();
    t.strictSame(await this.rest(), [], 'nothing is left open');
    this.publish(undefined);
    t.strictSame(await this.settled(), { pairs: 0, connections: 0 }, 'no copy is left');
    t.strictSame(this.faults, [], 'no error of ours was met');
  }

  async connect(): Promise<RawPeer> {
    const peer = await connectRaw(this.plane.port);
    this.#peers.push(peer);
    return peer;
  }

  /** Sends a request by `client`, and resolves with its whole response. */
  async ask(path: string, client = this.client, fields = ''): Promise<string> {
    const from = client.text.length;
    client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`);
    return client.until(`response to ${path}`, () => wholeResponse(client.text.slice(from)));
  }

  /** Resolves with the results once they are `wanted`, or with what they are in the end. */
  async becomes(wanted: Results): Promise<Results> {
    const text = JSON.stringify(wanted);
    await becomes(() => JSON.stringify(this.results) === text);
    return this.results;
  }

  /** Resolves once `count` copies have come to green. */
  async copied(count: number): Promise<boolean> {
    return becomes(() => this.copies.length >= count);
  }

  passTime(ms: number): void {
    this.plane.plane.wheel.advance(Math.ceil(ms / 100) + 2);
  }

  /** Puts a table into force that copies as `shadow` says, or not at all. */
  publish(shadow: Shadow | undefined): void {
    this.#version++;
    const version = this.#version;
    const targets = { blue: [this.live.port], green: [this.idle.port] };
    const patch = { ...this.#options.patch?.service, ...(shadow !== undefined && { shadow }) };
    const made = testTable(version, 'blue', targets, patch);
    const table = this.#options.change?.(made) ?? made;
    this.plane.plane.obey({ kind: 'prepare', table });
    Atomics.store(this.plane.memory.pointer, 0, version);
    this.plane.plane.obey({ kind: 'adopt', version });
  }

  /** Resolves with what is still counted once no client is left. */
  async rest(): Promise<string[]> {
    await becomes(() => {
      this.plane.plane.wheel.advance(10);
      return countedIn(this.plane.memory).length === 0;
    });
    return countedIn(this.plane.memory);
  }

  /** Resolves with what is left of copies once that is nothing. */
  async settled(): Promise<ShadowScene['open']> {
    await becomes(() => this.open.pairs === 0 && this.open.connections === 0);
    return this.open;
  }
}

async function serve(
  connection: OriginConnection,
  deed: Deed,
  heads: string[] = [],
): Promise<void> {
  for (;;) {
    const from = connection.takenTo;
    const request = await connection.nextRequest();
    if (request === undefined) {
      connection.end();
      return;
    }
    heads.push(connection.text.slice(from, request.end));
    await deed(connection, request.start.split(' ')[1]!);
  }
}

/** Returns the response in `text` if it is whole: one with a length. */
function wholeResponse(text: string): string | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const length = /content-length: (\d+)/i.exec(text.slice(0, end));
  if (length === null) return undefined;
  return text.length >= end + 4 + Number(length[1]) ? text : undefined;
}

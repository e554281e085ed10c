// The operator of the shop: switches, registers and evicts by the admin API, and reads what drains.

import { request } from 'undici';
import type { Color } from '../../src/contract/table.ts';

export interface Said {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
}

/** One deployment that drains, as far as tests look at it. */
export interface DrainSaid {
  readonly deployment: number;
  readonly color: Color;
  readonly release: string;
  readonly sessions: { readonly seen: number; readonly standardError: number };
  readonly safeToStop: boolean;
}

/** One that has ended. */
export interface EndedSaid {
  readonly deployment: number;
  readonly how: string;
}

export interface DrainsSaid {
  readonly draining: readonly DrainSaid[];
  readonly ended: readonly EndedSaid[];
}

export class Operator {
  /** `host:port` of the admin API; another one after a restart. */
  admin: string;

  constructor(admin: string) {
    this.admin = admin;
  }

  /** Resolves with the generation. */
  async switch(to: Color): Promise<number> {
    return generationOf(await this.#ask('POST', '/v1/switch', { to }));
  }

  /** `new`: users of the release that is left stay there; `all`, which is usual: they do not. */
  async rollback(restick: 'all' | 'new'): Promise<Said> {
    const said = await this.#ask('POST', '/v1/rollback', restick === 'all' ? {} : { restick });
    generationOf(said);
    return said;
  }

  async register(color: Color, release: object): Promise<Said> {
    return this.#ask('PUT', `/v1/releases/${color}`, release);
  }

  async evict(deployment: number): Promise<Said> {
    return this.#ask('POST', '/v1/drain', { deployment });
  }

  /** `wait`: answers when nothing drains any more, or after that time. */
  async drains(wait = '0s'): Promise<DrainsSaid> {
    const { json } = await this.#ask('GET', `/v1/drain?wait=${wait}`, undefined);
    return json as unknown as DrainsSaid;
  }

  async #ask(method: string, path: string, body: object | undefined): Promise<Said> {
    const answer = await request(`http://${this.admin}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const json = (await answer.body.json()) as Said['json'];
    return { status: answer.statusCode, json };
  }
}

function generationOf({ status, json }: Said): number {
  if (status === 200 && json['changed'] === true) return Number(json['generation']);
  throw new Error(`expected a switch, got ${status} ${JSON.stringify(json)}`);
}

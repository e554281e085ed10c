// One user of the shop in a browser of its own: keeps cookies and connections, remembers what it
// put into its cart and where, and finds every fault of what it is shown.

import { Pool } from 'undici';
import type { ShopAnswer } from './shop-server.ts';

/** Where users come in; a shop may move. */
export interface Door {
  origin: string;
}

/** Where a session is. */
export type Place = Pick<ShopAnswer, 'shop' | 'color' | 'release'>;

export type Fault =
  /** No answer, or none that a shop gives. */
  | 'failed'
  /** A shop did not know the user. */
  | 'lost'
  /** Not the environment in which the session began. */
  | 'moved'
  /** Not exactly what this user put in. */
  | 'mixed'
  /** A cookie reached the shop that is none of its business. */
  | 'leaked';

export interface Reply {
  readonly status: number;
  /** What the shop said; undefined when none did. */
  readonly answer: ShopAnswer | undefined;
  readonly detail: string;
}

/** Browsers open a few; with two, a user is known to more than one worker. */
const CONNECTIONS = 2;
/** So that a silent proxy is a fault, not a test that hangs. */
const ANSWER_MS = 30_000;

export class ShopUser {
  readonly name: string;
  /** Where it is logged in; undefined: nowhere. */
  place: Place | undefined;
  readonly faults: { readonly fault: Fault; readonly detail: string }[] = [];
  requestCount = 0;
  readonly #door: Door;
  readonly #jar = new Map<string, string>();
  #items: string[] = [];
  #pool: Pool | undefined;
  #origin = '';

  constructor(name: string, door: Door) {
    this.name = name;
    this.#door = door;
  }

  /** What its cart must hold. */
  get items(): readonly string[] {
    return this.#items;
  }

  cookie(name: string): string | undefined {
    return this.#jar.get(name);
  }

  async login(): Promise<Reply> {
    const response = await this.#ask('POST', `/login?user=${this.name}`);
    const { answer } = response;
    if (answer === undefined || response.status !== 200) {
      this.#found('failed', response);
      return response;
    }
    this.place = { shop: answer.shop, color: answer.color, release: answer.release };
    this.#items = [];
    this.#check(response);
    return response;
  }

  async add(item: string): Promise<Reply> {
    this.#items.push(item);
    return this.#judged(await this.#ask('POST', `/cart?item=${item}`));
  }

  async look(): Promise<Reply> {
    return this.#judged(await this.#ask('GET', '/cart'));
  }

  /** Closes the browser: connections and cookies are gone. */
  async forget(): Promise<void> {
    await this.close();
    this.#jar.clear();
    this.place = undefined;
  }

  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.destroy();
  }

  #judged(response: Reply): Reply {
    if (response.status === 401 && response.answer !== undefined) {
      this.#found('lost', response);
      // What a browser shows now is the login page.
      this.place = undefined;
    } else if (response.status === 200) {
      this.#check(response);
    } else {
      this.#found('failed', response);
    }
    return response;
  }

  #check(response: Reply): void {
    const { shop, color, release, cookies, user, items } = response.answer!;
    const { place } = this;
    // Two reads may be under way when one of them ends the session.
    if (place === undefined) return;
    if (shop !== place.shop || color !== place.color || release !== place.release) {
      this.#found('moved', response);
    }
    if (user !== this.name || JSON.stringify(items) !== JSON.stringify(this.#items)) {
      this.#found('mixed', response);
    }
    if (cookies.some((name) => name !== 'sid')) this.#found('leaked', response);
  }

  #found(fault: Fault, { status, detail }: Reply): void {
    const place = JSON.stringify(this.place);
    this.faults.push({ fault, detail: `${this.name} of ${place} got ${status} ${detail}` });
  }

  async #ask(method: 'GET' | 'POST', path: string): Promise<Reply> {
    this.requestCount++;
    const cookie = [...this.#jar].map(([name, value]) => `${name}=${value}`).join('; ');
    try {
      const { statusCode, headers, body } = await this.#connected().request({
        method,
        path,
        headers: cookie === '' ? {} : { cookie },
      });
      const text = await body.text();
      this.#keep(headers['set-cookie'] ?? []);
      const isShop = statusCode === 200 || statusCode === 401;
      const answer = isShop ? (JSON.parse(text) as ShopAnswer) : undefined;
      return { status: statusCode, answer, detail: text };
    } catch (error) {
      return { status: 0, answer: undefined, detail: String(error) };
    }
  }

  #keep(fields: string | readonly string[]): void {
    for (const field of [fields].flat()) {
      const pair = field.split(';', 1)[0]!;
      const name = pair.split('=', 1)[0]!;
      this.#jar.set(name, pair.slice(name.length + 1));
    }
  }

  #connected(): Pool {
    if (this.#pool === undefined || this.#origin !== this.#door.origin) {
      void this.#pool?.destroy();
      this.#origin = this.#door.origin;
      this.#pool = new Pool(this.#origin, {
        connections: CONNECTIONS,
        pipelining: 1,
        keepAliveTimeout: 50_000, // shorter than that of Turnout
        headersTimeout: ANSWER_MS,
        bodyTimeout: ANSWER_MS,
      });
    }
    return this.#pool;
  }
}

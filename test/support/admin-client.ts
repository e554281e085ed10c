// The admin API as a script of an operator uses it: HTTP/1.1 on a connection that is kept.

import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';

export interface AdminAnswer {
  readonly status: number;
  readonly text: string;
  /** The body as JSON; empty where it is none. */
  readonly json: Readonly<Record<string, unknown>>;
}

export class AdminClient {
  readonly #address: string;
  readonly #agent = new Agent({ keepAlive: true });

  readonly #token: string | undefined;

  /** `address` is `host:port`; without a token it is a caller of this machine. */
  constructor(address: string, token?: string) {
    this.#address = address;
    this.#token = token;
  }

  async get(path: string): Promise<AdminAnswer> {
    return this.#ask('GET', path, undefined, {});
  }

  async post(
    path: string,
    body: object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<AdminAnswer> {
    return this.#ask('POST', path, JSON.stringify(body), headers);
  }

  async put(
    path: string,
    body: object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<AdminAnswer> {
    return this.#ask('PUT', path, JSON.stringify(body), headers);
  }

  close(): void {
    this.#agent.destroy();
  }

  #credentials(): Readonly<Record<string, string>> {
    return this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
  }

  async #ask(
    method: string,
    path: string,
    body: string | undefined,
    headers: Readonly<Record<string, string>>,
  ): Promise<AdminAnswer> {
    const asked = request(`http://${this.#address}${path}`, {
      method,
      agent: this.#agent,
      headers: { 'content-type': 'application/json', ...this.#credentials(), ...headers },
    });
    asked.end(body);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    let text = '';
    for await (const part of response.setEncoding('utf8')) text += String(part);
    const isJson = response.headers['content-type']?.includes('json') === true;
    const json = isJson ? (JSON.parse(text) as Readonly<Record<string, unknown>>) : {};
    return { status: response.statusCode ?? 0, text, json };
  }
}

/** Returns the value of one series of a Prometheus text, or undefined when it is not there. */
export function seriesOf(text: string, series: string): number | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

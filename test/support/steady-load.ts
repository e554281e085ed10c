// Requests for ever, on kept and on new connections; counts every failure by its code.

import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';

const CLIENTS = 8;

export class SteadyLoad {
  readonly failures: Record<string, number> = {};
  answered = 0;
  #isOver = false;
  readonly #all: Promise<unknown>;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });

  /** Every answer on `port` of loopback must be one of `expected`, with 200. */
  constructor(port: number, expected: readonly string[]) {
    const clients = Array.from({ length: 2 * CLIENTS }, (_, index) => index % 2 === 0);
    this.#all = Promise.all(
      clients.map(async (isKept) => this.#client(port, isKept ? this.#agent : false, expected)),
    );
  }

  /** Resolves when `count` more requests were answered. */
  async more(count: number): Promise<void> {
    const wanted = this.answered + count;
    while (this.answered < wanted) await new Promise(setImmediate);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#all;
    this.#agent.destroy();
  }

  async #client(port: number, agent: Agent | false, expected: readonly string[]): Promise<void> {
    while (!this.#isOver) {
      const outcome = await textAt(port, agent).catch(codeOf);
      if (expected.includes(outcome)) this.answered++;
      else this.failures[outcome] = (this.failures[outcome] ?? 0) + 1;
    }
  }
}

async function textAt(port: number, agent: Agent | false): Promise<string> {
  const sent = get({ host: '127.0.0.1', port, path: '/', agent });
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of answer) text += String(part);
  return answer.statusCode === 200 ? text : `status ${answer.statusCode}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

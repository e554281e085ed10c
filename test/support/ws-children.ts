// WebSocket servers and clients in processes of their own: each may have 20,000 descriptors, and
// none waits for another. This is the end that a test holds.

import { fork } from 'node:child_process';
import type { Test } from 'tap';
import type { Color } from '../../src/contract/table.ts';
import type { Stall } from './ws-evenness.ts';

export interface ServerPlan {
  readonly color: Color;
  readonly seed: number;
}

export interface ClientsPlan {
  readonly url: string;
  readonly seed: number;
  /** One client in so many offers permessage-deflate; 0: none. */
  readonly deflateOneIn: number;
  /** A client that was closed connects again at once. */
  readonly reconnects: boolean;
}

export interface ServerVerdict {
  readonly open: number;
  readonly accepted: number;
  readonly deflated: number;
  readonly messages: number;
  /** Close codes that the server has seen, with their number. */
  readonly codes: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
}

export interface ClientsVerdict {
  readonly open: number;
  readonly messages: number;
  /** By client: what it was told first on each of its connections, as `blue,green`; how many. */
  readonly colors: Readonly<Record<string, number>>;
  readonly codes: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  /** When each Close frame came, in ms since the epoch, ascending. */
  readonly closedAtMs: readonly number[];
  /** When time stood still, since `watch`. */
  readonly stalls: readonly Stall[];
}

export type ServerAsk =
  | { readonly do: 'flow'; readonly perSecond: number }
  | { readonly do: 'tell' | 'emptied' };

export type ClientsAsk =
  | {
      readonly do: 'open';
      readonly count: number;
      readonly headers: Readonly<Record<string, string>>;
    }
  | { readonly do: 'flow'; readonly perSecond: number }
  | { readonly do: 'closed'; readonly count: number }
  | { readonly do: 'settled' | 'watch' | 'ask' | 'tell' | 'close' };

export interface WsServer {
  readonly url: string;
  /** Sends so many messages a second from now on, each to any of the clients. */
  readonly flow: (perSecond: number) => Promise<void>;
  readonly tell: () => Promise<ServerVerdict>;
  /** Resolves when no client is left. */
  readonly emptied: () => Promise<ServerVerdict>;
}

export interface WsClients {
  /** Opens more of them; resolves when each has heard the color. */
  readonly open: (count: number, headers?: Readonly<Record<string, string>>) => Promise<void>;
  readonly flow: (perSecond: number) => Promise<void>;
  /** Resolves when `count` closes in all have been seen, and all that connect again have done so. */
  readonly closed: (count: number) => Promise<ClientsVerdict>;
  /** Resolves when all of them are open. */
  readonly settled: () => Promise<ClientsVerdict>;
  /** Looks out for pauses of proxy and clients from now on. */
  readonly watch: () => Promise<void>;
  /** Resolves with how many of them get an answer. */
  readonly ask: () => Promise<number>;
  readonly tell: () => Promise<ClientsVerdict>;
  /** Says goodbye with all of them. */
  readonly close: () => Promise<void>;
}

/** Starts a server that tells its color, then sends and checks messages; it ends with the test. */
export async function startWsServer(t: Test, plan: ServerPlan): Promise<WsServer> {
  const { ask, started } = startChild(t, 'ws-server-child.ts', plan);
  const url = (await started) as string;
  return {
    url,
    flow: async (perSecond) => void (await ask({ do: 'flow', perSecond })),
    tell: async () => (await ask({ do: 'tell' })) as ServerVerdict,
    emptied: async () => (await ask({ do: 'emptied' })) as ServerVerdict,
  };
}

/** Starts a process for clients, which are opened later; it ends with the test. */
export async function startWsClients(t: Test, plan: ClientsPlan): Promise<WsClients> {
  const { ask, started } = startChild(t, 'ws-clients-child.ts', plan);
  await started;
  return {
    open: async (count, headers = {}) => void (await ask({ do: 'open', count, headers })),
    flow: async (perSecond) => void (await ask({ do: 'flow', perSecond })),
    closed: async (count) => (await ask({ do: 'closed', count })) as ClientsVerdict,
    settled: async () => (await ask({ do: 'settled' })) as ClientsVerdict,
    watch: async () => void (await ask({ do: 'watch' })),
    ask: async () => (await ask({ do: 'ask' })) as number,
    tell: async () => (await ask({ do: 'tell' })) as ClientsVerdict,
    close: async () => void (await ask({ do: 'close' })),
  };
}

interface Reply {
  readonly id: number;
  readonly result: unknown;
  readonly error: string | undefined;
}

/** Starts `file`, which answers each message `{id, ask}`; its first word has the id 0. */
function startChild(t: Test, file: string, plan: object) {
  const child = fork(new URL(file, import.meta.url), [JSON.stringify(plan)], { execArgv: [] });
  t.teardown(() => child.kill('SIGKILL'));
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  child.on('message', (message) => {
    const { id, result, error } = message as Reply;
    if (error === undefined) waiting.get(id)?.resolve(result);
    else waiting.get(id)?.reject(new Error(error));
    waiting.delete(id);
  });
  child.once('exit', (code, signal) => {
    const error = new Error(`${file} ended early: code ${code}, signal ${signal}`);
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  });
  let lastId = -1;
  const wait = async (): Promise<unknown> => {
    const waiter = Promise.withResolvers<unknown>();
    waiting.set(++lastId, waiter);
    return await waiter.promise;
  };
  const started = wait();
  const ask = async (question: ServerAsk | ClientsAsk): Promise<unknown> => {
    const answered = wait();
    child.send({ id: lastId, ask: question });
    return await answered;
  };
  return { ask, started };
}

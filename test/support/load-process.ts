// The end of load-child.ts that a test holds: starts it, asks it, ends it with the test.

import { fork } from 'node:child_process';
import type { Test } from 'tap';
import type { Color } from '../../src/contract/table.ts';
import type { LoadOptions } from './load.ts';

export interface LoadPlan extends LoadOptions {
  /** `host:port` of the admin API. */
  readonly admin: string;
  /** Color that is active when the load begins. */
  readonly active: Color;
  /** An upload begins before each switch call and ends after it. */
  readonly straddles: boolean;
}

/** What clients noticed so far. */
export interface Verdict {
  readonly requests: number;
  /** Requests of which only one color could be right. */
  readonly judged: number;
  /** Those of them that the other color answered. */
  readonly wrong: number;
  /** Sent before a switch call, answered after the call was. */
  readonly straddling: number;
  readonly switches: number;
  readonly active: Color;
  /** Requests that began and were not answered, or not as they should have been. */
  readonly failed: number;
  readonly failures: Readonly<Record<string, number>>;
  /** Connections that the proxy closed between two requests. */
  readonly closedIdle: number;
  readonly open: number;
  /** Connections that the proxy closed and that were not opened again. */
  readonly lost: number;
}

export interface Calls {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export type Ask = { readonly id: number } & (
  | { readonly do: 'switch'; readonly count: number }
  | { readonly do: 'reopen' | 'rest' | 'wait-for-close' | 'tell' | 'close' }
);

export interface LoadProcess {
  /** Switches back and forth; every call is answered before the next begins. */
  switch(count: number): Promise<Calls>;
  /** Opens lost connections again; resolves with how many. */
  reopen(): Promise<number>;
  /** Sends nothing more, and resolves when all is answered; connections stay open. */
  rest(): Promise<Verdict>;
  /** Resolves when the proxy has closed all connections that send all the time. */
  waitForClose(): Promise<Verdict>;
  tell(): Promise<Verdict>;
  /** Rests, closes everything and ends the process. */
  close(): Promise<Verdict>;
}

const CHILD = new URL('./load-child.ts', import.meta.url);

interface Reply {
  readonly id: number;
  readonly result: unknown;
  readonly error: string | undefined;
}

/** Starts load and resolves when each of its connections has had an answer. */
export async function startLoad(t: Test, plan: LoadPlan): Promise<LoadProcess> {
  const child = fork(CHILD, [JSON.stringify(plan)], { execArgv: [] });
  t.teardown(() => child.kill('SIGKILL'));
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const started = Promise.withResolvers<unknown>();
  waiting.set(0, started);
  child.on('message', (message) => {
    const { id, result, error } = message as Reply;
    if (error === undefined) waiting.get(id)?.resolve(result);
    else waiting.get(id)?.reject(new Error(error));
    waiting.delete(id);
  });
  const exited = Promise.withResolvers<void>();
  child.once('exit', (code, signal) => {
    const error = new Error(`the load ended early: code ${code}, signal ${signal}`);
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
    exited.resolve();
  });
  let lastId = 0;
  // The child answers each question with the type that `obey` gives it.
  async function ask<T>(question: { readonly do: Ask['do']; readonly count?: number }): Promise<T> {
    const id = ++lastId;
    const waiter = Promise.withResolvers<unknown>();
    waiting.set(id, waiter);
    child.send({ id, ...question });
    return (await waiter.promise) as T;
  }
  await started.promise;
  return {
    switch: async (count) => ask<Calls>({ do: 'switch', count }),
    reopen: async () => ask<number>({ do: 'reopen' }),
    rest: async () => ask<Verdict>({ do: 'rest' }),
    waitForClose: async () => ask<Verdict>({ do: 'wait-for-close' }),
    tell: async () => ask<Verdict>({ do: 'tell' }),
    async close() {
      const verdict = await ask<Verdict>({ do: 'close' });
      await exited.promise;
      return verdict;
    },
  };
}

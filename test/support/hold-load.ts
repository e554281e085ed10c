// A fixed rate of numbered requests from a process of its own, which also makes the admin calls:
// so it knows of each request whether it was sent before or after a call had answered. This file
// is the end that a test holds.

import { fork } from 'node:child_process';
import type { Test } from 'tap';

export interface HoldLoadPlan {
  readonly port: number;
  /** `host:port` of the admin API. */
  readonly admin: string;
  readonly ratePerSecond: number;
  /** A request that finds no free connection opens one, up to this many; then it is sent late. */
  readonly connectionsMax: number;
}

/** One request. Its times count sendings, answers and calls; they are no clock. */
export interface SentNote {
  readonly path: string;
  readonly sentAt: number;
  readonly answeredAt: number;
  /** What was answered. */
  readonly body: string;
}

/** One admin call, with times of the same kind. */
export interface CallNote {
  readonly calledAt: number;
  readonly answeredAt: number;
  readonly status: number;
  readonly text: string;
}

export interface HoldVerdict {
  readonly notes: readonly SentNote[];
  /** Reason → count. */
  readonly failures: Readonly<Record<string, number>>;
  /** Answered requests in a second, from the first to the last answer. */
  readonly answeredPerSecond: number;
  /** Connections that were open at once. */
  readonly connections: number;
}

export type HoldAsk =
  | { readonly do: 'call'; readonly path: string; readonly body: object }
  | { readonly do: 'finish' };

export interface HoldLoad {
  readonly call: (path: string, body: object) => Promise<CallNote>;
  /** Sends what is due, resolves when all is answered, and ends the process. */
  readonly finish: () => Promise<HoldVerdict>;
}

/** Starts load; resolves when the first requests have been answered. */
export async function startHoldLoad(t: Test, plan: HoldLoadPlan): Promise<HoldLoad> {
  const child = fork(new URL('./hold-load-child.ts', import.meta.url), [JSON.stringify(plan)], {
    execArgv: [],
    serialization: 'advanced',
  });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('exit', (code, signal) => {
      reject(new Error(`the load ended early: code ${code}, signal ${signal}`));
    });
  });
  ended.catch(() => {}); // It ends after `finish`, too.
  // The child answers one question after the other, with the type that each call names.
  const next = <T>(): Promise<T> => {
    const message = new Promise<T>((resolve) => {
      child.once('message', (answer) => {
        resolve(answer as T);
      });
    });
    return Promise.race([message, ended]);
  };
  await next<'started'>();
  return {
    async call(path, body) {
      const answer = next<CallNote>();
      child.send({ do: 'call', path, body } satisfies HoldAsk);
      return await answer;
    },
    async finish() {
      const answer = next<HoldVerdict>();
      child.send({ do: 'finish' } satisfies HoldAsk);
      return await answer;
    },
  };
}

// Rollouts of a real Turnout, as scripts of operators and what is asked by gates see them: apps that can be
// told to fail, a configuration file, and calls that wait for the next event of a rollout.

import { writeFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Test } from 'tap';
import { AdminClient, type AdminAnswer } from '../support/admin-client.ts';
import { serve } from '../support/serving.ts';
import { startAsGiven, temporaryDirectory, turnout, type Running } from './turnout-process.ts';

/** An app of one release: it says its name, unless it is told to answer otherwise. */
interface ReleaseApp {
  readonly url: string;
  readonly name: string;
  status: number;
  /** One request in so many is answered with 500; 0: none. */
  badOneIn: number;
  /** What it answers to a health check. */
  health: number;
  /** Requests of clients. */
  count: number;
  /** Resolves when its health is known as it answers from now on. */
  checked(): Promise<void>;
  close(): Promise<void>;
}

/** `path`: listens at this Unix socket. */
export async function openApp(t: Test, name: string, path?: string): Promise<ReleaseApp> {
  const server = createServer((asked, answer) => {
    const isCheck = asked.url === '/healthz';
    if (isCheck) server.emit('check');
    else app.count++;
    const isBad = app.badOneIn > 0 && app.count % app.badOneIn === 0;
    answer.statusCode = isCheck ? app.health : isBad ? 500 : app.status;
    answer.end(name);
  });
  const { port, close } = await serve(t, server, undefined, path);
  const url = path === undefined ? `http://127.0.0.1:${port}` : `unix:${path}`;
  const checked = async (): Promise<void> => {
    // The answer to one check has been judged when the next one comes.
    for (let checks = 0; checks < 2; checks++) await once(server, 'check');
  };
  const app: ReleaseApp = {
    url,
    name,
    status: 200,
    badOneIn: 0,
    health: 200,
    count: 0,
    checked,
    close,
  };
  return app;
}

/** A program that gates ask over HTTP. */
export interface Hook {
  readonly url: string;
  /** A status, a verdict as JSON, or nothing at all: the question hangs. */
  answer: number | object | undefined;
  /** Attempts that were asked with, in their order. */
  readonly attempts: string[];
  /** Resolves when it is asked for the next time. */
  asked(): Promise<void>;
}

export async function openHook(t: Test): Promise<Hook> {
  const server = createServer((asked, answer) => {
    hook.attempts.push(String(asked.headers['turnout-attempt']));
    server.emit('question');
    asked.resume();
    const { answer: given } = hook;
    if (given === undefined) return;
    if (typeof given === 'number') answer.statusCode = given;
    answer.end(typeof given === 'number' ? '' : JSON.stringify(given));
  });
  const { port } = await serve(t, server);
  const hook: Hook = {
    url: `http://127.0.0.1:${port}/ask`,
    answer: 200,
    attempts: [],
    async asked() {
      await once(server, 'question');
    },
  };
  return hook;
}

/** What a view tells, as far as tests look at it. */
export interface View {
  readonly id: string;
  readonly event: number;
  readonly stage: string;
  readonly status: Readonly<Record<string, string>> & { readonly kind: string };
  readonly step: number | null;
  readonly steps: readonly { readonly state: string }[];
  readonly share: { readonly wanted: number };
  readonly end: null | {
    readonly outcome: string;
    readonly cause: string;
    readonly reason: string;
    readonly actor: string;
    readonly lockedOut: boolean;
  };
  readonly gates: readonly {
    readonly name: string;
    readonly verdict: string | null;
    readonly tries: number;
    readonly detail: string;
  }[];
  readonly guard: {
    readonly verdicts: readonly { readonly verdict: string }[];
    readonly detail: string;
  };
  readonly events: readonly {
    readonly seq: number;
    readonly kind: string;
    readonly text: string;
  }[];
}

/** Asks the admin API of a process about rollouts. */
export class RolloutCaller {
  readonly admin: AdminClient;

  constructor(admin: AdminClient) {
    this.admin = admin;
  }

  /** Starts a rollout to green; returns its id. */
  async start(t: Test, body: object = {}): Promise<string> {
    const answer = await this.admin.post('/v1/rollouts', { reason: 'test', ...body });
    t.equal(answer.status, 202, answer.text);
    return String(answer.json['id']);
  }

  async view(id: string): Promise<View> {
    const { json } = await this.admin.get(`/v1/rollouts/${id}`);
    return json as unknown as View;
  }

  /** Resolves with the first view that `wanted` accepts: each event of the rollout is looked at. */
  async until(id: string, wanted: (view: View) => boolean, what = String(wanted)): Promise<View> {
    for (let asked = 0; asked < 400; asked++) {
      const path = `/v1/rollouts/${id}`;
      const view = asked === 0 ? await this.view(id) : this.#last.get(id)!;
      if (wanted(view)) return view;
      if (view.end !== null) throw new Error(`expected ${what}, got ${JSON.stringify(view.end)}`);
      const { json } = await this.admin.get(`${path}?wait=20s&after=${view.event}`);
      this.#last.set(id, json as unknown as View);
    }
    throw new Error(`expected ${what}, got ${JSON.stringify(this.#last.get(id))}`);
  }

  readonly #last = new Map<string, View>();

  async stage(id: string, ...stages: readonly string[]): Promise<View> {
    return this.until(id, ({ stage }) => stages.includes(stage), `stage ${stages.join(' or ')}`);
  }

  /** Resolves when the rollout waits for a word, or is blocked or paused. */
  async status(id: string, kind: string): Promise<View> {
    return this.until(id, ({ status }) => status.kind === kind, `status ${kind}`);
  }

  async act(
    id: string,
    word: string,
    body: object = {},
    fields: Readonly<Record<string, string>> = {},
  ): Promise<AdminAnswer> {
    return this.admin.post(`/v1/rollouts/${id}/${word}`, { reason: 'test', ...body }, fields);
  }
}

export interface RolloutScene extends RolloutCaller {
  readonly blue: ReleaseApp;
  readonly green: ReleaseApp;
  readonly running: Running;
  readonly directory: string;
  /** Arguments of another process over the same state. */
  readonly args: readonly string[];
  readonly file: string;
  /** Body of an answer on a connection of its own, from a client without a session. */
  ask(): Promise<string>;
  cli(...args: readonly string[]): Promise<{ code: number | null; out: string; err: string }>;
}

interface SceneSettings {
  /** Members of the service in the file, beside colors and rollout. */
  readonly service?: object;
  readonly rollout?: object;
  /** Other members of the file. */
  readonly file?: object;
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** Probes that find an app up at once. */
export const HEALTH = { interval: '100ms', rise: 1, fall: 1 };

/** Blue has v1 and is active, green has v2. Guard off and no bake, unless a test says otherwise. */
export async function openRollouts(
  t: Test,
  { service, rollout, file: more, args: given = [], environment }: SceneSettings = {},
): Promise<RolloutScene> {
  const [blue, green] = [await openApp(t, 'v1'), await openApp(t, 'v2')];
  const directory = temporaryDirectory(t);
  const file = join(directory, 'turnout.yaml');
  const settings = {
    blue: { release: 'v1', targets: [blue.url] },
    green: { release: 'v2', targets: [green.url] },
    health: HEALTH,
    rollout: { bake: '0s', guard: { mode: 'off' }, ...rollout },
    ...service,
  };
  writeFileSync(file, JSON.stringify({ services: [settings], ...more }));
  const listen = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '1'];
  const args = [...listen, '--state', join(directory, 'state'), '--config', file, ...given];
  const running = await startAsGiven(t, args, environment);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  return Object.assign(new RolloutCaller(admin), {
    blue,
    green,
    running,
    directory,
    args,
    file,
    ask: async () => askOnce(running.proxy),
    cli: async (...words: readonly string[]) => turnout([...words, '--admin', running.admin]),
  });
}

/** Returns what a client without a session is answered on a connection of its own. */
export async function askOnce(proxy: string): Promise<string> {
  const sent = request(`http://${proxy}/`, { agent: false });
  sent.end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of answer.setEncoding('utf8')) text += String(part);
  return text;
}

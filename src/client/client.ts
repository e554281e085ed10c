// The admin API as typed calls, for programs: `import { TurnoutClient } from 'turnout/client'`. Each
// returns the answer, or throws what client-errors.ts has. Runs on Node 20 and newer, and loads
// nothing but Node: of src/api it takes the types alone.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseDuration } from '../base/duration.ts';
import {
  sendCall,
  serverAddressOf,
  type Received,
  type ServerAddress,
  type TlsOptions,
} from './client-call.ts';
import { TurnoutNoAnswer, TurnoutProblem } from './client-errors.ts';
import type * as Api from './client-types.ts';

export { TurnoutNoAnswer, TurnoutProblem, type KnownCode } from './client-errors.ts';
export type { TlsOptions } from './client-call.ts';
export type * from './client-types.ts';

export interface ClientOptions {
  /** `http://host:port`, `https://host:port` or `unix:/path`. Default: `http://127.0.0.1:8081`. */
  readonly address?: string;
  /** As `turnout token create` printed it. */
  readonly token?: string;
  readonly tls?: TlsOptions;
  /** For one answer, besides what a call asks the server to wait. Default: 30 s. */
  readonly timeoutMs?: number;
}

/** What can be said of any call. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** What can be said of a change. */
export interface ChangeOptions extends CallOptions {
  /** Made only while this is the generation; otherwise `generation-mismatch`. */
  readonly ifMatch?: number;
  /** A change with a key that was used before is not made again. Default: a new one. */
  readonly idempotencyKey?: string;
}

const ADDRESS_DEFAULT = 'http://127.0.0.1:8081';
/** A switch waits for every worker and the disk; the server gives up long before this. */
const TIMEOUT_DEFAULT_MS = 30_000;
/** A change takes some ten milliseconds, one that holds requests a minute. */
const STILL_RUNNING_EVERY_MS = 200;

interface Question {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: object;
  readonly options: ChangeOptions;
}

export class TurnoutClient {
  readonly #server: ServerAddress;
  readonly #token: string;
  readonly #timeoutMs: number;

  /** Opens nothing; throws a TypeError where the address is none. */
  constructor(options: ClientOptions = {}) {
    const { address = ADDRESS_DEFAULT, token = '', tls = {} } = options;
    this.#server = serverAddressOf(address, tls);
    this.#token = token;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_DEFAULT_MS;
  }

  /** What is active, how every target is, and what flows. */
  async status(query: Api.ServiceQuery = {}, options: CallOptions = {}): Promise<Api.Status> {
    return await this.#get('/v1/status', query, options);
  }

  /** Resolves while the process takes traffic; else throws `not-ready`. Needs no token. */
  async ready(options: CallOptions = {}): Promise<Api.Ready> {
    return await this.#get('/readyz', {}, options);
  }

  /** In short whether requests are served, and what is wrong; for monitoring. */
  async check(query: Api.ServiceQuery = {}, options: CallOptions = {}): Promise<Api.Check> {
    return await this.#get('/v1/check', query, options);
  }

  /** The deployments that are kept, the latest first. */
  async deployments(
    query: Api.ServiceQuery = {},
    options: CallOptions = {},
  ): Promise<Api.Deployments> {
    return await this.#get('/v1/deployments', query, options);
  }

  /** The switches, the latest first. */
  async history(query: Api.HistoryQuery = {}, options: CallOptions = {}): Promise<Api.History> {
    return await this.#get('/v1/history', query, options);
  }

  /** The audit log, the latest first. */
  async audit(query: Api.AuditQuery = {}, options: CallOptions = {}): Promise<Api.Audit> {
    return await this.#get('/v1/audit', query, options);
  }

  /** What drains; with `wait` once nothing drains any more, or after that time. */
  async drains(query: Api.DrainQuery = {}, options: CallOptions = {}): Promise<Api.Drains> {
    return await this.#get('/v1/drain', query, options);
  }

  /** Registers a release on a color that is not active. */
  async register(
    color: Api.Color,
    release: Api.Release,
    options: ChangeOptions = {},
  ): Promise<Api.Registered> {
    return await this.#put(`/v1/releases/${color}`, release, options);
  }

  /** Gives a deployment other targets while it serves. */
  async scale(
    deployment: number,
    targets: Api.Targets,
    options: ChangeOptions = {},
  ): Promise<Api.Scaled> {
    return await this.#put(`/v1/deployments/${deployment}/targets`, targets, options);
  }

  /** Makes what is on a color, a release or a kept deployment the active one. */
  async switch(body: Api.Switch = {}, options: ChangeOptions = {}): Promise<Api.Switched> {
    return await this.#post('/v1/switch', body, options);
  }

  /** Switches several services in one step, or none. */
  async switchAll(
    body: Api.Switch & { readonly services: readonly string[] },
    options: ChangeOptions = {},
  ): Promise<Api.SwitchedAll> {
    return await this.#post('/v1/switch', body, options);
  }

  /** Takes the last switch back, or goes back to a kept deployment. */
  async rollback(body: Api.Rollback = {}, options: ChangeOptions = {}): Promise<Api.Switched> {
    return await this.#post('/v1/rollback', body, options);
  }

  /** What several changes would be refused for. */
  async dryRun(body: Api.DryRun, options: ChangeOptions = {}): Promise<Api.Foreseen> {
    return await this.#post('/v1/dry-run', body, options);
  }

  /** Lifts a lock-out. */
  async unlock(body: Api.Unlock = {}, options: ChangeOptions = {}): Promise<Api.Changed> {
    return await this.#post('/v1/unlock', body, options);
  }

  /** Ends what drains: sessions move over, connections close. */
  async evict(body: Api.Evict = {}, options: ChangeOptions = {}): Promise<Api.Changed> {
    return await this.#post('/v1/drain', body, options);
  }

  /** Lets new requests wait. */
  async hold(body: Api.Hold = {}, options: ChangeOptions = {}): Promise<Api.Gate> {
    return await this.#post('/v1/hold', body, options);
  }

  /** Ends a hold. */
  async resume(body: Api.Resume = {}, options: ChangeOptions = {}): Promise<Api.Changed> {
    return await this.#post('/v1/resume', body, options);
  }

  /** Turns maintenance on or off. */
  async maintenance(body: Api.Maintenance, options: ChangeOptions = {}): Promise<Api.Gate> {
    return await this.#post('/v1/maintenance', body, options);
  }

  /** Stops all switching. */
  async freeze(body: Api.FreezeReason, options: ChangeOptions = {}): Promise<Api.Frozen> {
    return await this.#post('/v1/freeze', body, options);
  }

  /** Ends a freeze. */
  async unfreeze(body: Api.Unfreeze = {}, options: ChangeOptions = {}): Promise<Api.Frozen> {
    return await this.#post('/v1/unfreeze', body, options);
  }

  /** Makes a token that opens a deployment before it gets traffic. */
  async preview(body: Api.Preview = {}, options: ChangeOptions = {}): Promise<Api.PreviewToken> {
    return await this.#post('/v1/preview', body, options);
  }

  /** Reads the configuration again. */
  async reload(body: Api.Reload = {}, options: ChangeOptions = {}): Promise<Api.Reloaded> {
    return await this.#post('/v1/reload', body, options);
  }

  /** The rollouts, the latest first. */
  async rollouts(query: Api.RolloutsQuery = {}, options: CallOptions = {}): Promise<Api.Rollouts> {
    return await this.#get('/v1/rollouts', query, options);
  }

  /** All of one rollout; `current` is the one that goes on. With `wait` at its next event. */
  async rollout(
    id: string,
    query: Api.RolloutQuery = {},
    options: CallOptions = {},
  ): Promise<Api.Rollout> {
    return await this.#get(`/v1/rollouts/${encodeURIComponent(id)}`, query, options);
  }

  /** What was measured while a rollout had traffic, over time. */
  async rolloutSeries(
    id: string,
    query: Pick<Api.RolloutQuery, 'service'> = {},
    options: CallOptions = {},
  ): Promise<Api.RolloutSeries> {
    return await this.#get(`/v1/rollouts/${encodeURIComponent(id)}/series`, query, options);
  }

  /** Starts a rollout, which then goes on by itself. */
  async startRollout(
    body: Api.RolloutStart = {},
    options: ChangeOptions = {},
  ): Promise<Api.RolloutStarted> {
    return await this.#post('/v1/rollouts', body, options);
  }

  /** Approves, pauses, aborts … a rollout. `ifMatch` is the `event` of a view. */
  async steerRollout<Act extends keyof Api.RolloutActs>(
    id: string,
    act: Act,
    body: Api.RolloutActs[Act],
    options: ChangeOptions = {},
  ): Promise<Api.Rollout> {
    return await this.#post(`/v1/rollouts/${encodeURIComponent(id)}/${act}`, body, options);
  }

  async #get<T>(path: string, query: Question['query'] & object, options: CallOptions): Promise<T> {
    return await this.#ask({ method: 'GET', path, query, options });
  }

  async #post<T>(path: string, body: object, options: ChangeOptions): Promise<T> {
    return await this.#ask({ method: 'POST', path, body, options });
  }

  async #put<T>(path: string, body: object, options: ChangeOptions): Promise<T> {
    return await this.#ask({ method: 'PUT', path, body, options });
  }

  /** A question whose connection broke is asked once more, a change with the same key. */
  async #ask<T>(question: Question): Promise<T> {
    const { method, path, query = {}, body, options } = question;
    const words = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) words.set(name, String(value));
    }
    const sent = {
      method,
      path: words.size === 0 ? path : `${path}?${words.toString()}`,
      headers: this.#fields(question),
      body: body === undefined ? undefined : JSON.stringify(body),
      withinMs: this.#timeoutMs + waitMs({ ...query, ...body }),
      signal: options.signal,
    };
    const once = async (): Promise<T> =>
      answerOf(this.#server, await sendCall(this.#server, sent)) as T;
    try {
      return await once();
    } catch (error) {
      if (!(error instanceof TurnoutNoAnswer) || !isBroken(error)) throw error;
    }
    return await again(once, performance.now() + sent.withinMs);
  }

  #fields({ method, body, options }: Question): Record<string, string> {
    const { ifMatch, idempotencyKey = randomUUID() } = options;
    return {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(method === 'GET' ? {} : { 'idempotency-key': idempotencyKey }),
      ...(ifMatch === undefined ? {} : { 'if-match': `"${ifMatch}"` }),
      ...(this.#token === '' ? {} : { authorization: `Bearer ${this.#token}` }),
    };
  }
}

/** The time that a question asks the server to take before it answers. */
function waitMs(said: Readonly<Record<string, unknown>>): number {
  return [said['wait'], said['hold']]
    .map((text) => parseDuration(text ?? 0))
    .reduce((sum, parsed) => sum + (parsed.ok ? parsed.value : 0), 0);
}

/** Tells whether a connection ended before an answer; one that was only too slow did not. */
function isBroken({ mayHaveActed, cause }: TurnoutNoAnswer): boolean {
  const isLate = cause instanceof Error && cause.name === 'AbortError';
  return mayHaveActed && !isLate && !(cause instanceof SyntaxError);
}

/** Asks a second time, for as long as the first call with the same key still runs. */
async function again<T>(once: () => Promise<T>, deadlineMs: number): Promise<T> {
  for (;;) {
    try {
      return await once();
    } catch (error) {
      if (error instanceof TurnoutNoAnswer) {
        // What the first call did is not known, although the second may not even have been sent.
        throw new TurnoutNoAnswer(error.message, true, error.cause);
      }
      const isRunning = error instanceof TurnoutProblem && error.code === 'idempotency-running';
      if (!isRunning || performance.now() >= deadlineMs) throw error;
      await sleep(STILL_RUNNING_EVERY_MS);
    }
  }
}

/** Returns the document of a good answer as it came: from another version it may differ. */
function answerOf(server: ServerAddress, { status, text }: Received): unknown {
  let document: unknown;
  let cause: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    cause = error;
  }
  if (typeof document !== 'object' || document === null) {
    const message = `expected the admin API of Turnout at ${server.text}, got another server (status ${status})`;
    throw new TurnoutNoAnswer(message, true, cause ?? new SyntaxError('expected an object'));
  }
  if (status >= 200 && status <= 299) return document;
  throw new TurnoutProblem(status, document);
}

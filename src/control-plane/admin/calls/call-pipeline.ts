// The phases of one call: prove the caller, check what the caller may do, look for an answer under
// the same key, run the handler, write the entry. Every call that would change something leaves an
// entry in the audit log, also one that is refused or fails. Knows no single route.

import { createHash } from 'node:crypto';
import { epochMs } from '../../../base/clock.ts';
import { repeatedMember } from '../../../base/repeated-member.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isReservedName } from '../../base/actors.ts';
import { TokenBuckets } from '../../base/token-bucket.ts';
import { Call, type CallKey } from '../../audit/call.ts';
import { REASON_CHARS_MAX } from '../../../api/api-limits.ts';
import {
  ACTORS_MAX,
  AUDIT_ACTION_CHARS_MAX,
  AUDIT_DETAIL_CHARS_MAX,
  CHANGE_EVERY_MS,
  CHANGES_AT_ONCE_MAX,
} from '../../base/control-limits.ts';
import { jsonText } from '../../base/json-text.ts';
import { addressOf } from '../../base/peer.ts';
import { OperatorError } from '../../base/problems.ts';
import { mayAct } from '../../../api/roles.ts';
import { connectionOf, sendStream } from './call-connection.ts';
import { type Access, checkRole, checkScope, type Caller } from './authorization.ts';
import type { AdminParts } from '../routes/admin-parts.ts';
import { auditText, cut } from './audit-text.ts';
import { clientCertificate } from './client-certificate.ts';
import { parseIdempotencyKey, parseIfMatch } from './call-fields.ts';
import { KeyedCalls } from './keyed-calls.ts';
import { asOperatorError } from './problem-answer.ts';
import { parse } from './parse.ts';
import type { Answer, Asked, Route } from '../routes/route.ts';

/** What is known of one call. */
interface KnownCall {
  readonly actor: string;
  readonly address: string;
  /** Undefined while no credentials were proven. */
  readonly caller: Caller | undefined;
  /** Undefined: there is none, or it is not known. */
  readonly route: Route | undefined;
  /** It has its entry. */
  isRecorded: boolean;
}

export class CallPipeline {
  readonly #parts: AdminParts;
  readonly #access: Access;
  readonly #keyed: KeyedCalls;
  readonly #known = new WeakMap<FastifyRequest, KnownCall>();
  readonly #texts = new WeakMap<FastifyRequest, string>();
  /** Changes that each named caller may still make. */
  readonly #changes = new TokenBuckets({
    most: CHANGES_AT_ONCE_MAX,
    everyMs: CHANGE_EVERY_MS,
    bucketsMax: ACTORS_MAX,
  });

  constructor(parts: AdminParts, access: Access) {
    this.#parts = parts;
    this.#access = access;
    this.#keyed = new KeyedCalls(parts.store);
  }

  /**
   * Lets a caller in that may call `route`; throws otherwise. `route` undefined: there is none,
   * which a proven caller may learn.
   */
  async admit(request: FastifyRequest, route: Route | undefined): Promise<void> {
    if (route?.role === 'none') return;
    const address = addressOf(request.socket);
    const { authorization } = request.headers;
    const certificate = clientCertificate(request.socket);
    const found = await this.#access.admit({ address, authorization, certificate });
    const caller = 'error' in found ? undefined : found;
    this.#known.set(request, { actor: found.actor, address, caller, route, isRecorded: false });
    if ('error' in found) throw found.error;
    if (route !== undefined) checkRole(found, route);
  }

  /** Returns the body of a request; as text it is a part of what a key stands for. */
  read(request: FastifyRequest, text: string): unknown {
    this.#texts.set(request, text);
    if (text.trim() === '') return {};
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch (error) {
      throw new OperatorError('json-malformed', 'expected one JSON object', { cause: error });
    }
    const repeated = repeatedMember(text);
    if (repeated === undefined) return body;
    const detail = `${JSON.stringify(repeated)} stands twice in one object: which of them is meant?`;
    throw new OperatorError('body-invalid', detail);
  }

  /** Answers a call that was let in. */
  async serve(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const known = this.#knownOf(request);
    const key = route.body && keyOf(request, known.actor, this.#texts.get(request) ?? '');
    if (key === undefined) return this.#answer(route, request, reply, undefined);
    const stored = this.#keyed.begin(key);
    if (stored === undefined) {
      try {
        return await this.#answer(route, request, reply, key);
      } finally {
        this.#keyed.end(key);
      }
    }
    const { status, generation, body } = stored;
    const call = this.#callOf(request, undefined);
    const detail = `answered again, as asked with the key ${key.key}`;
    this.#parts.audit.note(call.notes({ outcome: 'unchanged', status, generation, detail }));
    reply.header('idempotent-replayed', 'true');
    return sendJson(reply.status(status), body, generation);
  }

  /** Writes down a call that was not made; `error` is what the caller is told. */
  refused(request: FastifyRequest, error: OperatorError): void {
    const { turnedAway } = this.#parts;
    const count = turnedAway.get(error.code);
    if (count !== undefined) turnedAway.set(error.code, count + 1);
    const known = this.#knownOf(request);
    if (!isChange(request.method) || known.isRecorded) return;
    known.isRecorded = true;
    const call = this.#callOf(request, undefined);
    this.#parts.audit.turnedAway(call.notes(this.#endOf(error)).audit);
  }

  /** Writes down bytes that are no request, where they begin like a change. */
  malformed(bytes: Buffer | undefined, address: string, error: OperatorError): void {
    const [, method = ''] = /^([A-Z]{3,12}) /.exec(bytes?.toString('latin1', 0, 16) ?? '') ?? [];
    if (method === '' || !isChange(method)) return;
    const head = {
      actor: 'nobody',
      address,
      action: `${method} ?`,
      service: '',
      request: '',
      reason: '',
    };
    const call = new Call({ head, key: undefined });
    this.#parts.audit.turnedAway(call.notes(this.#endOf(error)).audit);
  }

  async #answer(
    route: Route,
    request: FastifyRequest,
    reply: FastifyReply,
    key: CallKey | undefined,
  ): Promise<FastifyReply> {
    const known = this.#knownOf(request);
    const isChanging = route.body !== undefined;
    const call = this.#callOf(request, key);
    try {
      if (isChanging && route.isWayBack !== true) this.#checkChanges(known.actor);
      const asked = this.#check(route, request, reply, call);
      if (route.isLast === true) await this.#begun(call);
      const answer = await route.handle(asked, this.#parts);
      known.isRecorded = true;
      if (isChanging && (await this.#made(call, answer)))
        this.#changes.take(known.actor, epochMs());
      const { body, generation, tag = generation, status = 200 } = answer;
      if (answer.stream !== undefined) return sendStream(request, reply, answer.stream);
      if (route.answer.type !== 'application/json') return reply.type(route.answer.type).send(body);
      return sendJson(reply.status(status), jsonText(body), tag);
    } catch (error) {
      const told = asOperatorError(error);
      // A call that its caller may not make claims no key, as one without credentials.
      const isAdmitted = known.caller !== undefined && !NOT_ADMITTED.has(told.code);
      if (isChanging && isAdmitted && !known.isRecorded) {
        known.isRecorded = true;
        this.#parts.audit.note(call.notes(this.#endOf(told)));
      }
      throw error;
    }
  }

  #check(
    route: Route,
    request: FastifyRequest,
    reply: FastifyReply,
    call: Call,
  ): Asked<unknown, unknown> {
    const { actor, caller } = this.#knownOf(request);
    const query = parse(route.query, request.query, 'query-invalid');
    const sent = request.body === undefined ? {} : request.body;
    const body = route.body && parse(route.body, sent, 'body-invalid');
    const ifMatch = route.body && parseIfMatch(request.headers['if-match']);
    const only = caller?.services;
    const params = request.params as Asked<unknown, unknown>['params'];
    const allow = caller?.allow;
    const connection = connectionOf(request, reply, async () =>
      this.#isStillAllowed(route, request),
    );
    const asked = { params, query, body, ifMatch, actor, call, only, allow, connection };
    if (caller === undefined || only === undefined) return asked;
    const known = this.#parts.switchboard.table.services.map(({ name }) => name);
    // The handler refuses those that differ; the caller must be allowed each of them.
    const several = textsOf(body, 'services');
    const names = [textOf(query, 'service'), textOf(body, 'service'), ...several];
    const named = names.filter((name) => name !== undefined);
    for (const one of named) checkScope(caller, route, { named: one, known });
    if (named.length > 0) return asked;
    const service = checkScope(caller, route, { named: undefined, known });
    return service === undefined ? asked : { ...asked, query: { ...(query as object), service } };
  }

  /** Asks again, of a caller that stays: a token may be revoked meanwhile, or end. */
  async #isStillAllowed(route: Route, { socket, headers }: FastifyRequest): Promise<boolean> {
    const { authorization } = headers;
    const certificate = clientCertificate(socket);
    const credentials = { address: addressOf(socket), authorization, certificate };
    const found = await this.#access.admit(credentials);
    return !('error' in found) && route.role !== 'none' && mayAct(found.role, route.role);
  }

  /** Callers on this machine are not limited. */
  #checkChanges(actor: string): void {
    const waitMs = isReservedName(actor) ? 0 : this.#changes.waitMs(actor, epochMs());
    if (waitMs === 0) return;
    const retryAfterSeconds = Math.ceil(waitMs / 1_000);
    const detail = `${actor} has made too many changes; wait ${retryAfterSeconds} s`;
    throw new OperatorError('too-many-changes', detail, { members: { retryAfterSeconds } });
  }

  /** The rest of this process cannot write it down any more. */
  async #begun(call: Call): Promise<void> {
    const { epoch: generation } = this.#parts.switchboard.table;
    await this.#parts.audit.must(
      call.notes({ outcome: 'done', status: 202, generation, detail: 'begun' }),
    );
    call.recorded();
  }

  /**
   * Writes down a call that was made, unless that was done together with what it has changed.
   * Returns whether it has changed anything.
   */
  async #made(call: Call, answer: Answer): Promise<boolean> {
    const { audit, store, switchboard, log } = this.#parts;
    const { body, remembered = body, isDryRun = false, status = 200 } = answer;
    const text = jsonText(remembered);
    const generation = answer.generation ?? switchboard.table.epoch;
    if (isDryRun) {
      const end = { status: 200, generation, detail: 'dry run' } as const;
      audit.note(call.notes({ ...end, outcome: 'unchanged' }));
      return false;
    }
    if (!call.isRecorded) {
      const isSame =
        typeof body === 'object' && body !== null && 'changed' in body && !body.changed;
      const end = { status, generation, body: text };
      if (isSame) audit.note(call.notes({ ...end, outcome: 'unchanged' }));
      else await audit.must(call.notes({ ...end, outcome: 'done' }));
      return !isSame;
    }
    if (call.key !== undefined) {
      try {
        await store.answers.complete(call.key.key, text);
      } catch (error) {
        // After an upgrade the state is the successor's, which answers the key with what it stored.
        if (asOperatorError(error).code === 'upgrading') return true;
        log.warn(
          { err: error },
          'the answer to a call with a key stays as it was when it was stored',
        );
      }
    }
    return true;
  }

  #endOf(error: OperatorError) {
    const { status, code, message } = error;
    const { epoch: generation } = this.#parts.switchboard.table;
    const detail = cut(message, AUDIT_DETAIL_CHARS_MAX);
    const outcome = status >= 500 ? 'failed' : 'refused';
    // Without its body, so that no key stands for it: the next try may succeed.
    return { status, code, detail, generation, outcome } as const;
  }

  #callOf(request: FastifyRequest, key: CallKey | undefined): Call {
    const { actor, address, route } = this.#knownOf(request);
    const { services } = this.#parts.switchboard.table;
    const isImplied = route?.scope === 'service' && services.length === 1;
    const only = isImplied ? services[0]!.name : '';
    const several = textsOf(request.body, 'services').join(', ') || undefined;
    const one = textOf(request.query, 'service') ?? textOf(request.body, 'service');
    const named = one ?? several;
    const path = request.url.split('?', 1)[0]!;
    const head = {
      actor,
      address,
      action: cut(`${request.method} ${path}`, AUDIT_ACTION_CHARS_MAX),
      service: cut(named ?? only, AUDIT_ACTION_CHARS_MAX),
      request: auditText(request.body),
      reason: cut(textOf(request.body, 'reason') ?? '', REASON_CHARS_MAX),
    };
    return new Call({ head, key });
  }

  #knownOf(request: FastifyRequest): KnownCall {
    const known = this.#known.get(request);
    if (known !== undefined) return known;
    const address = addressOf(request.socket);
    const nobody = { actor: 'nobody', caller: undefined, route: undefined };
    const fresh = { ...nobody, address, isRecorded: false };
    this.#known.set(request, fresh);
    return fresh;
  }
}

/** Problems of a proven caller that may not make this call, or not now. */
const NOT_ADMITTED: ReadonlySet<string> = new Set(['forbidden', 'too-many-changes']);

/** RFC 9110 §9.2.1: the others are safe. */
function isChange(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS';
}

function keyOf(request: FastifyRequest, actor: string, text: string): CallKey | undefined {
  const key = parseIdempotencyKey(request.headers['idempotency-key']);
  if (key === undefined) return undefined;
  const asked = JSON.stringify([actor, request.method, request.url, text]);
  return { key, digest: createHash('sha256').update(asked).digest('base64') };
}

function textOf(value: unknown, name: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const found: unknown = Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
  return typeof found === 'string' ? found : undefined;
}

/** Returns the texts of a list; empty: there is no such list. */
function textsOf(value: unknown, name: string): string[] {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return [];
  const found: unknown = Reflect.get(value, name);
  return Array.isArray(found) ? found.filter((one) => typeof one === 'string') : [];
}

function sendJson(reply: FastifyReply, text: string, generation: number | undefined): FastifyReply {
  if (generation !== undefined) reply.header('etag', `"${generation}"`);
  return reply.type('application/json; charset=utf-8').send(text);
}

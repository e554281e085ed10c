// What a row of the API table is, and how handlers are tied to the schemas beside them.

import type { z } from 'zod';
import type { Call } from '../../audit/call.ts';
import type { ProblemCode } from '../../../api/problem-codes.ts';
import { OperatorError } from '../../base/problems.ts';
import type { Role } from '../../../api/roles.ts';
import type { StreamSocket } from '../../live/streams.ts';
import type { AdminParts } from './admin-parts.ts';

/** What a handler knows of its request, checked. */
export interface Asked<Query, Body> {
  /** What stands in the path in place of `:name`. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly ifMatch: readonly number[] | undefined;
  /** The caller, as in the audit log. */
  readonly actor: string;
  /** To be passed on with every change, which is then stored together with it. */
  readonly call: Call;
  /** The services that the caller may know of; undefined: all. */
  readonly only: readonly string[] | undefined;
  /** Where targets may lead that the caller registers; undefined: anywhere. */
  readonly allow: readonly string[] | undefined;
  readonly connection: CallConnection;
}

/** How the caller is connected, for calls that take their time. */
export interface CallConnection {
  /** From this machine. */
  readonly isLocal: boolean;
  /** The caller has left. */
  readonly gone: AbortSignal;
  /** What a reader of a stream has read last. */
  readonly lastEventId: string | undefined;
  /** Whether the credentials of the call are still good for it. */
  readonly isStillAllowed: () => Promise<boolean>;
}

export interface Answer {
  readonly body: unknown;
  /** Default: 200. */
  readonly status?: 202;
  /** Generation that the answer speaks of; sent as `ETag`. */
  readonly generation?: number;
  /** Sent as `ETag` instead, where the answer is about one thing that has numbers of its own. */
  readonly tag?: number;
  /** What is kept for a repeated call in place of the body, where that holds a secret. */
  readonly remembered?: unknown;
  /** Nothing was done: nothing is kept for a repeated call. */
  readonly isDryRun?: boolean;
  /** The answer goes on: begins to write it, and returns what is called when the caller has left. */
  readonly stream?: (socket: StreamSocket) => () => void;
}

/** Media type of an answer, and its schema where it is JSON. */
export type AnswerShape =
  | { readonly type: 'application/json'; readonly schema: z.ZodType }
  | { readonly type: 'text/plain; version=0.0.4; charset=utf-8' | 'text/event-stream' };

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** A segment `:name` stands for any. */
  readonly path: string;
  /** One sentence for the document and for the answer to an unknown path. */
  readonly doc: string;
  /** Another path does the same; this one stays for scripts that were written before it. */
  readonly isOldName?: boolean;
  /** The least role that may call it; `none`: any caller, without credentials. */
  readonly role: 'none' | Role;
  /**
   * What a caller sees or changes whose credentials are good for some services only:
   * `service`: the one that query or body name, or the only one there is, must be among them.
   * `named`: the same where one is named; a call that names none is about the whole process.
   * `services`: the handler leaves out the others (`asked.only`). `process`: nothing, the caller is refused.
   * `nothing`: it tells of none.
   */
  readonly scope: 'service' | 'named' | 'services' | 'process' | 'nothing';
  readonly query: z.ZodType;
  /** Undefined where no body is read. */
  readonly body: z.ZodType | undefined;
  readonly answer: AnswerShape;
  readonly problems: readonly ProblemCode[];
  /** It is written down before it is done: afterwards this process cannot any more. */
  readonly isLast?: boolean;
  /** Its work may go on after the answer, which has the status 202 then. */
  readonly goesOn?: boolean;
  /** The way back to safety: no caller is told to wait for it, however many changes it has made. */
  readonly isWayBack?: boolean;
  readonly handle: (asked: Asked<unknown, unknown>, parts: AdminParts) => Promise<Answer>;
}

/** How any change may be refused. */
export const CHANGE_PROBLEMS: readonly ProblemCode[] = [
  ...(['body-invalid', 'json-malformed', 'query-invalid', 'if-match-malformed'] as const),
  ...(['service-required', 'reason-required', 'service-unknown', 'no-targets'] as const),
  ...(['target-unhealthy', 'generation-mismatch', 'body-too-large', 'no-slot'] as const),
  ...(['content-type-not-json', 'busy', 'frozen', 'stopping', 'store-failed'] as const),
  ...(['workers-not-ready', 'upgrading', 'idempotency-key-malformed'] as const),
  ...(['outcome-unknown', 'called-off'] as const),
  ...(['idempotency-mismatch', 'idempotency-running'] as const),
];

/** Traffic cannot be moved there, or not now. */
export const MOVE_PROBLEMS: readonly ProblemCode[] = [
  ...CHANGE_PROBLEMS,
  ...(['deployment-unknown', 'address-in-use', 'release-locked-out', 'switching-frozen'] as const),
];

/** A release cannot come to a color. */
export const REGISTER_PROBLEMS: readonly ProblemCode[] = [
  ...CHANGE_PROBLEMS,
  ...(['target-invalid', 'target-not-allowed', 'color-active', 'address-in-use'] as const),
  'rollout-running',
];

/** How any caller may be turned away. */
export const DOOR_PROBLEMS: readonly ProblemCode[] = [
  'host-not-allowed',
  'origin-not-allowed',
  'came-through-turnout',
];

/** How a caller may be turned away that has to show credentials. */
export const ACCESS_PROBLEMS: readonly ProblemCode[] = [
  ...(['unauthenticated', 'forbidden', 'too-many-failures', 'too-many-changes'] as const),
  ...DOOR_PROBLEMS,
];

type BodyOf<B extends z.ZodType | undefined> = B extends z.ZodType ? z.infer<B> : undefined;

/** Ties the types of a handler to the schemas beside it, and then forgets them. */
export function route<Q extends z.ZodType, B extends z.ZodType | undefined>(
  row: Omit<Route, 'query' | 'body' | 'handle'> & {
    readonly query: Q;
    readonly body: B;
    handle(this: void, asked: Asked<z.infer<Q>, BodyOf<B>>, parts: AdminParts): Promise<Answer>;
  },
): Route {
  // The server parses with these very schemas before it calls.
  return { ...row, handle: row.handle as Route['handle'] };
}

/** Returns the answer to a change, or what it would be. */
export function told(answer: { readonly generation: number }, isDryRun = false): Answer {
  const { generation } = answer;
  return isDryRun
    ? { body: { ...answer, dryRun: true }, generation, isDryRun }
    : { body: answer, generation };
}

/** A JSON answer. */
export function json(schema: z.ZodType): AnswerShape {
  return { type: 'application/json', schema };
}

/** Tells whether a caller may know of `service`. */
export function isSeen(service: string, only: readonly string[] | undefined): boolean {
  return only?.includes(service) ?? true;
}

/** Returns the service that query or body name; they must not differ. */
export function oneService(
  fromQuery: string | undefined,
  fromBody: string | undefined,
): string | undefined {
  if (fromQuery === undefined || fromBody === undefined) return fromQuery ?? fromBody;
  if (fromQuery === fromBody) return fromBody;
  throw new OperatorError('body-invalid', 'query and body name different services');
}

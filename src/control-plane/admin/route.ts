// What a row of the API table is, and how handlers are tied to the schemas beside them.

import type { z } from 'zod';
import { OperatorError, type ProblemCode } from '../problems.ts';
import type { AdminParts } from './admin-parts.ts';

/** What a handler knows of its request, checked. */
export interface Asked<Query, Body> {
  readonly query: Query;
  readonly body: Body;
  readonly ifMatch: readonly number[] | undefined;
  /** Where the request came from: an address or `unix`. */
  readonly actor: string;
}

interface Answer {
  readonly body: unknown;
  /** Generation that the answer speaks of; sent as `ETag`. */
  readonly generation?: number;
}

/** Media type of an answer, and its schema where it is JSON. */
export type AnswerShape =
  | { readonly type: 'application/json'; readonly schema: z.ZodType | undefined }
  | { readonly type: 'text/plain; version=0.0.4; charset=utf-8' };

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  /** One sentence for the document and for the answer to an unknown path. */
  readonly doc: string;
  readonly query: z.ZodType;
  /** Undefined where no body is read. */
  readonly body: z.ZodType | undefined;
  readonly answer: AnswerShape;
  readonly problems: readonly ProblemCode[];
  readonly handle: (asked: Asked<unknown, unknown>, parts: AdminParts) => Promise<Answer>;
}

/** How any change may be refused. */
export const CHANGE_PROBLEMS: readonly ProblemCode[] = [
  ...(['body-invalid', 'json-malformed', 'query-invalid', 'if-match-malformed'] as const),
  ...(['service-required', 'reason-required', 'service-unknown', 'no-targets'] as const),
  ...(['target-unhealthy', 'generation-mismatch', 'body-too-large', 'no-slot'] as const),
  ...(['content-type-not-json', 'busy', 'frozen', 'stopping', 'store-failed'] as const),
  'workers-not-ready',
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

/** A JSON answer; undefined: of any shape. */
export function json(schema: z.ZodType | undefined): AnswerShape {
  return { type: 'application/json', schema };
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

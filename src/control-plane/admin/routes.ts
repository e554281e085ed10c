// The admin API as a table: method, path, shapes, and what is done. The server turns it
// into handlers, openapi.ts into the document; neither knows a single route by name.

import type { z } from 'zod';
import { OperatorError, type ProblemCode } from '../problems.ts';
import type { AdminParts } from './admin-parts.ts';
import { openApiDocument } from './openapi.ts';
import {
  historyAnswer,
  historyQuery,
  liveAnswer,
  noQuery,
  rollbackBody,
  serviceQuery,
  statusAnswer,
  switchAnswer,
  switchBody,
} from './schemas.ts';
import { historyView, statusView, switchView } from './views.ts';

/** What a handler knows of its request, checked. */
interface Asked<Query, Body> {
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
  readonly method: 'GET' | 'POST';
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

const CHANGE_PROBLEMS: readonly ProblemCode[] = [
  ...(['body-invalid', 'json-malformed', 'query-invalid', 'if-match-malformed'] as const),
  ...(['service-required', 'reason-required', 'service-unknown', 'no-targets'] as const),
  ...(['target-unhealthy', 'generation-mismatch', 'body-too-large'] as const),
  ...(['content-type-not-json', 'busy', 'frozen', 'stopping', 'store-failed'] as const),
  'workers-not-ready',
];

export const ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/status',
    doc: 'Tells what is active, how every target is, and what flows.',
    query: serviceQuery,
    body: undefined,
    answer: json(statusAnswer),
    problems: ['query-invalid', 'service-unknown'],
    async handle({ query }, parts) {
      const { services, ...rest } = statusView(parts);
      const wanted = services.filter(({ name }) => name === (query.service ?? name));
      if (wanted.length === 0) throw unknownService(services);
      return { body: { ...rest, services: wanted }, generation: rest.generation };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/switch',
    doc: 'Makes a color the active one; from then on no new request reaches the other.',
    query: serviceQuery,
    body: switchBody,
    answer: json(switchAnswer),
    problems: CHANGE_PROBLEMS,
    async handle({ query, body, ifMatch, actor }, { switchboard }) {
      const service = oneService(query.service, body.service);
      const { to, force, reason } = body;
      const answer = await switchboard.switch({ service, to, force, reason, ifMatch, actor });
      return { body: switchView(answer), generation: answer.generation };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/rollback',
    doc: 'Takes the last switch back.',
    query: serviceQuery,
    body: rollbackBody,
    answer: json(switchAnswer),
    problems: [...CHANGE_PROBLEMS, 'nothing-to-roll-back-to'],
    async handle({ query, body, ifMatch, actor }, { switchboard }) {
      const service = oneService(query.service, body.service);
      const { force, reason } = body;
      const answer = await switchboard.rollback({ service, force, reason, ifMatch, actor });
      return { body: switchView(answer), generation: answer.generation };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/history',
    doc: 'Lists the switches, the latest first.',
    query: historyQuery,
    body: undefined,
    answer: json(historyAnswer),
    problems: ['query-invalid'],
    async handle({ query: { service, limit } }, { store }) {
      return { body: { switches: store.history({ service, limit }).map(historyView) } };
    },
  }),
  route({
    method: 'GET',
    path: '/livez',
    doc: 'Answers while the control plane lives.',
    query: noQuery,
    body: undefined,
    answer: json(liveAnswer),
    problems: [],
    async handle() {
      return { body: { status: 'ok' } };
    },
  }),
  route({
    method: 'GET',
    path: '/readyz',
    doc: 'Says 503 until traffic is served, and from the moment a stop begins.',
    query: noQuery,
    body: undefined,
    answer: json(liveAnswer),
    problems: ['not-ready'],
    async handle(_asked, { isReady }) {
      if (!isReady()) throw new OperatorError('not-ready', 'starting or stopping');
      return { body: { status: 'ok' } };
    },
  }),
  route({
    method: 'GET',
    path: '/metrics',
    doc: 'Gives all series as Prometheus text.',
    query: noQuery,
    body: undefined,
    answer: { type: 'text/plain; version=0.0.4; charset=utf-8' },
    problems: [],
    async handle(_asked, { metrics }) {
      return { body: await metrics() };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/openapi.json',
    doc: 'Describes this API as OpenAPI 3.1.',
    query: noQuery,
    body: undefined,
    answer: json(undefined),
    problems: [],
    async handle(_asked, { version }) {
      return { body: openApiDocument(ROUTES, version) };
    },
  }),
];

type BodyOf<B extends z.ZodType | undefined> = B extends z.ZodType ? z.infer<B> : undefined;

/** Ties the types of a handler to the schemas beside it, and then forgets them. */
function route<Q extends z.ZodType, B extends z.ZodType | undefined>(
  row: Omit<Route, 'query' | 'body' | 'handle'> & {
    readonly query: Q;
    readonly body: B;
    handle(this: void, asked: Asked<z.infer<Q>, BodyOf<B>>, parts: AdminParts): Promise<Answer>;
  },
): Route {
  // The server parses with these very schemas before it calls.
  return { ...row, handle: row.handle as Route['handle'] };
}

function json(schema: z.ZodType | undefined): AnswerShape {
  return { type: 'application/json', schema };
}

function oneService(
  fromQuery: string | undefined,
  fromBody: string | undefined,
): string | undefined {
  if (fromQuery === undefined || fromBody === undefined) return fromQuery ?? fromBody;
  if (fromQuery === fromBody) return fromBody;
  throw new OperatorError('body-invalid', 'query and body name different services');
}

function unknownService(services: readonly { readonly name: string }[]): OperatorError {
  const names = services.map(({ name }) => name);
  return new OperatorError('service-unknown', `expected one of: ${names.join(', ')}`, {
    members: { services: names },
  });
}

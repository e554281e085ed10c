// The admin API as a table: method, path, shapes, and what is done. The server turns it
// into handlers, openapi.ts into the document; neither knows a single route by name.

import { OperatorError } from '../problems.ts';
import { openApiDocument } from './openapi.ts';
import { CHANGE_PROBLEMS, json, oneService, route, type Route } from './route.ts';
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
import { SERVICE_ROUTES } from './service-routes.ts';
import { historyView, statusView, switchView } from './views.ts';

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
    problems: [...CHANGE_PROBLEMS, 'hold-timeout'],
    async handle({ query, body, ifMatch, actor }, { switchboard }) {
      const service = oneService(query.service, body.service);
      const { to, force, reason, hold: holdMs } = body;
      const asked = { service, to, force, reason, holdMs, ifMatch, actor };
      const answer = await switchboard.switch(asked);
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
      const { force, reason, restick } = body;
      const asked = { service, force, reason, restick, ifMatch, actor };
      const answer = await switchboard.rollback(asked);
      return { body: switchView(answer), generation: answer.generation };
    },
  }),
  ...SERVICE_ROUTES,
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

function unknownService(services: readonly { readonly name: string }[]): OperatorError {
  const names = services.map(({ name }) => name);
  return new OperatorError('service-unknown', `expected one of: ${names.join(', ')}`, {
    members: { services: names },
  });
}

// The rows of the API that tell what goes on: which deployment is active, the last hour in numbers, and the
// stream of events.

import { epochMs } from '../../../base/clock.ts';
import type { Service } from '../../../contract/table.ts';
import {
  activeAnswer,
  activeQuery,
  eventsQuery,
  seriesAnswer,
  seriesQuery,
  type ActiveAnswer,
  type SeriesAnswer,
} from '../../../api/live-answers.ts';
import { SERIES_EVERY_MS } from '../../base/control-limits.ts';
import { findService } from '../../deployments/change-request.ts';
import { deploymentOfSelf, generationOf, roleOf, type Self } from '../../live/active.ts';
import type { SeriesPoint } from '../../live/series.ts';
import type { AdminParts } from './admin-parts.ts';
import { json, route, type Route } from './route.ts';
import { timeText } from '../../base/time-text.ts';

export const LIVE_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/active',
    doc: 'Tells what is active, and the one that asks whether it is that; waits for the next switch if asked.',
    role: 'read',
    scope: 'service',
    query: activeQuery,
    body: undefined,
    answer: json(activeAnswer),
    problems: [
      'query-invalid',
      'service-required',
      'service-unknown',
      'busy',
      'upgrading',
      'stopping',
    ],
    async handle({ query, connection }, parts) {
      const { since, wait } = query;
      const { name } = findService(parts.switchboard.table, query.service);
      if (since !== undefined && wait > 0) {
        await parts.liveParts.active.wait(name, since, wait, connection.gone);
      }
      const self = selfOf(query);
      // Leases are given by one process: while another takes over, by none.
      const { refusal } = parts.switchboard;
      if (self !== undefined && (refusal?.code === 'upgrading' || refusal?.code === 'stopping')) {
        throw refusal;
      }
      const service = findService(parts.switchboard.table, name);
      const active = service[service.active];
      const body: ActiveAnswer = {
        service: name,
        color: service.active,
        deployment: active.number,
        release: active.release,
        generation: generationOf(service),
        you: self === undefined ? null : youOf(service, self, query.lease, parts),
      };
      return { body, generation: parts.switchboard.table.epoch };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/series',
    doc: 'Gives the last hour of each color, a point each ten seconds, and the last minute by the second.',
    role: 'read',
    scope: 'service',
    query: seriesQuery,
    body: undefined,
    answer: json(seriesAnswer),
    problems: ['query-invalid', 'service-required', 'service-unknown'],
    async handle({ query }, parts) {
      const service = findService(parts.switchboard.table, query.service);
      return { body: seriesView(service, query.minutes, parts) };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/events',
    doc: 'Tells what happens, as it happens: a stream of events (text/event-stream).',
    role: 'read',
    scope: 'services',
    query: eventsQuery,
    body: undefined,
    answer: { type: 'text/event-stream' },
    problems: ['query-invalid', 'service-unknown', 'busy', 'upgrading', 'stopping'],
    async handle({ query, actor, only, connection }, { liveParts, switchboard }) {
      if (query.service !== undefined) findService(switchboard.table, query.service);
      const services = query.service === undefined ? only : [query.service];
      const { isLocal, lastEventId, isStillAllowed } = connection;
      liveParts.streams.checkRoom({ isLocal, lastEventId });
      return {
        body: '',
        stream: (socket) =>
          liveParts.streams.open({
            socket,
            actor,
            services,
            only,
            lastEventId,
            isLocal,
            isStillAllowed,
          }),
      };
    },
  }),
];

function selfOf({
  color,
  deployment,
}: {
  readonly color?: Service['active'] | undefined;
  readonly deployment?: number | undefined;
}): Self | undefined {
  if (color !== undefined) return { kind: 'color', color };
  return deployment === undefined ? undefined : { kind: 'deployment', number: deployment };
}

function youOf(
  service: Service,
  self: Self,
  leaseMs: number,
  { liveParts }: Pick<AdminParts, 'liveParts'>,
): ActiveAnswer['you'] {
  const found = deploymentOfSelf(service, self);
  const number = found?.number ?? (self.kind === 'deployment' ? self.number : 0);
  const role = roleOf(service, number);
  const isActive = role === 'active';
  const you = {
    color: found?.color ?? null,
    deployment: number,
    release: found?.release ?? '',
    role,
    isActive,
    leaseUntil: null,
    leaseSeconds: null,
    leaseFrom: null,
  };
  if (!isActive || leaseMs === 0) return you;
  const lease = liveParts.leases.ask(service.name, number, leaseMs);
  const untilMs = lease.untilMs - performance.now();
  const until = timeText(epochMs() + Math.floor(untilMs));
  if (lease.kind === 'waits') return { ...you, leaseFrom: until };
  return { ...you, leaseUntil: until, leaseSeconds: Math.floor(untilMs) / 1_000 };
}

function seriesView(
  service: Service,
  minutes: number,
  { liveParts, recent }: AdminParts,
): SeriesAnswer {
  const points = liveParts.series.of(service.name, minutes);
  const colorView = (color: Service['active']): SeriesAnswer['blue'] => {
    const { requestsPerSecond, errorsPerSecond } = recent.of(service[color].block);
    return {
      points: points[color].map(pointView),
      lastMinute: {
        requestsPerSecond: requestsPerSecond.map(round),
        errorsPerSecond: errorsPerSecond.map(round),
      },
    };
  };
  return {
    service: service.name,
    at: timeText(epochMs()),
    everySeconds: SERIES_EVERY_MS / 1_000,
    blue: colorView('blue'),
    green: colorView('green'),
  };
}

function pointView({
  atMs,
  p50Ms,
  p99Ms,
  ...point
}: SeriesPoint): SeriesAnswer['blue']['points'][number] {
  const { requestsPerSecond, errorsPerSecond, ...named } = point;
  return {
    at: timeText(atMs),
    ...named,
    requestsPerSecond: round(requestsPerSecond),
    errorsPerSecond: round(errorsPerSecond),
    p50Ms: p50Ms === undefined ? null : round(p50Ms),
    p99Ms: p99Ms === undefined ? null : round(p99Ms),
  };
}

function round(value: number): number {
  return Number(value.toFixed(2));
}

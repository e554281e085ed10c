// The rows of the API about switches that are ordered for later: what is ordered, and taking it back.
// They are ordered by the switch itself, with a time.

import { epochMs } from '../../../base/clock.ts';
import { ORDERS_OVER_TOLD } from '../../../api/api-limits.ts';
import { cancelBody, scheduledAnswer, scheduledListAnswer } from '../../../api/scheduled.ts';
import { serviceQuery } from '../../../api/shared-fields.ts';
import type { switchBody } from '../../../api/switching.ts';
import type { z } from 'zod';
import { OperatorError } from '../../base/problems.ts';
import { findService } from '../../deployments/change-request.ts';
import { CHANGE_PROBLEMS, json, route, told, type Route } from './route.ts';

export const SCHEDULED_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/scheduled',
    doc: 'Lists the switches that are ordered for later, and what came of the last ones.',
    role: 'read',
    scope: 'services',
    query: serviceQuery,
    body: undefined,
    answer: json(scheduledListAnswer),
    problems: ['query-invalid', 'service-unknown'],
    async handle({ query: { service }, only }, { scheduler, switchboard }) {
      if (service !== undefined) findService(switchboard.table, service);
      const { pending, over } = scheduler.list(only, ORDERS_OVER_TOLD);
      const isAbout = ({ services }: (typeof pending)[number]): boolean =>
        service === undefined || services.some((one) => one.service === service);
      return { body: { pending: pending.filter(isAbout), over: over.filter(isAbout) } };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/scheduled/:order/cancel',
    doc: 'Takes a switch back that is ordered for later.',
    role: 'switch',
    scope: 'service',
    query: serviceQuery,
    body: cancelBody,
    answer: json(scheduledAnswer),
    problems: [...CHANGE_PROBLEMS, 'scheduled-unknown', 'scheduled-over'],
    async handle({ params, query, body: { reason }, ifMatch, actor, call, only }, { scheduler }) {
      const named = query.service === undefined ? undefined : [query.service];
      const asked = { reason, ifMatch, actor, call };
      return told(await scheduler.cancel(asked, params['order'] ?? '', only ?? named));
    },
  }),
];

/** Returns when a switch is to be made; undefined: now. */
export function dueAt(body: z.infer<typeof switchBody>): number | undefined {
  const { at, in: inMs, grace } = body;
  if (at !== undefined && inMs !== undefined) {
    throw new OperatorError('body-invalid', 'say when by "at" or by "in", not by both');
  }
  if (at === undefined && inMs === undefined && grace !== undefined) {
    throw new OperatorError('body-invalid', '"grace" needs "at" or "in"');
  }
  return at ?? (inMs === undefined ? undefined : epochMs() + inMs);
}

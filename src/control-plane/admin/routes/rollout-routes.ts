// The rows of the API that start rollouts, tell of them, and steer them. `current` in place of an id
// is the one that goes on.

import {
  pointOfNoReturnBody,
  rolloutAbortBody,
  rolloutActBody,
  rolloutActQuery,
  rolloutBody,
  rolloutGateBody,
  rolloutPromoteBody,
  rolloutQuery,
  rolloutsAnswer,
  rolloutsQuery,
  rolloutStarted,
} from '../../../api/rollouts.ts';
import { rolloutSeries } from '../../../api/rollout-series.ts';
import { rolloutView, type RolloutSummary } from '../../../api/rollout-views.ts';
import { serviceQuery } from '../../../api/shared-fields.ts';
import { OperatorError } from '../../base/problems.ts';
import { checkEvent } from '../../deployments/change-request.ts';
import type { RolloutAct, RolloutDesk } from './rollout-desk.ts';
import {
  json,
  MOVE_PROBLEMS,
  oneService,
  REGISTER_PROBLEMS,
  route,
  type Answer,
  type Asked,
  type Route,
} from './route.ts';

/** How a rollout that is asked for may be refused. */
const START_PROBLEMS = [
  ...new Set([
    ...MOVE_PROBLEMS,
    ...REGISTER_PROBLEMS,
    ...(['plan-invalid', 'rollout-running', 'no-release', 'gate-unknown'] as const),
    ...(['schema-incompatible', 'point-of-no-return', 'not-ready'] as const),
  ]),
];

/** How what is done to a rollout may be refused. */
const ACT_PROBLEMS = [
  ...new Set([
    ...MOVE_PROBLEMS,
    ...(['rollout-unknown', 'rollout-over', 'not-waiting', 'gate-unknown'] as const),
    ...(['gate-failed', 'schema-incompatible', 'point-of-no-return'] as const),
    ...(['approval-by-same-actor', 'not-ready'] as const),
  ]),
];

export const ROLLOUT_ROUTES: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/rollouts',
    doc: 'Starts a rollout: waits for health and gates, moves traffic by a plan, and watches it.',
    goesOn: true,
    role: 'switch',
    scope: 'service',
    query: serviceQuery,
    body: rolloutBody,
    answer: json(rolloutStarted),
    problems: START_PROBLEMS,
    async handle(asked, { rollouts }) {
      const { ifMatch, actor, call, only, allow, query } = asked;
      const { force, reason, dryRun, to, gates, plan, bake, guard, ...body } = asked.body;
      const service = oneService(query.service, body.service);
      const request = { service, force, reason, ifMatch, actor, call, dryRun };
      const wanted = {
        services: body.services ?? [service],
        to,
        registers: registered(body, { evictIn: only, allow }),
        skips: gates === undefined ? undefined : { gates: gates.skip, reason: gates.reason },
        plan,
        bakeMs: bake,
        guard,
      };
      if (body.services !== undefined && service !== undefined) {
        const why = 'name services by "service" or by "services", not by both';
        throw new OperatorError('body-invalid', why);
      }
      const answer = await deskOf(rollouts).start(request, wanted);
      const { generation } = answer;
      return dryRun
        ? { body: { ...answer, dryRun }, generation, isDryRun: true }
        : { body: answer, generation, status: 202 };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/rollouts',
    doc: 'Lists the rollouts, the latest first.',
    role: 'read',
    scope: 'services',
    query: rolloutsQuery,
    body: undefined,
    answer: json(rolloutsAnswer),
    problems: ['query-invalid', 'not-ready'],
    async handle({ query: { service, active, limit }, only }, { rollouts }) {
      const all = deskOf(rollouts).list({ service, isActive: active });
      const seen = all.filter((one) => mayKnow(one, only) === 'all');
      return { body: { rollouts: seen.slice(0, limit) } };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/rollouts/:id',
    doc: 'Tells all of one rollout, and waits for its next event if asked.',
    role: 'read',
    scope: 'services',
    query: rolloutQuery,
    body: undefined,
    answer: json(rolloutView),
    problems: ['query-invalid', 'service-required', 'rollout-unknown', 'busy', 'not-ready'],
    async handle(asked, { rollouts }) {
      const desk = deskOf(rollouts);
      const { wait, after } = asked.query;
      const { id, event } = named(asked, desk);
      if (wait > 0) await desk.waitFor(id, after ?? event, AbortSignal.timeout(wait));
      return told(desk.view(id));
    },
  }),
  route({
    method: 'GET',
    path: '/v1/rollouts/:id/series',
    doc: 'Gives what was measured while a rollout had traffic, a point each ten seconds.',
    role: 'read',
    scope: 'services',
    query: rolloutActQuery,
    body: undefined,
    answer: json(rolloutSeries),
    problems: ['query-invalid', 'service-required', 'rollout-unknown', 'not-ready'],
    async handle(asked, { rollouts }) {
      const desk = deskOf(rollouts);
      return { body: desk.series(named(asked, desk).id) };
    },
  }),
  actRoute('approve', {
    doc: 'Lets a rollout go on that waits for a person.',
    body: rolloutGateBody,
    act: ({ gate }) => ({ kind: 'approve', gate }),
  }),
  actRoute('reject', {
    doc: 'Ends a rollout that waits for a person.',
    body: rolloutGateBody,
    act: ({ gate }) => ({ kind: 'reject', gate }),
  }),
  actRoute('pause', {
    doc: 'Stops the clocks of a rollout; its guard goes on.',
    body: rolloutActBody,
    act: () => ({ kind: 'pause' }),
  }),
  actRoute('resume', {
    doc: 'Lets the clocks of a rollout go on.',
    body: rolloutActBody,
    act: () => ({ kind: 'resume' }),
  }),
  actRoute('skip', {
    doc: 'Goes to the next step of a rollout without the rest of this one.',
    body: rolloutActBody,
    act: () => ({ kind: 'skip' }),
  }),
  actRoute('promote', {
    doc: 'Moves all traffic of a rollout at once, without the rest of its steps.',
    body: rolloutPromoteBody,
    act: () => ({ kind: 'promote' }),
  }),
  actRoute('abort', {
    doc: 'Ends a rollout and takes its traffic back.',
    isWayBack: true,
    body: rolloutAbortBody,
    act: ({ restick, ramp, lockOut }) => ({ kind: 'abort', restick, rampMs: ramp, lockOut }),
  }),
  actRoute('point-of-no-return', {
    doc: 'Says that no rollback is made by itself from now on, or that one may be made again.',
    body: pointOfNoReturnBody,
    act: ({ on }) => ({ kind: 'point-of-no-return', on }),
  }),
];

/** Bodies of what is done to a rollout. */
type ActBody =
  | typeof rolloutActBody
  | typeof rolloutGateBody
  | typeof rolloutPromoteBody
  | typeof rolloutAbortBody
  | typeof pointOfNoReturnBody;

function actRoute<Body extends ActBody>(
  word: string,
  {
    doc,
    body,
    act,
    isWayBack = false,
  }: {
    readonly doc: string;
    readonly body: Body;
    readonly act: (body: Body['_output']) => RolloutAct;
    readonly isWayBack?: boolean;
  },
): Route {
  return route({
    method: 'POST',
    path: `/v1/rollouts/:id/${word}`,
    doc,
    isWayBack,
    role: 'switch',
    scope: 'service',
    query: rolloutActQuery,
    body,
    answer: json(rolloutView),
    problems: ACT_PROBLEMS,
    async handle(asked, { rollouts }) {
      const desk = deskOf(rollouts);
      const { id, event, services } = named(asked, desk);
      const { ifMatch, actor, call } = asked;
      checkEvent(id, event, ifMatch);
      const force = 'force' in asked.body && asked.body.force;
      const { reason } = asked.body;
      const service = services.length === 1 ? services[0]!.service : undefined;
      const request = { service, force, reason, ifMatch, actor, call };
      return told(await desk.act(request, id, act(asked.body)));
    },
  });
}

function told(view: { readonly event: number }): Answer {
  return { body: view, tag: view.event };
}

/** Word that stands for the id of the rollout that goes on. */
const CURRENT = 'current';

/** Returns the rollout that a call is about. What its caller may not know of is unknown. */
function named(
  { params, query, only }: Asked<{ readonly service?: string | undefined }, unknown>,
  desk: RolloutDesk,
): RolloutSummary {
  const { service } = query;
  const id = params['id'] ?? '';
  if (id === CURRENT) return current(desk, { service, only });
  const found = desk.view(id);
  const known = mayKnow(found, only);
  const isAbout = found.services.some((one) => one.service === (service ?? one.service));
  if (known === 'none' || !isAbout) throw unknownRollout(`expected a rollout of yours, got ${id}`);
  if (known === 'some') {
    const why = `${id} moves several services, and not all of them are yours`;
    throw new OperatorError('forbidden', why, { members: { services: only } });
  }
  return found;
}

/** Returns the rollout that goes on; one that only drains gives way to one that moves traffic. */
function current(
  desk: RolloutDesk,
  {
    service,
    only,
  }: { readonly service: string | undefined; readonly only: readonly string[] | undefined },
): RolloutSummary {
  const active = desk
    .list({ service, isActive: true })
    .filter((one) => mayKnow(one, only) === 'all');
  const moving = active.filter(({ stage }) => stage !== 'draining');
  const [first, second] = moving.length > 0 ? moving : active;
  if (first === undefined) throw unknownRollout('no rollout goes on');
  if (second === undefined) return first;
  const services = [...new Set(active.flatMap((one) => one.services.map((move) => move.service)))];
  throw new OperatorError('service-required', `several go on: name one of ${services.join(', ')}`, {
    members: { services },
  });
}

/** Returns of how many of its services a caller may know. */
function mayKnow(
  { services }: Pick<RolloutSummary, 'services'>,
  only: readonly string[] | undefined,
): 'all' | 'some' | 'none' {
  const seen = services.filter(({ service }) => only?.includes(service) ?? true);
  if (seen.length === services.length) return 'all';
  return seen.length > 0 ? 'some' : 'none';
}

function unknownRollout(detail: string): OperatorError {
  return new OperatorError('rollout-unknown', detail);
}

/** A release and its targets come together, or not at all. */
function registered(
  {
    release,
    targets,
    evict,
    unlock,
    metadata,
    schema,
  }: Pick<
    typeof rolloutBody._output,
    'release' | 'targets' | 'evict' | 'unlock' | 'metadata' | 'schema'
  >,
  limits: Pick<Asked<unknown, unknown>, 'allow'> & {
    readonly evictIn: readonly string[] | undefined;
  },
) {
  if (release !== undefined && targets !== undefined) {
    return { release, targets, evict, unlock, metadata, schema, ...limits };
  }
  if (release === undefined && targets === undefined) return undefined;
  const why = '"release" and "targets" register a release together; "to" names one that is there';
  throw new OperatorError('body-invalid', why);
}

function deskOf(rollouts: RolloutDesk | undefined): RolloutDesk {
  if (rollouts !== undefined) return rollouts;
  throw new OperatorError('not-ready', 'rollouts are not ready yet');
}

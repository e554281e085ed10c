// The admin API as a table: method, path, shapes, and what is done. The server turns it
// into handlers, openapi.ts into the document; neither knows a single route by name.

import { OperatorError } from '../../base/problems.ts';
import { plainRollback } from '../../deployments/change-request.ts';
import { switchAnswerJson, switchesAnswerJson } from '../../deployments/change.ts';
import { checkAnswer } from '../../../api/alarms.ts';
import { migrateNeedsHold } from '../../switching/holding/migrations.ts';
import type { AdminParts } from './admin-parts.ts';
import { checkView } from './alarms-view.ts';
import { AUDIT_ROUTE } from './audit-route.ts';
import { FREEZE_ROUTES } from './freeze-routes.ts';
import { FREEZES_ROUTE } from './freezes-route.ts';
import { dueAt, SCHEDULED_ROUTES } from './scheduled-routes.ts';
import { SCHEDULE_GRACE_DEFAULT_MS } from '../../../api/api-limits.ts';
import { LIVE_ROUTES } from './live-routes.ts';
import { openApiDocument } from './openapi.ts';
import {
  CHANGE_PROBLEMS,
  isSeen,
  json,
  MOVE_PROBLEMS,
  oneService,
  route,
  told,
  type Route,
} from './route.ts';
import { noBody, noQuery, serviceQuery } from '../../../api/shared-fields.ts';
import {
  liveAnswer,
  readyAnswer,
  openApiAnswer,
  reloadAnswer,
  reloadBody,
  upgradeAnswer,
} from '../../../api/process.ts';
import type { RolloutStage } from '../../../api/rollout-views.ts';
import { statusAnswer } from '../../../api/status-answer.ts';
import {
  historyAnswer,
  historyQuery,
  rollbackBody,
  switchAnswer,
  switchAnyAnswer,
  switchBody,
} from '../../../api/switching.ts';
import { DEPLOYMENT_ROUTES } from './deployment-routes.ts';
import { DRY_RUN_ROUTE } from './dry-run-route.ts';
import { ROLLOUT_ROUTES } from './rollout-routes.ts';
import { SCALE_ROUTE } from './scale-route.ts';
import { SERVICE_ROUTES } from './service-routes.ts';
import { TOKEN_ROUTES } from './token-routes.ts';
import { historyView, readyView, statusView } from './views.ts';

const RELOAD_PROBLEMS = [
  ...(['config-invalid', 'certificate-invalid', 'restart-required'] as const),
  ...(['reload-unavailable'] as const),
  ...(['listener-unavailable', 'address-in-use', 'target-invalid', 'target-not-allowed'] as const),
];

const ABOUT_ONE_SERVICE: ReadonlySet<string> = new Set(
  'service-required service-unknown reason-required target-unhealthy'.split(' '),
);

/** Stages in which no traffic has moved yet. */
const BEFORE_TRAFFIC: ReadonlySet<RolloutStage | undefined> = new Set<RolloutStage>([
  'registered',
  'warming',
  'testing',
  'gated',
]);

export const ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/status',
    doc: 'Tells what is active, how every target is, and what flows.',
    role: 'read',
    scope: 'services',
    query: serviceQuery,
    body: undefined,
    answer: json(statusAnswer),
    problems: ['query-invalid', 'service-unknown'],
    async handle({ query, only }, parts) {
      const named = servicesAsked(query.service, only, parts);
      const { services, ...rest } = await statusView(parts, named);
      return { body: { ...rest, services }, generation: rest.generation };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/check',
    doc: 'Tells in short whether requests are served, and what is wrong; for monitoring.',
    role: 'read',
    scope: 'services',
    query: serviceQuery,
    body: undefined,
    answer: json(checkAnswer),
    problems: ['query-invalid', 'service-unknown'],
    async handle({ query, only }, parts) {
      return { body: checkView(parts, servicesAsked(query.service, only, parts)) };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/switch',
    doc: 'Makes what is on a color, a release or a kept deployment the active one; from then on no new request reaches the other.',
    goesOn: true,
    role: 'switch',
    scope: 'service',
    query: serviceQuery,
    body: switchBody,
    answer: json(switchAnyAnswer),
    problems: [
      ...MOVE_PROBLEMS,
      ...(['hold-timeout', 'plan-invalid', 'rollout-running', 'no-release'] as const),
      ...(['gate-failed', 'gate-unknown', 'not-ready'] as const),
      'too-many-scheduled',
    ],
    async handle({ query, body, ifMatch, actor, call }, { switchboard, rollouts, scheduler }) {
      const { to, force, reason, hold: holdMs, migrate, services, dryRun } = body;
      const service = oneService(query.service, body.service);
      const asked = { service, to, force, reason, holdMs, migrate, ifMatch, actor, call, dryRun };
      if (migrate !== undefined && holdMs === 0) throw migrateNeedsHold();
      if (services !== undefined && service !== undefined) throw twoWays();
      const { plan, bake: bakeMs, guard } = body;
      const atMs = dueAt(body);
      if (atMs !== undefined && !dryRun) {
        const { grace: graceMs = SCHEDULE_GRACE_DEFAULT_MS } = body;
        const wanted = { ...asked, services, plan, bakeMs, guard, atMs, graceMs };
        return { ...told(await scheduler.order(wanted)), status: 202 };
      }
      if (rollouts !== undefined) {
        const terms = { ...asked, plan, bakeMs, guard };
        const answer =
          services === undefined
            ? await rollouts.switchNow(terms)
            : await rollouts.switchAllNow(services, terms);
        const isBefore = BEFORE_TRAFFIC.has(answer.rollout?.stage);
        return isBefore ? { ...told(answer, dryRun), status: 202 } : told(answer, dryRun);
      }
      if ((plan ?? bakeMs ?? guard) !== undefined) {
        throw new OperatorError('not-ready', 'rollouts are not ready yet');
      }
      if (services !== undefined) {
        const answers = await switchboard.switchAll(services, asked);
        return told(switchesAnswerJson(answers), dryRun);
      }
      return told(switchAnswerJson(await switchboard.switch(asked)), dryRun);
    },
  }),
  route({
    method: 'POST',
    path: '/v1/rollback',
    doc: 'Takes the last switch back, or goes back to a kept deployment.',
    isWayBack: true,
    role: 'switch',
    scope: 'service',
    query: serviceQuery,
    body: rollbackBody,
    answer: json(switchAnswer),
    problems: [...MOVE_PROBLEMS, 'nothing-to-roll-back-to'],
    async handle({ query, body, ifMatch, actor, call, only }, { switchboard, rollouts }) {
      const service = oneService(query.service, body.service);
      const asked = { ...body, service, ifMatch, actor, call, only };
      if (rollouts !== undefined) return told(await rollouts.rollback(asked), body.dryRun);
      return told(switchAnswerJson(await switchboard.rollback(plainRollback(asked))), body.dryRun);
    },
  }),
  ...LIVE_ROUTES,
  ...SERVICE_ROUTES,
  ...DEPLOYMENT_ROUTES,
  SCALE_ROUTE,
  DRY_RUN_ROUTE,
  ...ROLLOUT_ROUTES,
  ...FREEZE_ROUTES,
  FREEZES_ROUTE,
  ...SCHEDULED_ROUTES,
  ...TOKEN_ROUTES,
  route({
    method: 'POST',
    path: '/v1/reload',
    doc: 'Reads the configuration again; all of it comes into force at once, or nothing.',
    role: 'admin',
    scope: 'process',
    query: noQuery,
    body: reloadBody,
    answer: json(reloadAnswer),
    problems: [
      ...RELOAD_PROBLEMS,
      ...CHANGE_PROBLEMS.filter((code) => !ABOUT_ONE_SERVICE.has(code)),
    ],
    async handle({ body: { dryRun, reason }, ifMatch, actor, call }, { reloader }) {
      const asked = { service: undefined, force: false, reason, ifMatch, actor, call, dryRun };
      const answer = await reloader.reload(asked);
      return { body: answer, generation: answer.generation, isDryRun: dryRun };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/upgrade',
    doc: 'Starts this program anew, as it is on the disk now; the new process takes over.',
    role: 'admin',
    scope: 'process',
    query: noQuery,
    body: noBody,
    answer: json(upgradeAnswer),
    isLast: true,
    problems: ['upgrade-failed', 'upgrade-unavailable', 'upgrading', 'stopping', 'frozen'],
    async handle(_asked, { upgrade }) {
      const { pid, version, tookMs } = await upgrade();
      return { body: { pid, version, tookMs: Math.round(tookMs) } };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/history',
    doc: 'Lists the switches, the latest first.',
    role: 'read',
    scope: 'services',
    query: historyQuery,
    body: undefined,
    answer: json(historyAnswer),
    problems: ['query-invalid'],
    async handle({ query: { service, limit }, only }, { store }) {
      const named = service === undefined ? only : [service];
      const all = (named ?? [undefined]).flatMap((one) => store.history({ service: one, limit }));
      const latest = all.toSorted((a, b) => b.epoch - a.epoch).slice(0, limit);
      return { body: { switches: latest.map(historyView) } };
    },
  }),
  AUDIT_ROUTE,
  route({
    method: 'GET',
    path: '/livez',
    doc: 'Answers while the control plane lives.',
    role: 'none',
    scope: 'nothing',
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
    doc: 'Says 503 until this process takes traffic, and from the moment a stop begins; how targets are does not matter.',
    role: 'none',
    scope: 'nothing',
    query: noQuery,
    body: undefined,
    answer: json(readyAnswer),
    problems: ['not-ready'],
    async handle(_asked, parts) {
      return { body: readyView(parts) };
    },
  }),
  route({
    method: 'GET',
    path: '/metrics',
    doc: 'Gives all series as Prometheus text.',
    role: 'read',
    scope: 'process',
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
    role: 'read',
    scope: 'nothing',
    query: noQuery,
    body: undefined,
    answer: json(openApiAnswer),
    problems: [],
    async handle(_asked, { version }) {
      return { body: openApiDocument(ROUTES, version) };
    },
  }),
];

function twoWays(): OperatorError {
  return new OperatorError(
    'body-invalid',
    'name services by "service" or by "services", not by both',
  );
}

/** Returns the services that a query is about, of those that the caller may know of. */
function servicesAsked(
  wanted: string | undefined,
  only: readonly string[] | undefined,
  { switchboard }: Pick<AdminParts, 'switchboard'>,
): readonly string[] | undefined {
  const seen = switchboard.table.services.filter(({ name }) => isSeen(name, only));
  if (!seen.some(({ name }) => name === (wanted ?? name))) throw unknownService(seen);
  return wanted === undefined ? only : [wanted];
}

function unknownService(services: readonly { readonly name: string }[]): OperatorError {
  const names = services.map(({ name }) => name);
  return new OperatorError('service-unknown', `expected one of: ${names.join(', ')}`, {
    members: { services: names },
  });
}

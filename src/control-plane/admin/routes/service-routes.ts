// The rows of the API that are about one service beside its active color: releases, drains, holds,
// maintenance.

import { epochMs } from '../../../base/clock.ts';
import { COLORS, type Color, type RoutingTable, type Service } from '../../../contract/table.ts';
import { OperatorError } from '../../base/problems.ts';
import type { Switchboard } from '../../switching/switchboard.ts';
import { findService } from '../../deployments/change-request.ts';
import {
  CHANGE_PROBLEMS,
  json,
  oneService,
  REGISTER_PROBLEMS,
  route,
  told,
  type Answer,
  type Asked,
  type Route,
} from './route.ts';
import { drainAnswer, drainBody, drainQuery } from '../../../api/draining.ts';
import { changeAnswer, serviceQuery, type ChangeAnswer } from '../../../api/shared-fields.ts';
import {
  gateAnswer,
  holdBody,
  maintenanceBody,
  resumeBody,
  type GateAnswer,
} from '../../../api/holding.ts';
import { releaseAnswer, releaseBody } from '../../../api/releases.ts';
import { noReturnBody, schemaBody, unlockBody } from '../../../api/switching.ts';
import { timeText } from '../../base/time-text.ts';
import { drainView } from './views.ts';

export const SERVICE_ROUTES: readonly Route[] = [
  ...COLORS.map((color) => releaseRoute(color)),
  route({
    method: 'POST',
    path: '/v1/unlock',
    doc: 'Lets a release be switched to again that a rollback has locked out.',
    role: 'switch',
    scope: 'service',
    query: serviceQuery,
    body: unlockBody,
    answer: json(changeAnswer),
    problems: CHANGE_PROBLEMS,
    async handle(asked, { switchboard }) {
      return changed(await switchboard.unlock(changeOf(asked), asked.body.color));
    },
  }),
  route({
    method: 'POST',
    path: '/v1/point-of-no-return',
    doc: 'Refuses the way back from what is active, until another release is; or allows it again.',
    role: 'switch',
    scope: 'service',
    query: serviceQuery,
    body: noReturnBody,
    answer: json(changeAnswer),
    problems: CHANGE_PROBLEMS,
    async handle(asked, { switchboard }) {
      const { on, reason } = asked.body;
      const noReturn = on ? { actor: asked.actor, reason, atMs: epochMs() } : undefined;
      return changed(await switchboard.noReturn.set(changeOf(asked), noReturn));
    },
  }),
  route({
    method: 'POST',
    path: '/v1/schema',
    doc: 'States the schema that the data of a service have, as after the restore of a backup.',
    role: 'switch',
    scope: 'service',
    query: serviceQuery,
    body: schemaBody,
    answer: json(changeAnswer),
    problems: CHANGE_PROBLEMS,
    async handle(asked, { switchboard }) {
      const { schema } = asked.body;
      return changed(await switchboard.dataSchema.state(changeOf(asked), schema ?? undefined));
    },
  }),
  route({
    method: 'GET',
    path: '/v1/drain',
    doc: 'Tells what is left of each deployment that drains, and waits for the end if asked.',
    role: 'read',
    scope: 'services',
    query: drainQuery,
    body: undefined,
    answer: json(drainAnswer),
    problems: ['query-invalid', 'service-unknown', 'busy'],
    async handle({ query: { wait, ...filter }, only }, { drains, switchboard }) {
      const { service } = filter;
      if (service !== undefined) findService(switchboard.table, service);
      if (wait > 0) await drains.wait(filter, wait);
      return { body: drainView(drains, filter, only) };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/drain',
    doc: 'Evicts: ends drains now. Sessions move over, connections close, requests finish.',
    role: 'switch',
    scope: 'service',
    query: serviceQuery,
    body: drainBody,
    answer: json(changeAnswer),
    problems: [...CHANGE_PROBLEMS, 'drain-unknown'],
    async handle(asked, { switchboard }) {
      const { generation, deployment = ofGeneration(switchboard.table, generation) } = asked.body;
      const answer = await switchboard.evict(changeOf(asked), deployment);
      return changed(answer);
    },
  }),
  route({
    method: 'POST',
    path: '/v1/hold',
    doc: 'Lets new requests wait, at most for the given time; tells what still runs.',
    role: 'switch',
    scope: 'service',
    query: serviceQuery,
    body: holdBody,
    answer: json(gateAnswer),
    problems: CHANGE_PROBLEMS,
    async handle(asked, { switchboard }) {
      const { methods, for: forMs, wait, close } = asked.body;
      if (methods === 'writes' && wait > 0) throw endlessWait();
      const untilMs = epochMs() + forMs;
      const hold = { methods, untilMs, closesLongLived: close };
      const answer = await switchboard.hold(changeOf(asked), hold);
      const isOn = (service: Service): boolean =>
        service.hold?.untilMs === untilMs && untilMs > epochMs();
      return await withRunning(switchboard, answer, { wait, isOn, untilMs });
    },
  }),
  resumeRoute('/v1/resume', {}),
  resumeRoute('/v1/release', { isOldName: true }),
  route({
    method: 'POST',
    path: '/v1/maintenance',
    doc: 'Begins or ends maintenance: a clear 503 for everything but the health path; tells what runs.',
    role: 'switch',
    scope: 'service',
    query: serviceQuery,
    body: maintenanceBody,
    answer: json(gateAnswer),
    problems: CHANGE_PROBLEMS,
    async handle(asked, { switchboard }) {
      const { on, message, retryAfter, wait, close } = asked.body;
      const retryAfterSeconds = Math.ceil(retryAfter / 1_000);
      const closing = close ? { closesLongLived: true } : {};
      const maintenance = on ? { message, retryAfterSeconds, ...closing } : undefined;
      const answer = await switchboard.maintain(changeOf(asked), maintenance);
      const ends = { isOn: isInMaintenance, untilMs: undefined };
      return await withRunning(switchboard, answer, { wait, ...ends });
    },
  }),
];

function releaseRoute(color: Color): Route {
  return route({
    method: 'PUT',
    path: `/v1/releases/${color}`,
    doc: `Registers a release on ${color}, which must be idle; traffic stays where it is.`,
    role: 'switch',
    scope: 'service',
    query: serviceQuery,
    body: releaseBody,
    answer: json(releaseAnswer),
    problems: REGISTER_PROBLEMS,
    async handle(asked, { switchboard }) {
      const { release, targets, evict, unlock, metadata, schema, dryRun } = asked.body;
      const named = { color, release, targets, unlock, metadata, schema };
      // What another service has ends only for a caller that may change that, too.
      const wanted = { ...named, evict, evictIn: asked.only, allow: asked.allow };
      const answer = await switchboard.register({ ...changeOf(asked), dryRun }, wanted);
      return told(answer, dryRun);
    },
  });
}

function resumeRoute(path: string, { isOldName = false }: Pick<Route, 'isOldName'>): Route {
  return route({
    method: 'POST',
    path,
    doc: 'Ends a hold, also that of a switch: the requests that wait go on, in the order they came.',
    isOldName,
    isWayBack: true,
    role: 'switch',
    scope: 'service',
    query: serviceQuery,
    body: resumeBody,
    answer: json(changeAnswer),
    problems: CHANGE_PROBLEMS,
    async handle(asked, { switchboard }) {
      return changed(await switchboard.endHold(changeOf(asked)));
    },
  });
}

/** Returns what every change says of itself. */
export function changeOf({
  query,
  body,
  ifMatch,
  actor,
  call,
}: Asked<
  { readonly service?: string | undefined },
  { readonly service?: string | undefined; readonly reason: string }
>) {
  const service = oneService(query.service, body.service);
  return { service, force: false, reason: body.reason, ifMatch, actor, call };
}

function changed(answer: ChangeAnswer) {
  return { body: answer, generation: answer.generation };
}

/** Returns the deployment that drains and last became active in `generation`; undefined: all do. */
function ofGeneration(
  { services }: RoutingTable,
  generation: number | undefined,
): number | undefined {
  if (generation === undefined) return undefined;
  const draining = services.flatMap((service) => service.draining);
  const found = draining.find(({ deployment }) => deployment.servedSince === generation);
  return found?.deployment.number ?? NO_DEPLOYMENT;
}

/** A number that no deployment has. */
const NO_DEPLOYMENT = -1;

function isInMaintenance({ maintenance }: Service): boolean {
  return maintenance !== undefined;
}

/** Reads go on coming, and are among what runs. */
function endlessWait(): OperatorError {
  const why = 'reads go on where only writes are held, so nothing would tell that all writes ended';
  return new OperatorError('body-invalid', `"wait" needs "methods": "all": ${why}`);
}

/** Adds what still runs to the answer of a change that holds or shuts a service; waits if asked. */
async function withRunning(
  switchboard: Switchboard,
  answer: ChangeAnswer,
  {
    wait,
    isOn,
    untilMs,
  }: {
    readonly wait: number;
    readonly isOn: (service: Service) => boolean;
    /** When it ends by itself; undefined: it does not. */
    readonly untilMs: number | undefined;
  },
): Promise<Answer> {
  // A worker that is late holds nothing yet, and what it lets through is counted.
  await switchboard.settled().catch(() => {});
  const still = await switchboard.running.until(answer.service, wait, isOn);
  const { isOn: isStillOn, leftBehind = null, oldest, ...counts } = still;
  const body: GateAnswer = {
    ...answer,
    until: untilMs === undefined ? null : timeText(untilMs),
    isOn: isStillOn,
    running: { ...counts, leftBehind, oldest: [...oldest] },
  };
  return { body, generation: answer.generation };
}

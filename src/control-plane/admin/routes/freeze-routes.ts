// The rows of the API that stop switching, of all services or of one, and let it go on.

import { epochMs } from '../../../base/clock.ts';
import { jsonText } from '../../base/json-text.ts';
import {
  CHANGE_PROBLEMS,
  json,
  oneService,
  route,
  type Answer,
  type Asked,
  type Route,
} from './route.ts';
import type { Freeze } from '../../store/store.ts';
import type { AdminParts } from './admin-parts.ts';
import { serviceQuery } from '../../../api/shared-fields.ts';
import { freezeAnswer, freezeBody, unfreezeBody } from '../../../api/switching.ts';
import { calledOffByFreeze } from '../../switching/checks/switching-freeze.ts';
import { freezeView } from './views.ts';

const NOT_OF_A_FREEZE = new Set(['service-required', 'no-targets', 'no-slot']);
const PROBLEMS = CHANGE_PROBLEMS.filter((code) => !NOT_OF_A_FREEZE.has(code));

export const FREEZE_ROUTES: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/freeze',
    doc: 'Stops switching, of all services or of one, until it is unfrozen; also after a restart.',
    role: 'switch',
    scope: 'named',
    query: serviceQuery,
    body: freezeBody,
    answer: json(freezeAnswer),
    problems: PROBLEMS,
    async handle(asked, parts) {
      const { actor, body } = asked;
      const freeze = { reason: body.reason, actor, atMs: epochMs() };
      return await changeWhat(asked, parts, freeze);
    },
  }),
  route({
    method: 'POST',
    path: '/v1/unfreeze',
    doc: 'Lets switching go on.',
    role: 'switch',
    scope: 'named',
    query: serviceQuery,
    body: unfreezeBody,
    answer: json(freezeAnswer),
    problems: PROBLEMS,
    async handle(asked, parts) {
      return await changeWhat(asked, parts, undefined);
    },
  }),
];

interface Named {
  readonly service?: string | undefined;
}

/** Begins a freeze, or ends it (undefined): that of one service, or of all switching. */
async function changeWhat(
  asked: Asked<Named, Named & { readonly reason: string }>,
  parts: AdminParts,
  freeze: Freeze | undefined,
): Promise<Answer> {
  const service = oneService(asked.query.service, asked.body.service);
  if (service === undefined) return await change(asked, parts, freeze);
  const { switchboard, liveParts } = parts;
  const { body, ifMatch, actor, call } = asked;
  const request = { service, force: false, reason: body.reason, ifMatch, actor, call };
  const answer = await switchboard.serviceFreezes.set(request, freeze);
  const { generation, calledOff } = answer;
  // That something was called off is no change of the freeze.
  const now = switchboard.freeze.of(service);
  const changed = answer.changed && (freeze === undefined || now?.atMs === freeze.atMs);
  if (changed) liveParts.news.frozen(freeze, actor, service);
  const told = calledOff === undefined ? {} : { calledOff };
  return { body: { generation, service, freeze: freezeView(now), changed, ...told }, generation };
}

/** The same of all switching; what is written down is stored with it. */
async function change(
  asked: Asked<unknown, unknown>,
  { switchboard, liveParts, log }: AdminParts,
  freeze: Freeze | undefined,
): Promise<Answer> {
  const { call, actor } = asked;
  const answer = await switchboard.between(asked, async () => {
    const { epoch: generation } = switchboard.table;
    const made = answerOf(freeze, generation, true);
    const body = jsonText(made);
    const end = { outcome: 'done', status: 200, generation, body } as const;
    const isNew = await switchboard.freeze.set(freeze, () => call.notes(end));
    return isNew ? made : answerOf(switchboard.freeze.current, generation, false);
  });
  if (answer.changed) {
    call.recorded();
    liveParts.news.frozen(freeze, actor);
    log.warn(
      { actor, reason: freeze?.reason },
      freeze === undefined ? 'switching goes on' : 'all switching is frozen',
    );
  }
  const calledOff =
    freeze === undefined ? [] : switchboard.changes.callOffHolds(calledOffByFreeze(freeze));
  const told = calledOff.length === 0 ? {} : { calledOff };
  return { body: { ...answer, ...told }, generation: answer.generation };
}

function answerOf(freeze: Freeze | undefined, generation: number, changed: boolean) {
  return { generation, freeze: freezeView(freeze), changed };
}

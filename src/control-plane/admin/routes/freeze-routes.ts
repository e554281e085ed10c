// The rows of the API that stop all switching of the process, and let it go on.

import { epochMs } from '../../../base/clock.ts';
import { jsonText } from '../../base/json-text.ts';
import { CHANGE_PROBLEMS, json, route, type Answer, type Asked, type Route } from './route.ts';
import type { Freeze } from '../../store/store.ts';
import type { AdminParts } from './admin-parts.ts';
import { noQuery } from '../../../api/shared-fields.ts';
import { freezeAnswer, freezeBody, unfreezeBody } from '../../../api/switching.ts';
import { freezeView } from './views.ts';

const NOT_OF_A_SERVICE = new Set(['service-required', 'service-unknown', 'no-targets', 'no-slot']);
const PROBLEMS = CHANGE_PROBLEMS.filter((code) => !NOT_OF_A_SERVICE.has(code));

export const FREEZE_ROUTES: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/freeze',
    doc: 'Stops all switching of the process until it is unfrozen; also after a restart.',
    role: 'switch',
    scope: 'process',
    query: noQuery,
    body: freezeBody,
    answer: json(freezeAnswer),
    problems: PROBLEMS,
    async handle(asked, parts) {
      const { actor, body } = asked;
      return await change(asked, parts, { reason: body.reason, actor, atMs: epochMs() });
    },
  }),
  route({
    method: 'POST',
    path: '/v1/unfreeze',
    doc: 'Lets switching go on.',
    role: 'switch',
    scope: 'process',
    query: noQuery,
    body: unfreezeBody,
    answer: json(freezeAnswer),
    problems: PROBLEMS,
    async handle(asked, parts) {
      return await change(asked, parts, undefined);
    },
  }),
];

/** Begins a freeze, or ends it (undefined); what is written down is stored with it. */
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
  return { body: answer, generation: answer.generation };
}

function answerOf(freeze: Freeze | undefined, generation: number, changed: boolean) {
  return { generation, freeze: freezeView(freeze), changed };
}

// The row of the API that tells what several changes would be refused for, before the first is made.

import { dryRunAnswer, dryRunBody } from '../../../api/dry-runs.ts';
import { noQuery } from '../../../api/shared-fields.ts';
import { OperatorError } from '../../base/problems.ts';
import { isSeen, json, route, type Route } from './route.ts';

export const DRY_RUN_ROUTE: Route = route({
  method: 'POST',
  path: '/v1/dry-run',
  doc: 'Tells what would be refused of several changes, one after the other; changes nothing.',
  role: 'switch',
  scope: 'services',
  query: noQuery,
  body: dryRunBody,
  answer: json(dryRunAnswer),
  problems: [
    ...(['body-invalid', 'json-malformed', 'query-invalid', 'if-match-malformed'] as const),
    ...(['body-too-large', 'content-type-not-json', 'generation-mismatch', 'busy'] as const),
    ...(['frozen', 'stopping', 'upgrading', 'outcome-unknown'] as const),
    ...(['idempotency-key-malformed', 'idempotency-mismatch', 'idempotency-running'] as const),
  ],
  async handle({ body: { steps }, ifMatch, actor, call, only, allow }, { switchboard }) {
    const hidden = steps.find(({ service }) => !isSeen(service, only));
    if (hidden !== undefined) throw notAllowed(hidden.service, actor, only ?? []);
    const asked = { service: undefined, force: false, reason: '', ifMatch, actor, call };
    const refusals = await switchboard.dryRun(
      asked,
      steps.map((step) => ({ ...step, allow })),
    );
    const { epoch: generation } = switchboard.table;
    return { body: { generation, refusals }, generation, isDryRun: true };
  },
});

function notAllowed(service: string, actor: string, services: readonly string[]): OperatorError {
  const why = `it is about ${service}; ${actor} is good for ${services.join(', ')} only`;
  return new OperatorError('forbidden', why, { members: { services } });
}

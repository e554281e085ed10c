// The row of the API that gives a deployment other targets while it serves.

import { targetsAnswer, targetsBody } from '../../../api/deployment-targets.ts';
import { serviceQuery } from '../../../api/shared-fields.ts';
import { CHANGE_PROBLEMS, json, oneService, route, type Route } from './route.ts';

export const SCALE_ROUTE: Route = route({
  method: 'PUT',
  path: '/v1/deployments/:deployment/targets',
  doc: 'Gives a deployment other targets, named by number, release or color; at least one must stay.',
  role: 'switch',
  scope: 'service',
  query: serviceQuery,
  body: targetsBody,
  answer: json(targetsAnswer),
  problems: [
    ...CHANGE_PROBLEMS,
    ...(['deployment-unknown', 'replaces-all-targets'] as const),
    ...(['target-invalid', 'target-not-allowed', 'address-in-use'] as const),
  ],
  async handle({ params, query, body, ifMatch, actor, call, allow }, { switchboard }) {
    const { targets, reason } = body;
    const service = oneService(query.service, body.service);
    const request = { service, force: false, reason, ifMatch, actor, call };
    const to = params['deployment']!;
    const answer = await switchboard.scaling.scale(request, { to, targets, allow });
    return { body: answer, generation: answer.generation };
  },
});

// The rows of the API that are about deployments: which are kept, and links that show one.

import { epochMs } from '../../../base/clock.ts';
import { previewCookieName, sessionCookieName } from '../../../contract/cookie-names.ts';
import { PREVIEW_FIELD, previewToken } from '../../../contract/preview-token.ts';
import { previewSigner } from '../../../contract/signing.ts';
import { otherColor } from '../../../contract/table.ts';
import { printAddress } from '../../../contract/worker-settings.ts';
import {
  deploymentsAnswer,
  previewAnswer,
  previewBody,
  previewRevokeBody,
} from '../../../api/releases.ts';
import { changeAnswer, serviceQuery } from '../../../api/shared-fields.ts';
import { colorWith } from '../../store/service-state.ts';
import { findService } from '../../deployments/change-request.ts';
import { deploymentViews } from './deployment-views.ts';
import { CHANGE_PROBLEMS, isSeen, json, oneService, route, type Route } from './route.ts';
import { changeOf } from './service-routes.ts';
import { timeText } from '../../base/time-text.ts';

const PREVIEW_PROBLEMS = [
  ...CHANGE_PROBLEMS,
  ...(['deployment-unknown', 'release-locked-out', 'address-in-use'] as const),
];

export const DEPLOYMENT_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/deployments',
    doc: 'Lists the deployments that are in use or kept, and what stands in the way of each.',
    role: 'read',
    scope: 'services',
    query: serviceQuery,
    body: undefined,
    answer: json(deploymentsAnswer),
    problems: ['query-invalid', 'service-unknown'],
    async handle({ query: { service }, only }, { switchboard }) {
      const { table, states } = switchboard;
      if (service !== undefined) findService(table, service);
      const wanted = table.services.filter(
        ({ name }) => name === (service ?? name) && isSeen(name, only),
      );
      const deployments = wanted
        .flatMap(({ name }) => deploymentViews(states.get(name)!))
        .toSorted((a, b) => b.deployment - a.deployment);
      return { body: { generation: table.epoch, deployments }, generation: table.epoch };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/preview',
    doc: 'Gives a token that opens one deployment on the main listener: the idle one, or any kept.',
    role: 'switch',
    scope: 'service',
    query: serviceQuery,
    body: previewBody,
    answer: json(previewAnswer),
    problems: [...PREVIEW_PROBLEMS, 'too-many-previews'],
    async handle(asked, { switchboard, keys, instance, workers }) {
      const { body, query } = asked;
      const service = findService(switchboard.table, oneService(query.service, body.service));
      const of = body.of ?? otherColor(service.active);
      const { deployment } = await switchboard.previews.open(changeOf(asked), of);
      const { number, release, previewSeries } = deployment;
      const expiresS = body.lasting ? 0 : Math.ceil((epochMs() + body.for) / 1_000);
      const scope = { service: service.name, deployment: number, previewSeries };
      const token = previewToken(previewSigner(keys()), scope, expiresS);
      const { previewAddress } = workers;
      const view = {
        service: service.name,
        color: colorWith(switchboard.states.get(service.name)!, number) ?? null,
        release,
        deployment: number,
        token,
        expiresAt: expiresS === 0 ? null : timeText(expiresS * 1_000),
        field: PREVIEW_FIELD,
        cookie: previewCookieName(sessionCookieName(instance, service)),
        listen: previewAddress === undefined ? null : printAddress(previewAddress),
      };
      return { body: view, remembered: { ...view, token: null } };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/preview/revoke',
    doc: 'Ends every preview token of one deployment that was given so far.',
    role: 'switch',
    scope: 'service',
    query: serviceQuery,
    body: previewRevokeBody,
    answer: json(changeAnswer),
    problems: [...CHANGE_PROBLEMS, 'deployment-unknown'],
    async handle(asked, { switchboard }) {
      const answer = await switchboard.previews.revoke(changeOf(asked), asked.body.of);
      return { body: answer, generation: answer.generation };
    },
  }),
];

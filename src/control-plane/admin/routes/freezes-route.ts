// The row of the API that tells of freeze windows.

import { freezesAnswer } from '../../../api/freeze-windows.ts';
import { serviceQuery } from '../../../api/shared-fields.ts';
import { findService } from '../../deployments/change-request.ts';
import { isSeen, json, route } from './route.ts';
import { freezeView } from './views.ts';
import { windowsView } from './windows-view.ts';

export const FREEZES_ROUTE = route({
  method: 'GET',
  path: '/v1/freezes',
  doc: 'Lists the freeze windows of each service: which is in force, until when, and which is next.',
  role: 'read',
  scope: 'services',
  query: serviceQuery,
  body: undefined,
  answer: json(freezesAnswer),
  problems: ['query-invalid', 'service-unknown'],
  async handle({ query: { service }, only }, { switchboard, freezeWindows }) {
    const { table, freeze } = switchboard;
    const { epoch: generation } = table;
    const asked = service === undefined ? table.services : [findService(table, service)];
    const services = asked
      .filter(({ name }) => isSeen(name, only))
      .map(({ name }) => {
        const [ofAll = [], own = []] = freezeWindows(name);
        const windows = [
          ...ofAll.map(({ when, reason }) => ({ when, reason, scope: 'all' as const })),
          ...own.map(({ when, reason }) => ({ when, reason, scope: 'service' as const })),
        ];
        const frozen = freezeView(freeze.of(name));
        return { service: name, freeze: frozen, ...windowsView(freeze.windows(name)), windows };
      });
    return { body: { generation, freeze: freezeView(freeze.current), services }, generation };
  },
});

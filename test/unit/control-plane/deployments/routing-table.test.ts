// Configuration and states → the table that workers go by.

import t from 'tap';
import type { ServiceConfig } from '../../../../src/config/config.ts';
import { deploymentsOf, type Service } from '../../../../src/contract/table.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import type { ServiceState } from '../../../../src/control-plane/store/service-state.ts';
import { routingTable } from '../../../../src/control-plane/deployments/routing-table.ts';
import { QUIET, serviceConfig, settings } from '../support/fixtures.ts';
import { deployment, SERVICE, serviceState } from '../support/stored.ts';

const CONFIG = serviceConfig();

const DRAIN = { startedAtMs: 1, sessionsUntilMs: 2, endsAtMs: 3, longLived: 'linger' } as const;

/** Returns the only service of the table of `state`. */
function made(
  state: ServiceState,
  config: ServiceConfig = CONFIG,
  slots = new Slots(QUIET),
): Service {
  const states = new Map([[state.name, state]]);
  return routingTable({ version: 3, epoch: 2, configs: [config], states }, slots).services[0]!;
}

await t.test('a table has its numbers, and settings where there are new ones', async (t) => {
  const parts = { version: 7, epoch: 4, configs: [], states: new Map() };
  t.strictSame(routingTable(parts, new Slots(QUIET)), { version: 7, epoch: 4, services: [] });
  const given = settings();
  t.equal(routingTable({ ...parts, settings: given }, new Slots(QUIET)).settings, given);
});

await t.test('routes and policy are as configured, all else as it is stored', async (t) => {
  const hold = { methods: 'writes', untilMs: 5, closesLongLived: false } as const;
  const maintenance = { message: 'soon', retryAfterSeconds: 5 };
  const state = serviceState({ active: 'green', hold, maintenance, legacy: [[4, 2]] });
  const { hosts, paths, policy } = { ...CONFIG, hosts: ['a.example'], paths: ['/api'] };
  const service = made(state, { ...CONFIG, active: 'blue', hosts, paths });
  t.match(service, { name: 'default', active: 'green', hosts, paths, policy, hold, maintenance });
  t.strictSame(service.legacy, [[4, 2]]);
});

await t.test('an idle deployment whose address another release has leads nowhere', async (t) => {
  const takenOver = { service: 'bank', deployment: 9, release: 'b1' };
  const [blue, green] = SERVICE.deployments.map((one) => ({ ...one, takenOver }));
  const service = made(serviceState({ deployments: [blue!, green!] }));
  t.match(service.green, { number: 2, release: 'v2' });
  t.strictSame(service.green.endpoints, [], 'neither the checks nor a preview go there');
  t.equal(service.blue.endpoints.length, 1, 'what was forced to be active stays where it is');
});

await t.test(
  'every deployment that a state names is there, with what is stored of it',
  async (t) => {
    const kept = [3, 4, 5].map((number) => deployment(number, { servedSince: number - 2 }));
    const shown = deployment(6, { previewSeries: 9, urls: ['unix:/run/app.sock'] });
    const service = made(
      serviceState({
        deployments: [...SERVICE.deployments, ...kept, shown],
        draining: [
          { deployment: 3, ...DRAIN },
          { deployment: 5, ...DRAIN },
        ],
        previewed: [6],
      }),
    );
    t.match(service.blue, { number: 1, color: 'blue', release: 'v1', servedSince: 1 });
    t.match(service.green, {
      number: 2,
      color: 'green',
      servedSince: 0,
      endpoints: [
        {
          deployment: 2,
          url: 'http://127.0.0.1:3002',
          address: { kind: 'tcp', host: '127.0.0.1', port: 3002 },
          authority: '127.0.0.1:3002',
        },
      ],
    });
    t.match(service.draining, [
      { ...DRAIN, deployment: { number: 3, servedSince: 1 } },
      { ...DRAIN, deployment: { number: 5, servedSince: 3 } },
    ]);
    t.match(service.previewed, [
      { number: 6, previewSeries: 9, endpoints: [{ address: { kind: 'unix' } }] },
    ]);
    t.notOk(
      deploymentsOf(service).some(({ number }) => number === 4),
      'what is only kept is not',
    );
  },
);

await t.test('a color without a deployment has a block and nothing else', async (t) => {
  const { green } = made(serviceState({ green: { deployment: 0, configured: '' } }));
  t.strictSame(green, {
    number: 0,
    color: 'green',
    release: '',
    block: 2,
    endpoints: [],
    servedSince: 0,
    previewSeries: 0,
    lockedOut: undefined,
  });
});

await t.test(
  'each deployment has a block, and each of its addresses a slot, of its own',
  async (t) => {
    const again = deployment(3, { urls: ['http://127.0.0.1:3001', 'http://127.0.0.1:3002'] });
    const state = serviceState({
      deployments: [...SERVICE.deployments, again],
      draining: [{ deployment: 3, ...DRAIN }],
    });
    const slots = new Slots(QUIET);
    const service = made(state, CONFIG, slots);
    const all = deploymentsOf(service);
    t.strictSame(
      all.map(({ block }) => block),
      [1, 2, 3],
    );
    t.strictSame(
      all.flatMap(({ endpoints }) => endpoints.map(({ slot }) => slot)),
      [0, 1, 2, 3],
      'the same address of another deployment is another endpoint',
    );
    t.strictSame(made(state, CONFIG, slots), service, 'and they stay the same in the next table');
  },
);

await t.test('one that drains on its color is one, with the same numbers', async (t) => {
  const service = made(serviceState({ draining: [{ deployment: 2, ...DRAIN }] }));
  t.strictSame(service.draining[0]!.deployment, service.green);
});

await t.test('a lock-out is shown with every deployment of its release', async (t) => {
  const lockedOut = { release: 'v2', deployment: 9, reason: '', actor: '', atMs: 1, epoch: 2 };
  const again = deployment(3, { release: 'v2' });
  const service = made(
    serviceState({
      deployments: [...SERVICE.deployments, again],
      draining: [{ deployment: 3, ...DRAIN }],
      lockOuts: [lockedOut],
    }),
  );
  t.strictSame(
    deploymentsOf(service).map((one) => one.lockedOut),
    [undefined, lockedOut, lockedOut],
  );
});

await t.test('what finds no number is refused', async (t) => {
  const slots = new Slots({ ...QUIET, isBlockQuiet: () => false });
  const many = Array.from({ length: 300 }, (_, index) => deployment(index + 3));
  const draining = many.map(({ number }) => ({ deployment: number, ...DRAIN }));
  const state = serviceState({ deployments: [...SERVICE.deployments, ...many], draining });
  t.throws(() => made(state, CONFIG, slots), { code: 'no-slot', status: 409 });
});

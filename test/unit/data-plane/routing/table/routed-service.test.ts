// What a worker makes of the deployments of a service: each is one, however it is reached.

import t from 'tap';
import type { Service } from '../../../../../src/contract/table.ts';
import {
  routedService,
  type RoutedService,
} from '../../../../../src/data-plane/routing/table/routed-service.ts';
import { DEPLOYMENT, drain, lockedOut, SERVED_SINCE, shop } from '../../../../support/deciding.ts';

function routed(change: Partial<Service> = {}): RoutedService {
  const options = { poolsOf: () => [], epoch: 42, exposeColor: true, instance: 'test' };
  return routedService({ ...shop(), ...change }, options);
}

function numbersOf(deployments: readonly { readonly number: number }[]): number[] {
  return deployments.map(({ number }) => number).toSorted((a, b) => a - b);
}

await t.test('a target is told since which epoch its deployment is or was active', async (t) => {
  for (const { number: own, color, requestEnding, responseFields } of routed().deployments) {
    const at = Object.entries(DEPLOYMENT).find(([, number]) => number === own)![0];
    const since = SERVED_SINCE[at as keyof typeof SERVED_SINCE];
    // One that never was is told the present one.
    const epoch = since === 0 ? SERVED_SINCE.active : since;
    t.ok(responseFields.endsWith(`\r\nx-turnout-generation: ${epoch}\r\n`), at);
    t.ok(responseFields.startsWith(`x-turnout-color: ${color}\r\n`), at);
    const role = { active: 'active', draining: 'draining', over: 'draining' }[at] ?? 'idle';
    t.equal(requestEnding, `${responseFields}x-turnout-role: ${role}\r\n\r\n`, at);
  }
});

await t.test('every deployment of the table is there', async (t) => {
  const { active, idle, draining, over, previewed } = DEPLOYMENT;
  t.strictSame(
    numbersOf(routed().deployments),
    [active, idle, draining, over, previewed].toSorted((a, b) => a - b),
  );
});

await t.test('a deployment that drains while its color has it is one', async (t) => {
  const blue = shop().draining.at(-1)!.deployment;
  const service = routed({ blue });
  t.equal(service.idle.number, DEPLOYMENT.draining);
  t.equal(service.draining.get(DEPLOYMENT.draining)!.deployment, service.idle);
  t.equal(service.earlier[0]!.deployment, service.idle);
  t.equal(service.deployments.filter((deployment) => deployment === service.idle).length, 1);
  t.equal(new Set(numbersOf(service.deployments)).size, service.deployments.length);
});

await t.test('a color without a deployment is no part of a drain', async (t) => {
  const { blue } = shop();
  const service = routed({ blue: { ...blue, number: 0, endpoints: [], release: '' } });
  t.equal(service.idle.number, 0);
  t.strictSame([...service.draining.keys()], [DEPLOYMENT.over, DEPLOYMENT.draining]);
});

await t.test('drains are told by number, and the latest comes first', async (t) => {
  const { draining } = shop();
  const service = routed();
  t.strictSame(
    service.earlier.map(({ deployment }) => deployment.number),
    [DEPLOYMENT.draining, DEPLOYMENT.over],
  );
  const out = routed({ draining: [draining[0]!, drain(lockedOut(draining[1]!.deployment), 600)] });
  t.strictSame(
    out.earlier.map(({ deployment }) => deployment.number),
    [DEPLOYMENT.over],
  );
  t.equal(
    out.draining.get(DEPLOYMENT.draining)!.deployment.isLockedOut,
    true,
    'its sessions may stay',
  );
});

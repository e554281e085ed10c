// When every target of the active color is sick, requests go to them all the same, over real
// sockets: a check that is wrong must not take a color down, and trying costs nothing.

import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { HEALTH_WORD } from '../../../../src/contract/counters.ts';
import type { Endpoint, LiveEndpoint } from '../../../../src/contract/table.ts';
import { publish } from '../../../support/fault-bench.ts';
import {
  FIRST_VERSION,
  openTestPlane,
  TEST_DEPLOYMENTS,
  testTable,
} from '../../../support/plane.ts';

const NAME: Endpoint = {
  slot: 9,
  deployment: TEST_DEPLOYMENTS.blue,
  url: 'http://app.test:3000',
  address: { kind: 'name', host: 'app.test', port: 3_000 },
  authority: 'app.test:3000',
};

async function openApps(t: Test, count: number): Promise<number[]> {
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer((_, response) => response.end('served'));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      t.teardown(() => {
        server.closeAllConnections();
        server.close();
      });
      return (server.address() as AddressInfo).port;
    }),
  );
}

function endpoint(slot: number, port: number): LiveEndpoint {
  const address = { kind: 'tcp', host: '127.0.0.1', port } as const;
  const deployment = TEST_DEPLOYMENTS.blue;
  return { slot, deployment, url: `http://127.0.0.1:${port}`, address, authority: '' };
}

interface Scene {
  /** Targets of the active color. */
  readonly targets: readonly Endpoint[];
  /** Where the name leads. */
  readonly places?: readonly LiveEndpoint[];
}

/** Resolves with status and body of `count` requests, while no target is up. */
async function responses(
  t: Test,
  { targets, places = [] }: Scene,
  health: 'down' | 'unknown',
  count = 1,
): Promise<string[]> {
  const plane = await openTestPlane({ blue: [], green: [] }, {});
  t.teardown(async () => plane.stop());
  plane.memory.health.fill(HEALTH_WORD[health]);
  const table = testTable(FIRST_VERSION + 1, 'blue', { blue: [], green: [] });
  const service = table.services[0]!;
  const blue = { ...service.blue, endpoints: targets };
  plane.plane.obey({
    kind: 'resolve',
    version: 1,
    names: [{ slot: NAME.slot, endpoints: places }],
  });
  publish(plane, { ...table, services: [{ ...service, blue }] });
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const told: string[] = [];
  for (let index = 0; index < count; index++) {
    const asked = request({ port: plane.port, host: '127.0.0.1', path: '/', agent });
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    let text = '';
    for await (const part of response.setEncoding('utf8')) text += String(part);
    const failure = String(response.headers['x-turnout-failure'] ?? '');
    told.push(
      failure === '' ? `${response.statusCode} ${text}` : `${response.statusCode} ${failure}`,
    );
  }
  return told;
}

for (const health of ['down', 'unknown'] as const) {
  await t.test(`the only target is asked while it is ${health}`, async (t) => {
    const [port] = await openApps(t, 1);
    t.strictSame(await responses(t, { targets: [endpoint(0, port!)] }, health), ['200 served']);
  });

  await t.test(`of several that are ${health} each is asked`, async (t) => {
    const [well, other] = await openApps(t, 2);
    // Nothing listens on the second one: a request that gets it is tried on another.
    const dead = endpoint(1, 1);
    const targets = [endpoint(0, well!), dead, endpoint(2, other!)];
    const told = await responses(t, { targets }, health, 20);
    t.strictSame(new Set(told), new Set(['200 served']));
  });

  await t.test(`addresses of a name that are ${health} are asked`, async (t) => {
    const [port] = await openApps(t, 1);
    const places = [{ ...endpoint(1, port!), url: NAME.url, place: `127.0.0.1:${port}` }];
    t.strictSame(await responses(t, { targets: [NAME], places }, health), ['200 served']);
  });

  await t.test(`a name that leads nowhere leaves the target beside it, ${health}`, async (t) => {
    const [port] = await openApps(t, 1);
    const targets = [NAME, endpoint(0, port!)];
    t.strictSame(await responses(t, { targets }, health), ['200 served']);
  });
}

await t.test(
  'where the only target is a name that leads nowhere, the response says so',
  async (t) => {
    t.strictSame(await responses(t, { targets: [NAME] }, 'unknown'), ['503 NO_TARGET']);
  },
);

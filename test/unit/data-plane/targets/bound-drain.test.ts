// A switch in the middle of a login, and after it: the steps come to one deployment, the client
// stays there while that drains, and is a stranger to the next one.

import t, { type Test } from 'tap';
import { lastGivenS } from '../../../../src/contract/session-sightings.ts';
import type { Draining, RoutingTable } from '../../../../src/contract/table.ts';
import { publish } from '../../../support/fault-bench.ts';
import { LoginClient, loginOrigin } from '../../../support/login-origin.ts';
import { openOrigin, type Origin } from '../../../support/origin.ts';
import { FIRST_VERSION, openTestPlane, testTable, type TestPlane } from '../../../support/plane.ts';
import { becomes, comesToRest } from '../../../support/shared-counters.ts';

interface Scene {
  readonly blue: Origin;
  readonly plane: TestPlane;
  readonly anna: LoginClient;
  /** Green is the active one; blue drains, and its sessions may stay for `sessionsMs`. */
  readonly leaveBlue: (sessionsMs: number) => void;
  /** The drain of blue is over. */
  readonly endDrain: () => void;
}

async function withSwitch(t: Test, body: (scene: Scene) => Promise<void>): Promise<void> {
  const [blue, green] = [
    await openOrigin(loginOrigin('blue')),
    await openOrigin(loginOrigin('green')),
  ];
  const targets = { blue: [blue.port], green: [green.port] };
  const plane = await openTestPlane(targets, {});
  let version = FIRST_VERSION;
  const publishNext = (draining: (table: RoutingTable) => readonly Draining[]): void => {
    version++;
    const table = testTable(version, 'green', targets);
    const [service] = table.services;
    publish(plane, { ...table, services: [{ ...service!, draining: draining(table) }] });
    plane.plane.obey({ kind: 'adopt', version });
    plane.plane.obey({ kind: 'forget', version: version - 1 });
  };
  const anna = await LoginClient.open(plane.port, 'anna');
  try {
    await body({
      blue,
      plane,
      anna,
      leaveBlue: (sessionsMs) => {
        const nowMs = Date.now();
        publishNext(({ services: [service] }) => [
          {
            deployment: { ...service!.blue, servedSince: 1 },
            startedAtMs: nowMs,
            sessionsUntilMs: nowMs + sessionsMs,
            endsAtMs: nowMs + 3_600_000,
            longLived: 'linger',
          },
        ]);
      },
      endDrain: () => publishNext(() => []),
    });
    anna.close();
    await comesToRest(t, plane);
  } finally {
    anna.close();
    await plane.stop();
    await Promise.all([blue.close(), green.close()]);
  }
}

const HOUR_MS = 3_600_000;

await t.test('a login ends where it has begun, and its client stays for a while', async (t) => {
  await withSwitch(t, async ({ anna, leaveBlue, endDrain }) => {
    const challenge = await anna.begin();
    leaveBlue(HOUR_MS);
    t.equal(await anna.prove(challenge), '200 hello anna of blue');
    t.equal(await anna.ask(), '200 hello anna of blue');
    endDrain();
    t.equal(await anna.ask(), '401');
    t.equal(await anna.login(), '200 hello anna of green');
  });
});

await t.test('a login ends where it has begun, also where no sessions are kept', async (t) => {
  await withSwitch(t, async ({ anna, leaveBlue }) => {
    const challenge = await anna.begin();
    leaveBlue(0);
    t.equal(await anna.prove(challenge), '200 hello anna of blue');
    t.equal(await anna.ask(), '401', 'then the client moves on');
    t.equal(await anna.login(), '200 hello anna of green');
  });
});

await t.test('nothing is sent to a deployment whose drain is over', async (t) => {
  await withSwitch(t, async ({ anna, leaveBlue, endDrain, blue }) => {
    const challenge = await anna.begin();
    leaveBlue(HOUR_MS);
    endDrain();
    t.equal(await anna.prove(challenge), '401');
    t.equal(await anna.login(), '200 hello anna of green');
    t.ok(await becomes(() => blue.connections.size === 0));
  });
});

await t.test(
  'a drain waits for the next step of a login, not for one that is offered',
  async (t) => {
    await withSwitch(t, async ({ anna, plane }) => {
      const { sightings } = plane.plane;
      t.equal(await anna.ask(), '401');
      t.equal(lastGivenS([sightings], 1), 0);
      await anna.begin();
      t.ok(lastGivenS([sightings], 1) > 0);
    });
  },
);

// A migration of two seconds in the middle of a thousand requests a second: nobody notices more
// than a pause.

import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { rssBytes } from '../../bench/harness/process-tree.ts';
import { receiptOf } from '../support/hold-app.ts';
import { startHoldLoad, type CallNote, type HoldVerdict } from '../support/hold-load.ts';
import { openHoldScene, type HoldScene } from '../support/hold-scene.ts';

t.setTimeout(180_000);

const MIB = 2 ** 20;
const MIGRATION_MS = 2_000;
/** Of the load before and after: long enough to be sure that it was on its way. */
const BEFORE_MS = 1_000;
const OFFERED_PER_SECOND = 1_000;
/** Of those offered in four seconds; with less than this it would be no load. */
const ANSWERED_MIN = 2_000;
const GROWTH_MAX = 64 * MIB;

interface Outcome {
  readonly scene: HoldScene;
  readonly verdict: HoldVerdict;
  readonly hold: CallNote;
  /** The call that let them go. */
  readonly end: CallNote;
  /** Requests that waited at the end of the migration. */
  readonly waited: number;
  readonly growthBytes: number;
}

/** Holds, lets the migration take its time, and makes `calls`. */
async function migrate(
  t: Test,
  options: {
    readonly connectionsMax: number;
    readonly calls: readonly (readonly [string, object])[];
  },
): Promise<Outcome> {
  // For what comes while the held ones are served: the slow target of a busy machine is no fault.
  const room = ['--hold-requests', '5000', '--upstream-waiting', '5000'];
  const time = ['--upstream-connect-timeout', '60s'];
  const scene = await openHoldScene(t, [...room, ...time]);
  const load = await startHoldLoad(t, {
    port: scene.port,
    admin: scene.running.admin,
    ratePerSecond: OFFERED_PER_SECOND,
    connectionsMax: options.connectionsMax,
  });
  await sleep(BEFORE_MS);
  const pid = scene.running.process.pid!;
  const beforeBytes = rssBytes(pid);
  const hold = await load.call('/v1/hold', { for: '30s' });
  await sleep(MIGRATION_MS);
  const { json } = await scene.admin.get('/v1/status');
  const [service] = json['services'] as { readonly held: { readonly requests: number } }[];
  const growthBytes = rssBytes(pid) - beforeBytes;
  const made = [];
  for (const [path, body] of options.calls) made.push(await load.call(path, body));
  await sleep(BEFORE_MS);
  const verdict = await load.finish();
  t.strictSame(
    [hold, ...made].map(({ status }) => status),
    [hold, ...made].map(() => 200),
  );
  const waited = service!.held.requests;
  t.comment(
    `${verdict.notes.length} requests on ${verdict.connections} connections, ` +
      `${verdict.answeredPerSecond.toFixed(0)} a second; ${waited} waited and took ` +
      `${(growthBytes / MIB).toFixed(1)} MiB`,
  );
  return { scene, verdict, hold, end: made[0]!, waited, growthBytes };
}

/** What must hold for every client, whatever was done. */
function checkAll(t: Test, { scene, verdict, growthBytes }: Outcome): void {
  t.strictSame(verdict.failures, {}, 'no request failed');
  t.ok(verdict.notes.length >= ANSWERED_MIN, 'there was load');
  const wrong = verdict.notes.filter(
    ({ path, body }) =>
      body !== receiptOf('blue', 'GET', path) && body !== receiptOf('green', 'GET', path),
  );
  t.strictSame(wrong, [], 'each got the answer to its own request');
  const answered = verdict.notes.map(({ path }) => path);
  t.equal(new Set(answered).size, answered.length, 'each was answered once');
  const arrived = scene.journal.activities.map(({ path }) => path);
  t.strictSame(arrived.toSorted(), answered.toSorted(), 'and reached a target once');
  t.ok(growthBytes <= GROWTH_MAX, 'those who wait take little memory');
}

/** Returns who answered those that were sent while the hold was on for certain. */
function colorsOfHeld({ verdict, hold, end }: Outcome): string[] {
  const held = verdict.notes.filter(
    ({ sentAt }) => sentAt > hold.answeredAt && sentAt < end.calledAt,
  );
  return [...new Set(held.map(({ body }) => body.split(' ')[0]!))];
}

const CONNECTIONS = [
  { name: 'fifty connections', connectionsMax: 50, waitedMin: 50 },
  // As many as come: each request that is due waits in Turnout and not in its client.
  { name: 'thousands of connections', connectionsMax: 4_500, waitedMin: 1_000 },
];

for (const { name, connectionsMax, waitedMin } of CONNECTIONS) {
  await t.test(`nobody on ${name} fails when a migration ends in a switch`, async (t) => {
    const calls = [
      ['/v1/switch', { to: 'green' }],
      ['/v1/release', {}],
    ] as const;
    const outcome = await migrate(t, { connectionsMax, calls });
    checkAll(t, outcome);
    t.ok(outcome.waited >= waitedMin, `${outcome.waited} waited`);
    t.strictSame(colorsOfHeld(outcome), ['green'], 'who waited went to the new color');
    t.strictSame(outcome.scene.journal.turns(), ['blue', 'green'], 'nothing went back');
  });

  await t.test(`nobody on ${name} fails when a migration is given up`, async (t) => {
    const outcome = await migrate(t, { connectionsMax, calls: [['/v1/release', {}]] });
    checkAll(t, outcome);
    t.ok(outcome.waited >= waitedMin, `${outcome.waited} waited`);
    t.strictSame(outcome.scene.journal.turns(), ['blue'], 'everybody went on where they were');
  });
}

// Drains over the lives of several processes: what a restart forgets and an upgrade leaves behind.

import t from 'tap';
import { DrainWatch, servedBefore } from '../../../../src/control-plane/switching/drain-watch.ts';
import { ANY, watched } from '../support/drained.ts';

/** Watches the same switchboard as a process does that starts now. */
function restart(parts: ReturnType<typeof watched>): DrainWatch {
  const { switchboard, totals, names, log, drains, hooks } = parts;
  drains.stop();
  const later = new DrainWatch({
    board: switchboard,
    totals,
    names,
    log,
    leftBehind: () => 0,
    servedBefore: servedBefore(switchboard.states.values()),
  });
  hooks.onPublished = (table) => later.follow(table);
  return later;
}

await t.test('drains that were there at the start are watched from it on', async (t) => {
  const parts = watched(t);
  await parts.leave();
  const later = restart(parts);
  await parts.pass(500);
  t.equal(later.running(ANY).length, 1, 'not before');
  later.start();
  await parts.pass(60_500); // Sessions of before may come back until then.
  t.same(later.running(ANY), []);
});

await t.test('who was seen before a restart is waited for as long as for anybody', async (t) => {
  const parts = watched(t);
  const { drains, leave, pass } = parts;
  drains.pause();
  await leave();
  await pass(1_000);
  const later = restart(parts);
  const until = new Date(Date.now() + 60_000).toISOString();
  later.start();
  t.match(later.running(ANY), [
    { sessions: 0, reasons: [`sessions of before the restart may come back until ${until}`] },
  ]);
  await pass(59_500);
  t.equal(later.running(ANY).length, 1);
  await pass(1_000);
  t.same(later.running(ANY), []);
});

await t.test('who was seen before a restart does not outlive the drain', async (t) => {
  const parts = watched(t);
  const { drains, leave, pass } = parts;
  drains.pause();
  await leave();
  await pass(590_000);
  const later = restart(parts);
  later.start();
  const { sessionsUntilMs, reasons } = later.running(ANY)[0]!;
  t.match(reasons, [new RegExp(`until ${new Date(sessionsUntilMs).toISOString()}$`)]);
  await pass(10_500);
  t.same(later.running(ANY), []);
});

await t.test('what the process before an upgrade still has keeps every drain', async (t) => {
  const { drains, leave, pass, left } = watched(t);
  left.count = undefined;
  await leave();
  await pass(2_000);
  t.match(drains.running(ANY), [
    { reasons: ['the process before the upgrade has not said what it finishes'] },
  ]);
  left.count = 2;
  await pass(2_000);
  t.match(drains.running(ANY), [
    { reasons: ['2 connections are being finished by the process before the upgrade'] },
  ]);
  left.count = 0;
  await pass(500);
  t.same(drains.running(ANY), []);
});

await t.test('no drain ends during a pause, also not because of a change', async (t) => {
  const { drains, leave, pass } = watched(t);
  drains.pause();
  await leave();
  await pass(2_000);
  t.equal(drains.running(ANY).length, 1);
  drains.start();
  await pass(500);
  t.same(drains.running(ANY), []);
});

await t.test('where decisions are halted, no drain is ended or tried to be', async (t) => {
  const { drains, leave, pass, switchboard, log } = watched(t);
  await leave();
  switchboard.halt(new Error('a broken rule'));
  await pass(5_000);
  t.equal(drains.running(ANY).length, 1);
  t.notOk(log.has(/could not be ended/));
});

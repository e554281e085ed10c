// What a process that takes over believes of names, until DNS has answered it.

import t, { type Test } from 'tap';
import {
  LOOKUP_JITTER_SHARE,
  NAMES_SETTLE_MS,
} from '../../../../src/control-plane/base/control-limits.ts';
import type { Place } from '../../../../src/control-plane/targets/lookup.ts';
import type { NameReport } from '../../../../src/control-plane/targets/handed-names.ts';
import { nameScene, namesIn, placesOf, type SceneOptions } from '../support/name-scene.ts';

const ROUND_MS = 10_000 * (1 + LOOKUP_JITTER_SHARE) + NAMES_SETTLE_MS;
const BEFORE = ['10.0.0.1:3000', '10.0.0.2:3000'];
const DOWN = new Error('the DNS server failed');

/** The first of the two is a listener of Turnout. */
const isOurs = (place: Place): boolean => place.kind === 'tcp' && place.host === '10.0.0.1';

/** What the process before has found, as it arrives: as JSON. */
async function reported(t: Test): Promise<readonly NameReport[]> {
  const { names, dns, first } = nameScene(t, { green: ['http://gone.test:1'] });
  dns.hosts.set('app.test', ['10.0.0.1', '10.0.0.2']);
  dns.hosts.set('gone.test', DOWN);
  names.follow(first);
  await names.prepare(first);
  const reports = names.report();
  t.match(reports, [{ deployment: 1, url: 'http://app.test:3000' }]);
  t.equal(reports.length, 1, 'a name that led nowhere is left out');
  return JSON.parse(JSON.stringify(reports)) as NameReport[];
}

/** A process that takes over while DNS says `said`. */
async function takingOver(t: Test, said: Error | readonly string[], options: SceneOptions = {}) {
  const reports = await reported(t);
  const scene = nameScene(t, options);
  scene.dns.hosts.set('app.test', said);
  return { ...scene, reports };
}

for (const [what, said] of [
  ['is down', DOWN],
  ['denies the name of the active color', []],
] as const) {
  for (const isEarly of [true, false]) {
    const when = isEarly ? 'before' : 'after';
    await t.test(
      `while DNS ${what}, requests go where they went, told ${when} the start`,
      async (t) => {
        const { names, first, reports, told, timers } = await takingOver(t, said);
        if (isEarly) names.believe(reports);
        names.follow(first);
        await names.prepare(first);
        if (!isEarly) names.believe(reports);
        await timers.pass(ROUND_MS);
        t.strictSame(placesOf(names, first), BEFORE);
        const picture = told.at(-1)!.names[0]!.endpoints.map(({ place }) => place);
        t.strictSame(picture, BEFORE, 'the workers know it, too');
        t.ok(names.status(namesIn(first)[0]!)!.answeredAtMs > 0);
      },
    );
  }
}

await t.test('what DNS answers counts from then on', async (t) => {
  const { names, first, reports, timers } = await takingOver(t, ['10.0.0.9']);
  names.believe(reports);
  names.follow(first);
  t.strictSame(placesOf(names, first), BEFORE);
  await timers.pass(NAMES_SETTLE_MS);
  t.strictSame(placesOf(names, first), ['10.0.0.9:3000']);
  names.believe(reports);
  t.strictSame(placesOf(names, first), ['10.0.0.9:3000'], 'a report that comes late says nothing');
});

await t.test('a start does not wait for an answer that is believed to be known', async (t) => {
  const { names, first, reports, dns } = await takingOver(t, DOWN);
  dns.hosts.set('app.test', 'silence');
  names.believe(reports);
  names.follow(first);
  await t.resolves(names.prepare(first));
});

await t.test('what is Turnout itself by now is not believed', async (t) => {
  const { names, first, reports } = await takingOver(t, DOWN, { isOurs });
  names.believe(reports);
  names.follow(first);
  t.strictSame(placesOf(names, first), [BEFORE[1]]);
});

await t.test('after a plain restart nothing is known, and one line says so', async (t) => {
  const { names, first, log, timers } = await takingOver(t, DOWN);
  names.follow(first);
  await names.prepare(first);
  await timers.pass(ROUND_MS);
  t.strictSame(placesOf(names, first), []);
  const lines = log.lines.filter(({ level }) => level === 'warn');
  t.match(lines, [{ message: /failed; it leads nowhere: this process has never had an answer$/ }]);
  t.equal(lines.length, 1);
});

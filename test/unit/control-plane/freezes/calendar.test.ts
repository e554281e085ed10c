// What windows say now, with a clock that moves and a configuration that changes; and what is told of it.

import t from 'tap';
import { parseFreezeWindow } from '../../../../src/config/values/freeze-window.ts';
import { FreezeCalendar } from '../../../../src/control-plane/freezes/calendar.ts';
import { FreezeWatch } from '../../../../src/control-plane/freezes/watch.ts';
import { ManualTimers } from '../support/manual-timers.ts';

const HOUR_MS = 3_600_000;

function windowsOf(...lines: readonly string[]) {
  return lines.flatMap((line) => {
    const parsed = parseFreezeWindow(line);
    return parsed.ok ? [parsed.value] : [];
  });
}

function scene() {
  const clock = { ms: Date.parse('2026-11-27T14:00Z') };
  const known = {
    ofAll: windowsOf('Fri 16:00 - Mon 08:00 Europe/Berlin (weekend)'),
    shop: windowsOf('daily 22:00 - 06:00 UTC (night)'),
  };
  const now = (): number => clock.ms;
  const calendar = new FreezeCalendar({
    windowsOf: (service) => [known.ofAll, service === 'shop' ? known.shop : NONE],
    now,
  });
  const told: string[] = [];
  const timers = new ManualTimers();
  const watch = new FreezeWatch({
    calendar,
    services: () => ['default', 'shop'],
    onBegun: (service, { window }) => told.push(`${service} begun ${window.reason}`),
    onEnded: (service, { window }) => told.push(`${service} ended ${window.reason}`),
    timers,
    now,
  });
  const reason = (service: string): string | undefined =>
    calendar.of(service).present?.window.reason;
  return { clock, known, calendar, told, timers, watch, reason };
}

const NONE: ReturnType<typeof windowsOf> = [];

await t.test('it follows the clock forward, and back again', async (t) => {
  const { clock, reason, calendar } = scene();
  t.equal(reason('default'), undefined);
  t.equal(calendar.changesAtMs('default'), Date.parse('2026-11-27T15:00Z'));
  clock.ms += HOUR_MS;
  t.equal(reason('default'), 'weekend');
  clock.ms -= HOUR_MS;
  t.equal(reason('default'), undefined, 'the clock was set back');
});

await t.test('a service has its own windows beside those of all', async (t) => {
  const { clock, reason } = scene();
  clock.ms = Date.parse('2026-11-25T23:00Z');
  t.equal(reason('default'), undefined);
  t.equal(reason('shop'), 'night');
});

await t.test('a reload counts at once', async (t) => {
  const { clock, known, reason } = scene();
  clock.ms += 2 * HOUR_MS;
  t.equal(reason('default'), 'weekend');
  known.ofAll = [];
  t.equal(reason('default'), undefined);
});

await t.test('each beginning and end is told once', async (t) => {
  const { clock, told, watch, known } = scene();
  watch.look();
  t.strictSame(told, []);
  clock.ms = Date.parse('2026-11-27T15:00Z');
  watch.look();
  watch.look();
  t.strictSame(told.splice(0), ['default begun weekend', 'shop begun weekend']);
  clock.ms = Date.parse('2026-11-30T07:00Z');
  watch.look();
  t.strictSame(told.splice(0), ['default ended weekend', 'shop ended weekend']);
  known.ofAll = windowsOf('Mon 07:00 - Mon 09:00 UTC (standup)');
  watch.look();
  t.strictSame(told.splice(0), ['default begun standup', 'shop begun standup']);
});

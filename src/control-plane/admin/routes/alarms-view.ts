// What is wrong, in the order in which an operator wants to know it. Finds nothing out itself: it
// asks the parts that watch, and puts their answers into sentences.

import { epochMs } from '../../../base/clock.ts';
import { countText } from '../../../base/count-text.ts';
import { spanText } from '../../../base/span-text.ts';
import { COLORS, otherColor, type Service } from '../../../contract/table.ts';
import type { Alarm, CheckAnswer } from '../../../api/alarms.ts';
import { acmeNotices } from '../../acme/acme-notices.ts';
import { noticesOf } from '../../certificates/certificate-notices.ts';
import type { AdminParts } from './admin-parts.ts';
import { isSeen } from './route.ts';

type Watching = Pick<
  AdminParts,
  | 'switchboard'
  | 'store'
  | 'workers'
  | 'reloader'
  | 'health'
  | 'outages'
  | 'certificates'
  | 'acmeOrders'
>;

/** Returns what is wrong that a caller may know of, the worst first. */
export function alarmsView(parts: Watching, only: readonly string[] | undefined): Alarm[] {
  const { services } = parts.switchboard.table;
  const seen = services.filter(({ name }) => isSeen(name, only));
  const about = seen.map((service) => serviceAlarm(service, parts, services.length > 1));
  const ends = seen.flatMap((service) => certificateAlarms(service, parts));
  const found = [...processAlarms(parts), ...about, ...ends].filter((alarm) => alarm !== undefined);
  const worst = found.filter(({ severity }) => severity === 'critical');
  return [...worst, ...found.filter((alarm) => !worst.includes(alarm))];
}

/** Returns the same in short, for a check that runs all the time. */
export function checkView(parts: Watching, only: readonly string[] | undefined): CheckAnswer {
  const alarms = alarmsView(parts, only);
  const { services } = parts.switchboard.table;
  return {
    severity: alarms[0]?.severity ?? 'ok',
    services: services.filter(({ name }) => isSeen(name, only)).length,
    alarms,
  };
}

function processAlarms(parts: Watching): Alarm[] {
  const { workers, switchboard, store, reloader, certificates, acmeOrders } = parts;
  const alarms: Alarm[] = [];
  const add = (severity: Alarm['severity'], text: string, command: string | null = null): void => {
    alarms.push({ severity, service: null, text, command });
  };
  if (workers.listeningCount === 0) add('critical', 'no worker accepts connections');
  if (switchboard.refusal?.code === 'frozen') {
    add('warning', 'no change is taken until a restart; the log says why');
  }
  const state = store.fault ?? store.warning;
  if (state !== undefined) add('warning', `state: ${state}`);
  const { problem = '' } = reloader.last ?? {};
  if (problem !== '') add('warning', `the last reload was not done: ${problem}`);
  for (const { isOver, text } of noticesOf(certificates(), epochMs())) {
    add(isOver ? 'critical' : 'warning', text);
  }
  for (const { isMissing, text } of acmeNotices(acmeOrders.status(), epochMs())) {
    add(isMissing ? 'critical' : 'warning', text);
  }
  return alarms;
}

/** `isOneOfMany`: a command has to name the service. */
function serviceAlarm(
  service: Service,
  { outages, health }: Watching,
  isOneOfMany: boolean,
): Alarm | undefined {
  const { name, active, maintenance } = service;
  const outage = outages.of(service);
  if (outage !== undefined) {
    const { sinceMs, state, targets, wayOut, obstacle } = outage;
    const named = targets === '' ? '' : ` (${targets})`;
    const what = `${state} for ${spanText(epochMs() - sinceMs)}${named}`;
    const other = otherColor(active);
    const then = wayOut === undefined ? `no way out: ${obstacle}` : `${other} is up`;
    return {
      // What an operator has announced is no emergency.
      severity: maintenance === undefined ? 'critical' : 'warning',
      service: name,
      text: `${active} is active and ${what}; ${then}`,
      command:
        wayOut === undefined
          ? null
          : `turnout switch ${wayOut}${isOneOfMany ? ` --service ${name}` : ''}`,
    };
  }
  if (maintenance !== undefined) {
    const command = `turnout maintenance off${isOneOfMany ? ` --service ${name}` : ''}`;
    const text = 'in maintenance: every request gets 503';
    return { severity: 'warning', service: name, text, command };
  }
  const all = service[active].endpoints.flatMap((endpoint) =>
    health.of(endpoint).map(({ state, reason }) => ({ url: endpoint.url, state, reason })),
  );
  const down = all.filter(({ state }) => state === 'down');
  const [first] = down;
  if (first === undefined) return undefined;
  const some = `${countText(down.length, 'target')} of ${all.length}`;
  const text = `${active} is active and ${some} down: ${first.url} (${first.reason})`;
  return { severity: 'warning', service: name, text, command: null };
}

/** Certificates of targets that end soon, or have ended, as health checks have seen them. */
function certificateAlarms(service: Service, { health }: Watching): Alarm[] {
  const targets = COLORS.flatMap((color) => service[color].endpoints);
  const reports = targets.flatMap((endpoint) =>
    health.of(endpoint).flatMap(({ certificate, place }) => {
      if (certificate === undefined) return [];
      const source = place === undefined ? 'a target' : `a target at ${place}`;
      return { name: endpoint.url, source, ...certificate, problem: '' };
    }),
  );
  return noticesOf(reports, epochMs()).map(({ isOver, text }) => ({
    severity: isOver ? 'critical' : 'warning',
    service: service.name,
    text,
    command: null,
  }));
}

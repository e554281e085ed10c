// The status of a running Turnout at a glance, for a window of any width. What is missing in an
// answer of another version is a dash.

import { requestText } from './running-text.ts';
import { countText } from '../../base/count-text.ts';
import type { ServiceStatus, StatusAnswer } from '../../api/status-answer.ts';
import { COLORS } from '../../contract/table.ts';
import { shown, type Lenient } from '../client/answer.ts';
import { drainName, lockOutText, orderText, releaseName } from './release-text.ts';
import { fold, foldText } from '../terminal/fold.ts';
import { agoText, inText, timeText } from '../terminal/numbers.ts';
import { colorName, styled, type Terminal } from '../terminal/print.ts';
import { fit } from '../terminal/width.ts';
import { alarmText } from './alarm-text.ts';
import { certificateLines } from './certificate-lines.ts';
import { freezeText, nextText, presentText } from './freeze-text.ts';
import { briefTexts } from './rollout-state-text.ts';
import { colorLines, switchLines, targetLines, type Look } from './status-tables.ts';

/** Returns the text of an answer of `/v1/status`, its lines folded to fit the window. */
export function statusText(terminal: Terminal, answer: Lenient<StatusAnswer>): string {
  const columns = terminal.size()?.columns ?? Infinity;
  const look = { terminal, nowMs: terminal.nowMs(), columns };
  const { state, reload, freeze, services, alarms, scheduled } = answer;
  const saidBelow = [`state: ${state.warning}`, `the last reload was not done: ${reload?.problem}`];
  const urgent = alarms.filter(({ text }) => !saidBelow.includes(shown(text)));
  const lines = urgent.flatMap((alarm) =>
    noticeLines(look, alarm.severity === 'critical' ? 'red' : 'yellow', alarmText(alarm)),
  );
  if (lines.length > 0) lines.push('');
  lines.push(...headLines(look, answer));
  if (isSaid(state.warning)) lines.push(...noticeLines(look, 'yellow', `state: ${state.warning}`));
  lines.push(...reloadLines(look, reload));
  if (freeze !== null) lines.push(...noticeLines(look, 'red', freezeText(freeze)));
  for (const order of scheduled) {
    const text = `ordered for ${timeText(order.at)} (${inText(order.at, look.nowMs)}) by ${shown(order.actor)}: ${orderText(order)} becomes active; ${shown(order.id)}`;
    lines.push(...foldText(text, columns, 2));
  }
  lines.push(...certificateLines(look, answer));
  for (const service of services) lines.push('', ...serviceLines(look, service));
  // A window of a few columns has no room for some words.
  return lines
    .flatMap((text) => text.split('\n'))
    .map((line) => fit(terminal, line, columns))
    .join('\n');
}

function headLines({ terminal, columns }: Look, answer: Lenient<StatusAnswer>): string[] {
  const { version, generation, workers, listen, listeners } = answer;
  const facts = [
    `turnout ${shown(version)}`,
    readyText(terminal, answer),
    `generation ${shown(generation)}`,
    `${shown(workers.listening)} of ${countText(shown(workers.count), 'worker')}`,
    firstListener(shown(listen), listeners),
    ...listeners.flatMap(furtherListener(shown(listen))),
  ];
  return fold(facts, { columns, indent: 2, gap: ` ${terminal.signs.dot} ` });
}

function firstListener(first: string, listeners: readonly SeenListener[]): string {
  const found = listeners.find(({ address, for: use }) => {
    return use === 'traffic' && shown(address) === first;
  });
  return trafficText(first, found?.tls === true);
}

/** Where clients come in beside `first`; previews are told where one asks for them. */
function furtherListener(first: string): (one: SeenListener) => string[] {
  return ({ address, for: use, tls }) => {
    const where = shown(address);
    if (use === 'traffic' && where !== first) return [trafficText(where, tls === true)];
    return use === 'redirect' ? [`redirects on ${where}`] : [];
  };
}

function trafficText(where: string, isSecure: boolean): string {
  return `traffic on ${where}${isSecure ? ' (TLS)' : ''}`;
}

type SeenListener = Lenient<StatusAnswer>['listeners'][number];

/** Ready is a word of the process; while clients get no answer it is not what an operator reads. */
function readyText(terminal: Terminal, { ready, alarms, services }: Lenient<StatusAnswer>): string {
  if (ready !== true) return styled(terminal, 'red', 'not ready');
  const out = alarms.filter(({ severity, service }) => severity === 'critical' && isSaid(service));
  if (out.length === 0) return styled(terminal, 'green', 'ready');
  const all = services.length > 1 ? ` of ${out.length} of ${services.length} services` : '';
  return styled(terminal, 'red', `OUTAGE${all}`);
}

/** The last reload, where it was not done. */
function reloadLines(look: Look, reload: Lenient<StatusAnswer>['reload']): string[] {
  if (reload === null || !isSaid(reload.problem)) return [];
  const { at, actor, problem } = reload;
  const text =
    `the reload of ${agoText(at, look.nowMs)} (${timeText(at)}, by ${shown(actor)}) ` +
    `was not done: ${problem}`;
  const next = '  mend it and say `turnout reload`; until then all is as before it';
  return [...noticeLines(look, 'yellow', text), ...noticeLines(look, 'yellow', next)];
}

/** Tells whether there is such a text; an empty one is none. */
function isSaid(text: string | null | undefined): text is string {
  return text !== undefined && text !== null && text !== '';
}

function serviceLines(look: Look, service: Lenient<ServiceStatus>): string[] {
  const { terminal, nowMs, columns } = look;
  const { at, generation } = service.since;
  const since = `${timeText(at)} (${agoText(at, nowMs)}, generation ${shown(generation)})`;
  const name = styled(terminal, 'bold', shown(service.name));
  const first = `${name}: ${colorName(terminal, shown(service.active))} is active since ${since}`;
  return [
    ...foldText(first, columns, 2),
    ...notices(look, service),
    ...colorLines(look, service),
    '',
    ...targetLines(look, service),
    ...lookupLines(look, service),
    ...drainLines(look, service),
    ...switchLines(look, service),
  ];
}

/** A style is that of each line, so that it ends where the window does. */
function noticeLines({ terminal, columns }: Look, style: 'red' | 'yellow', text: string): string[] {
  return foldText(text, columns, 2).map((line) => styled(terminal, style, line));
}

/** What is out of the ordinary. */
function notices(look: Look, service: Lenient<ServiceStatus>): string[] {
  const { terminal, nowMs } = look;
  const lines: string[] = [];
  const { maintenance, held, rollout } = service;
  if (rollout !== null) {
    const [first = '', ...more] = briefTexts(terminal, rollout, nowMs);
    lines.push(...foldText(first, look.columns, 2));
    for (const text of more) lines.push(...noticeLines(look, 'yellow', text));
  }
  if (maintenance !== null) {
    lines.push(...noticeLines(look, 'red', 'in maintenance: every request gets 503'));
  }
  if (held?.until !== undefined) {
    const { until, requests } = held;
    const text = `held until ${timeText(until)} (${inText(until, nowMs)}): ${countText(shown(requests), 'request waits', 'requests wait')}`;
    lines.push(...noticeLines(look, 'yellow', text), ...waitLines(look, held.waitsFor));
  }
  for (const color of COLORS) {
    const { release, lockedOut } = service[color];
    if (lockedOut === null) continue;
    const name = releaseName(terminal, { color, release });
    lines.push(...noticeLines(look, 'yellow', lockOutText(name, lockedOut)));
  }
  const { pointOfNoReturn: end } = service;
  if (end?.reason !== undefined) {
    const text = `no way back since ${timeText(end.at)}, says ${shown(end.actor)}: ${end.reason}`;
    lines.push(...noticeLines(look, 'yellow', text));
  }
  return [...lines, ...windowLines(look, service), ...failoverLines(look, service)];
}

/** The freeze of an operator, the window that is in force, or the next one. */
function windowLines(look: Look, { name, freeze, freezes }: Lenient<ServiceStatus>): string[] {
  if (freeze?.at !== undefined) return noticeLines(look, 'red', freezeText(freeze, shown(name)));
  const { present, next } = freezes;
  if (present?.when !== undefined) {
    return noticeLines(look, 'yellow', presentText(freezes, look.nowMs));
  }
  return next?.when === undefined ? [] : foldText(nextText(next, look.nowMs), look.columns, 2);
}

/** What a switch that holds the requests waits for. */
function waitLines(
  look: Look,
  waitsFor: NonNullable<Lenient<ServiceStatus>['held']>['waitsFor'],
): string[] {
  if (waitsFor?.what === undefined) return [];
  const { what, until, left } = waitsFor;
  const text = `${shown(what)} waits until ${timeText(until)} for what still runs; \`turnout resume\` calls it off`;
  const named = left.slice(0, STILL_NAMED_MAX).map((one) => `  ${requestText(one)}`);
  return [text, ...named].flatMap((line) => noticeLines(look, 'yellow', line));
}

/** The status names so many; `--json` has more. */
const STILL_NAMED_MAX = 5;

/** The active color is down, and what comes of it. */
function failoverLines(look: Look, { active, failover }: Lenient<ServiceStatus>): string[] {
  const { downSince, obstacle } = failover;
  if (typeof downSince !== 'string') return [];
  const then = isSaid(obstacle) ? `failover does not act: ${obstacle}` : 'failover waits';
  const text = `${shown(active)} is down since ${timeText(downSince)} (${agoText(downSince, look.nowMs)}); ${then}`;
  return noticeLines(look, 'red', text);
}

/** Returns one line for each name whose last lookup was not all well. */
function lookupLines(look: Look, service: Lenient<ServiceStatus>): string[] {
  return COLORS.flatMap((color) =>
    service[color].names.flatMap(({ url, problem, addresses }) => {
      const text = `${shown(url)}: ${shown(problem)}; its ${countText(shown(addresses), 'known address stays', 'known addresses stay')} in use`;
      return isSaid(problem) ? noticeLines(look, 'yellow', text) : [];
    }),
  );
}

/** Returns what is left of each drain, and until when at the latest. */
function drainLines(
  { terminal, nowMs, columns }: Look,
  { draining }: Lenient<ServiceStatus>,
): string[] {
  const lines = draining.flatMap((drain) => {
    const { reasons, deadlines } = drain;
    const what = reasons.length === 0 ? 'nothing is left' : reasons.map(shown).join(', ');
    const end = `cut ${inText(deadlines.end, nowMs)}`;
    const text = `${drainName(drain)} (${releaseName(terminal, drain)}): ${what}; ${end}`;
    return foldText(`  ${text}`, columns, 4);
  });
  return lines.length === 0 ? [] : ['', '  DRAINS', ...lines];
}

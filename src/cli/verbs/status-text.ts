// The status of a running Turnout at a glance, for a window of any width. What is missing in an
// answer of another version is a dash.

import { countText } from '../../base/count-text.ts';
import { listOf, partOf, textOf } from '../client/answer.ts';
import { fold, foldText } from '../terminal/fold.ts';
import { freezeText, lockOutText } from './freeze.ts';
import { agoText, inText, timeText } from '../terminal/numbers.ts';
import { colorName, fit, styled, type Terminal } from '../terminal/print.ts';
import { COLORS, colorLines, switchLines, targetLines, type Look } from './status-tables.ts';

/** Returns the text of an answer of `/v1/status`, its lines folded to fit the window. */
export function statusText(terminal: Terminal, answer: unknown): string {
  const columns = terminal.size()?.columns ?? Infinity;
  const look = { terminal, nowMs: Date.now(), columns };
  const lines = headLines(look, answer);
  const warning = textOf(answer, 'state', 'warning');
  if (warning !== '-') lines.push(...noticeLines(look, 'yellow', `state: ${warning}`));
  lines.push(...reloadLines(look, partOf(answer, 'reload')));
  const frozen = partOf(answer, 'freeze');
  if (typeof frozen === 'object' && frozen !== null) {
    lines.push(...noticeLines(look, 'red', freezeText(frozen)));
  }
  for (const service of listOf(answer, 'services')) lines.push('', ...serviceLines(look, service));
  // A window of a few columns has no room for some words.
  return lines
    .flatMap((text) => text.split('\n'))
    .map((line) => fit(terminal, line, columns))
    .join('\n');
}

function headLines({ terminal, columns }: Look, answer: unknown): string[] {
  const isReady = partOf(answer, 'ready') === true;
  const facts = [
    `turnout ${textOf(answer, 'version')}`,
    isReady ? styled(terminal, 'green', 'ready') : styled(terminal, 'red', 'not ready'),
    `generation ${textOf(answer, 'generation')}`,
    `${textOf(answer, 'workers', 'listening')} of ${countText(textOf(answer, 'workers', 'count'), 'worker')}`,
    `traffic on ${textOf(answer, 'listen')}`,
  ];
  return fold(facts, { columns, indent: 2, gap: ` ${terminal.signs.dot} ` });
}

/** The last reload, where it was not done. */
function reloadLines(look: Look, reload: unknown): string[] {
  const problem = textOf(reload, 'problem');
  if (problem === '-') return [];
  const at = partOf(reload, 'at');
  const text =
    `the reload of ${agoText(at, look.nowMs)} (${timeText(at)}, by ${textOf(reload, 'actor')}) ` +
    `was not done: ${problem}`;
  const next = '  mend it and say `turnout reload`; until then all is as before it';
  return [...noticeLines(look, 'yellow', text), ...noticeLines(look, 'yellow', next)];
}

function serviceLines(look: Look, service: unknown): string[] {
  const { terminal, nowMs, columns } = look;
  const active = textOf(service, 'active');
  const at = partOf(service, 'since', 'at');
  const since = `${timeText(at)} (${agoText(at, nowMs)}, generation ${textOf(service, 'since', 'generation')})`;
  const name = styled(terminal, 'bold', textOf(service, 'name'));
  const first = `${name}: ${colorName(terminal, active)} is active since ${since}`;
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
function notices(look: Look, service: unknown): string[] {
  const { terminal, nowMs } = look;
  const lines: string[] = [];
  if (partOf(service, 'maintenance') !== null && partOf(service, 'maintenance') !== undefined) {
    lines.push(...noticeLines(look, 'red', 'in maintenance: everybody gets 503'));
  }
  const until = partOf(service, 'held', 'until');
  if (typeof until === 'string') {
    const count = textOf(service, 'held', 'requests');
    const text = `held until ${timeText(until)} (${inText(until, nowMs)}): ${countText(count, 'request waits', 'requests wait')}`;
    lines.push(...noticeLines(look, 'yellow', text));
  }
  for (const color of COLORS) {
    const lockedOut = partOf(service, color, 'lockedOut');
    if (typeof lockedOut !== 'object' || lockedOut === null) continue;
    const release = releaseName(terminal, { color, ...Object(partOf(service, color)) }, 'color');
    lines.push(...noticeLines(look, 'yellow', lockOutText(release, lockedOut)));
  }
  return [...lines, ...failoverLines(look, service)];
}

/** The active color is down, and what comes of it. */
function failoverLines(look: Look, service: unknown): string[] {
  const downSince = partOf(service, 'failover', 'downSince');
  if (typeof downSince !== 'string') return [];
  const obstacle = textOf(service, 'failover', 'obstacle');
  const then = obstacle === '-' ? 'failover waits' : `failover does not act: ${obstacle}`;
  const text = `${textOf(service, 'active')} is down since ${timeText(downSince)} (${agoText(downSince, look.nowMs)}); ${then}`;
  return noticeLines(look, 'red', text);
}

/** Returns one line for each name whose last lookup was not all well. */
function lookupLines(look: Look, service: unknown): string[] {
  return COLORS.flatMap((color) =>
    listOf(service, color, 'names').flatMap((name) => {
      const problem = textOf(name, 'problem');
      const text = `${textOf(name, 'url')}: ${problem}; its ${countText(textOf(name, 'addresses'), 'known address stays', 'known addresses stay')} in use`;
      return problem === '-' ? [] : noticeLines(look, 'yellow', text);
    }),
  );
}

/** Returns what is left of each drain, and until when at the latest. */
function drainLines({ terminal, nowMs, columns }: Look, service: unknown): string[] {
  const lines = listOf(service, 'draining').flatMap((drain) => {
    const release = releaseName(terminal, drain, 'color');
    const left = listOf(drain, 'reasons').map((_, index) => textOf(drain, 'reasons', index));
    const what = left.length === 0 ? 'nothing is left' : left.join(', ');
    const end = `cut ${inText(partOf(drain, 'deadlines', 'end'), nowMs)}`;
    const text = `generation ${textOf(drain, 'generation')} (${release}): ${what}; ${end}`;
    return foldText(`  ${text}`, columns, 4);
  });
  return lines.length === 0 ? [] : ['', '  DRAINS', ...lines];
}

/** Returns `v42 on blue`, or the color alone where the release has no name. */
export function releaseName(terminal: Terminal, value: unknown, colorKey: string): string {
  const color = colorName(terminal, textOf(value, colorKey));
  const release = textOf(value, 'release');
  return release === '-' ? color : `${release} on ${color}`;
}

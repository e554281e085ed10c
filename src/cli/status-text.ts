// The status of a running Turnout at a glance, for a window of any width. What is missing in an
// answer of another version is a dash.

import { listOf, partOf, targetText, textOf } from './answer.ts';
import { freezeText, lockOutText } from './freeze.ts';
import {
  agoText,
  countText,
  inText,
  millisecondsText,
  rateText,
  shareText,
  sparkline,
  timeText,
} from './numbers.ts';
import { colorName, fit, styled, table, widthOf, type Terminal } from './print.ts';

/** One bar for each second of the last minute. */
const SPARK_COLUMNS_MAX = 60;
/** Fewer bars show no course. */
const SPARK_COLUMNS_MIN = 10;
/** Seconds that "now" is the mean of: one alone jumps about. */
const NOW_SECONDS = 5;

interface Look {
  readonly terminal: Terminal;
  readonly nowMs: number;
  /** Infinity: nobody minds long lines. */
  readonly columns: number;
}

/** Returns the text of an answer of `/v1/status`, its lines cut to the window. */
export function statusText(terminal: Terminal, answer: unknown): string {
  const columns = terminal.size()?.columns ?? Infinity;
  const look = { terminal, nowMs: Date.now(), columns };
  const lines = [headText(look, answer)];
  const warning = textOf(answer, 'state', 'warning');
  if (warning !== '-') lines.push(styled(terminal, 'yellow', `state: ${warning}`));
  const frozen = partOf(answer, 'freeze');
  if (typeof frozen === 'object' && frozen !== null) {
    lines.push(styled(terminal, 'red', freezeText(frozen)));
  }
  for (const service of listOf(answer, 'services')) lines.push('', ...serviceLines(look, service));
  return lines
    .flatMap((text) => text.split('\n'))
    .map((line) => fit(line, columns))
    .join('\n');
}

function headText({ terminal }: Look, answer: unknown): string {
  const isReady = partOf(answer, 'ready') === true;
  return [
    `turnout ${textOf(answer, 'version')}`,
    isReady ? styled(terminal, 'green', 'ready') : styled(terminal, 'red', 'not ready'),
    `generation ${textOf(answer, 'generation')}`,
    `${textOf(answer, 'workers', 'listening')} of ${textOf(answer, 'workers', 'count')} workers`,
    `traffic on ${textOf(answer, 'listen')}`,
  ].join(' · ');
}

function serviceLines(look: Look, service: unknown): string[] {
  const { terminal, nowMs } = look;
  const active = textOf(service, 'active');
  const at = partOf(service, 'since', 'at');
  const since = `${timeText(at)} (${agoText(at, nowMs)}, generation ${textOf(service, 'since', 'generation')})`;
  const name = styled(terminal, 'bold', textOf(service, 'name'));
  return [
    `${name}: ${colorName(terminal, active)} is active since ${since}`,
    ...notices(look, service),
    colorTable(look, service),
    '',
    targetTable(look, service),
    ...lookupLines(look, service),
    ...drainLines(look, service),
    ...switchLines(look, service),
  ];
}

/** What is out of the ordinary. */
function notices({ terminal, nowMs }: Look, service: unknown): string[] {
  const lines: string[] = [];
  if (partOf(service, 'maintenance') !== null && partOf(service, 'maintenance') !== undefined) {
    lines.push(styled(terminal, 'red', 'in maintenance: everybody gets 503'));
  }
  const until = partOf(service, 'held', 'until');
  if (typeof until === 'string') {
    const count = textOf(service, 'held', 'requests');
    const text = `held until ${timeText(until)} (${inText(until, nowMs)}): ${countText(count, 'request waits', 'requests wait')}`;
    lines.push(styled(terminal, 'yellow', text));
  }
  for (const color of COLORS) {
    const lockedOut = partOf(service, color, 'lockedOut');
    if (typeof lockedOut !== 'object' || lockedOut === null) continue;
    const release = releaseName(terminal, { color, ...Object(partOf(service, color)) }, 'color');
    lines.push(styled(terminal, 'yellow', lockOutText(release, lockedOut)));
  }
  return [...lines, ...failoverLines({ terminal, nowMs }, service)];
}

/** The active color is down, and what comes of it. */
function failoverLines(
  { terminal, nowMs }: Pick<Look, 'terminal' | 'nowMs'>,
  service: unknown,
): string[] {
  const downSince = partOf(service, 'failover', 'downSince');
  if (typeof downSince !== 'string') return [];
  const obstacle = textOf(service, 'failover', 'obstacle');
  const then = obstacle === '-' ? 'failover waits' : `failover does not act: ${obstacle}`;
  const text = `${textOf(service, 'active')} is down since ${timeText(downSince)} (${agoText(downSince, nowMs)}); ${then}`;
  return [styled(terminal, 'red', text)];
}

const COLORS = ['blue', 'green'] as const;

const HEAD: readonly string[] =
  '|COLOR|RELEASE|HEALTH|SHARE|REQ/S|ERRORS|P99|P50|IN FLIGHT|TUNNELS|LAST MINUTE'.split('|');
const SPARK_COLUMN = HEAD.indexOf('LAST MINUTE');

/** What a narrow window has no room for, the least wanted first. */
const DROPPED = [HEAD.indexOf('TUNNELS'), HEAD.indexOf('IN FLIGHT'), HEAD.indexOf('P50')];

function colorTable(look: Look, service: unknown): string {
  const rates = COLORS.map((color) => ratesOf(partOf(service, color)));
  // One scale for both, so that a switch is seen as it happens.
  const max = Math.max(0, ...rates.flat());
  const active = textOf(service, 'active');
  const cells = COLORS.map((color, index) => {
    const isActive = color === active;
    return colorCells(look, { color, isActive, side: partOf(service, color) }, rates[index]!);
  });
  for (const dropped of [[], DROPPED.slice(0, 1), DROPPED.slice(0, 2), DROPPED]) {
    const keep = (_cell: unknown, column: number): boolean => !dropped.includes(column);
    const rows = [HEAD, ...cells].map((row) => row.slice(0, SPARK_COLUMN).filter(keep));
    const widest = Math.max(...table(rows).split('\n').map(widthOf));
    const room = look.columns - widest - 2;
    if (room < SPARK_COLUMNS_MIN && dropped.length < DROPPED.length) continue;
    if (room < SPARK_COLUMNS_MIN) return table(rows);
    const width = Math.min(SPARK_COLUMNS_MAX, room);
    const bars = rates.map((one) => sparkline(one, max, width));
    return table(rows.map((row, index) => [...row, [HEAD[SPARK_COLUMN]!, ...bars][index]!]));
  }
  return '';
}

interface ColorOf {
  readonly color: (typeof COLORS)[number];
  readonly isActive: boolean;
  readonly side: unknown;
}

function colorCells(
  { terminal }: Look,
  { color, isActive, side }: ColorOf,
  rates: readonly number[],
): string[] {
  const latest = rates.slice(-NOW_SECONDS);
  const now = latest.reduce((sum, rate) => sum + rate, 0) / latest.length;
  return [
    isActive ? '*' : ' ',
    colorName(terminal, color),
    textOf(side, 'release'),
    sideHealth(terminal, side),
    shareText(partOf(side, 'lastMinute', 'share')),
    rateText(latest.length === 0 ? undefined : now),
    errorText(terminal, partOf(side, 'lastMinute', 'errorRate')),
    millisecondsText(partOf(side, 'lastMinute', 'p99Ms')),
    millisecondsText(partOf(side, 'lastMinute', 'p50Ms')),
    textOf(side, 'traffic', 'inflight'),
    textOf(side, 'traffic', 'tunnels'),
  ];
}

function ratesOf(side: unknown): readonly number[] {
  return listOf(side, 'lastMinute', 'requestsPerSecond').filter((rate) => typeof rate === 'number');
}

/** One error in a hundred is worth a look; any is worth to be seen. */
const ERRORS_ARE_MANY = 0.01;

function errorText(terminal: Terminal, rate: unknown): string {
  if (typeof rate !== 'number' || rate === 0) return shareText(rate);
  return styled(terminal, rate >= ERRORS_ARE_MANY ? 'red' : 'yellow', shareText(rate));
}

/** Returns how many targets of a side are up, in the color of its health. */
export function sideHealth(terminal: Terminal, side: unknown): string {
  const targets = listOf(side, 'targets');
  const health = textOf(side, 'health');
  if (targets.length === 0) return healthText(terminal, health, health);
  const up = targets.filter((target) => partOf(target, 'health') === 'up').length;
  const word = health === 'unknown' ? 'unknown' : `${up} of ${targets.length} up`;
  return healthText(terminal, health, word);
}

const HEALTH_STYLES = { up: 'green', down: 'red', partly: 'yellow' } as const;

function healthText(terminal: Terminal, health: string, text: string): string {
  const isStyled = health === 'up' || health === 'down' || health === 'partly';
  return isStyled ? styled(terminal, HEALTH_STYLES[health], text) : text;
}

function targetTable({ terminal, nowMs }: Look, service: unknown): string {
  const rows = [['', 'COLOR', 'TARGET', 'HEALTH', 'SINCE', 'REASON']];
  for (const color of COLORS) {
    for (const target of listOf(service, color, 'targets')) {
      const health = textOf(target, 'health');
      rows.push([
        ' ',
        colorName(terminal, color),
        targetText(target),
        healthText(terminal, health, health),
        agoText(partOf(target, 'changedAt'), nowMs),
        textOf(target, 'reason'),
      ]);
    }
  }
  return table(rows);
}

/** Returns one line for each name whose last lookup was not all well. */
function lookupLines({ terminal }: Look, service: unknown): string[] {
  return COLORS.flatMap((color) =>
    listOf(service, color, 'names').flatMap((name) => {
      const problem = textOf(name, 'problem');
      const text = `${textOf(name, 'url')}: ${problem}; its ${countText(textOf(name, 'addresses'), 'known address stays', 'known addresses stay')} in use`;
      return problem === '-' ? [] : [styled(terminal, 'yellow', text)];
    }),
  );
}

/** Returns one line for each drain: what is left, and until when at the latest. */
function drainLines({ terminal, nowMs }: Look, service: unknown): string[] {
  const lines = listOf(service, 'draining').map((drain) => {
    const release = releaseName(terminal, drain, 'color');
    const left = listOf(drain, 'reasons').map((_, index) => textOf(drain, 'reasons', index));
    const what = left.length === 0 ? 'nothing is left' : left.join(', ');
    const end = `cut ${inText(partOf(drain, 'deadlines', 'end'), nowMs)}`;
    return `  generation ${textOf(drain, 'generation')} (${release}): ${what}; ${end}`;
  });
  return lines.length === 0 ? [] : ['', '  DRAINS', ...lines];
}

function switchLines({ terminal, nowMs }: Look, service: unknown): string[] {
  const entries = listOf(service, 'switches');
  const previous = partOf(service, 'previous');
  // A server of an earlier version tells of one.
  const shown = entries.length > 0 || typeof previous !== 'object' ? entries : [previous];
  const rows = shown
    .filter((entry) => entry !== null)
    .map((entry) => [
      ' ',
      agoText(partOf(entry, 'at'), nowMs),
      `${colorName(terminal, textOf(entry, 'from'))} → ${colorName(terminal, textOf(entry, 'to'))}`,
      textOf(entry, 'release'),
      textOf(entry, 'outcome') + (partOf(entry, 'forced') === true ? ', forced' : ''),
      `by ${textOf(entry, 'actor')}`,
      textOf(entry, 'reason'),
    ]);
  if (rows.length === 0) return [];
  return ['', '  LAST SWITCHES', table(rows)];
}

/** Returns `v42 on blue`, or the color alone where the release has no name. */
export function releaseName(terminal: Terminal, value: unknown, colorKey: string): string {
  const color = colorName(terminal, textOf(value, colorKey));
  const release = textOf(value, 'release');
  return release === '-' ? color : `${release} on ${color}`;
}

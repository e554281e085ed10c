// The tables of the status: colors, targets, the last switches. Where a window is too narrow for
// one, each of its rows becomes a few short lines with the same facts.

import type { ServiceStatus, SideStatus, TargetStatus } from '../../api/status-answer.ts';
import { COLORS, type Color } from '../../contract/table.ts';
import { shown, targetText, type Lenient } from '../client/answer.ts';
import { fold } from '../terminal/fold.ts';
import { agoText, millisecondsText, rateText, shareText, sparkline } from '../terminal/numbers.ts';
import { colorName, styled, type Terminal } from '../terminal/print.ts';
import { table, widthOf } from '../terminal/width.ts';

export interface Look {
  readonly terminal: Terminal;
  readonly nowMs: number;
  /** Infinity: lines may be of any length. */
  readonly columns: number;
}

/** One bar for each second of the last minute. */
const SPARK_COLUMNS_MAX = 60;
/** Fewer bars show no course. */
const SPARK_COLUMNS_MIN = 10;
/** Seconds that "now" is the mean of: one alone jumps about. */
const NOW_SECONDS = 5;

const HEAD: readonly string[] =
  '|COLOR|RELEASE|HEALTH|SHARE|REQ/S|ERRORS|P99|P50|IN FLIGHT|TUNNELS|DEPLOYMENT|LAST MINUTE'.split(
    '|',
  );
const SPARK_COLUMN = HEAD.indexOf('LAST MINUTE');

/** What a narrow window has no room for, the least wanted first. */
const DROPPED = ['DEPLOYMENT', 'TUNNELS', 'IN FLIGHT', 'P50'].map((name) => HEAD.indexOf(name));

/** Returns both colors in as many columns as there is room for. */
export function colorLines(look: Look, service: Lenient<ServiceStatus>): string[] {
  const rates = COLORS.map((color) => service[color].lastMinute.requestsPerSecond);
  // One scale for both, so that a switch is seen as it happens.
  const max = Math.max(0, ...rates.flat());
  const cells = COLORS.map((color, index) => {
    const isActive = color === service.active;
    return colorCells(look, { color, isActive, side: service[color] }, rates[index]!);
  });
  for (let count = 0; count <= DROPPED.length; count++) {
    const dropped = DROPPED.slice(0, count);
    const keep = (_cell: unknown, column: number): boolean => !dropped.includes(column);
    const rows = [HEAD, ...cells].map((row) => row.slice(0, SPARK_COLUMN).filter(keep));
    const room = look.columns - widthOfTable(rows) - 2;
    if (room < SPARK_COLUMNS_MIN) {
      if (count < DROPPED.length) continue;
      if (room < -2) break;
      return tableLines(rows);
    }
    const width = Math.min(SPARK_COLUMNS_MAX, room);
    const bars = rates.map((one) => sparkline(one, { bars: look.terminal.signs.bars, max, width }));
    return tableLines(rows.map((row, index) => [...row, [HEAD[SPARK_COLUMN]!, ...bars][index]!]));
  }
  return cells.flatMap((row) => narrowColor(look, row));
}

interface ColorOf {
  readonly color: Color;
  readonly isActive: boolean;
  readonly side: Lenient<SideStatus>;
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
    shown(side.release),
    sideHealth(terminal, side),
    shareText(side.lastMinute.share),
    rateText(latest.length === 0 ? undefined : now),
    errorText(terminal, side.lastMinute.errorRate),
    millisecondsText(side.lastMinute.p99Ms),
    millisecondsText(side.lastMinute.p50Ms),
    shown(side.traffic.inflight),
    shown(side.traffic.tunnels),
    // 0: nothing is registered.
    shown(side.deployment === 0 ? undefined : side.deployment),
  ];
}

/** The cells of a row that has no room, each with its name. */
function narrowColor({ columns }: Look, cells: readonly string[]): string[] {
  const [mark, color, release, health, share, rate, errors, p99, , inFlight, tunnels, deployment] =
    cells;
  const facts = [
    `share ${share}`,
    `${rate} req/s`,
    `errors ${errors}`,
    `p99 ${p99}`,
    `in flight ${inFlight}`,
    `tunnels ${tunnels}`,
    `deployment ${deployment}`,
  ];
  const layout = { columns, indent: 4, gap: '  ' };
  return [
    ...fold([`${mark} ${color}`, release!, health!], layout),
    ...fold(facts, { ...layout, columns: columns - 4, indent: 0 }).map((line) => `    ${line}`),
  ];
}

/** One error in a hundred is worth a look; any is worth to be seen. */
const ERRORS_ARE_MANY = 0.01;

function errorText(terminal: Terminal, rate: number | null | undefined): string {
  if (rate === undefined || rate === null || rate === 0) return shareText(rate);
  return styled(terminal, rate >= ERRORS_ARE_MANY ? 'red' : 'yellow', shareText(rate));
}

/** Returns how many targets of a side are up, in the color of its health. */
export function sideHealth(terminal: Terminal, { targets, health }: Lenient<SideStatus>): string {
  if (targets.length === 0) return healthText(terminal, health, shown(health));
  const up = targets.filter((target) => target.health === 'up').length;
  const word = health === 'unknown' ? 'unknown' : `${up} of ${targets.length} up`;
  const out = targets.filter(isEjected).length;
  if (out === 0) return healthText(terminal, health, word);
  return healthText(terminal, health === 'up' ? 'partly' : health, `${word}, ${out} ejected`);
}

function healthText(
  terminal: Terminal,
  health: Lenient<SideStatus>['health'],
  text: string,
): string {
  if (health === 'up') return styled(terminal, 'green', text);
  if (health === 'partly') return styled(terminal, 'yellow', text);
  return health === 'down' ? styled(terminal, 'red', text) : text;
}

/** Left out because it fails live requests. A server of an earlier version does not tell. */
function isEjected({ health, ejected }: Lenient<TargetStatus>): boolean {
  return health !== 'down' && ejected !== undefined && ejected !== null;
}

/** Returns every target with its health, since when, and why. */
export function targetLines(
  { terminal, nowMs, columns }: Look,
  service: Lenient<ServiceStatus>,
): string[] {
  const rows = COLORS.flatMap((color) =>
    service[color].targets.map((target) => [
      ' ',
      colorName(terminal, color),
      targetText(target),
      isEjected(target)
        ? healthText(terminal, 'partly', 'ejected')
        : healthText(terminal, target.health, shown(target.health)),
      agoText(target.changedAt, nowMs),
      shown(isEjected(target) ? target.ejected?.reason : target.reason),
    ]),
  );
  const whole = [['', 'COLOR', 'TARGET', 'HEALTH', 'SINCE', 'REASON'], ...rows];
  if (widthOfTable(whole) <= columns) return tableLines(whole);
  return rows.flatMap(([, color, target, health, since, reason]) => {
    const facts = [health!, target!, since!, ...(reason === '-' ? [] : [reason!])];
    return fold([`  ${color}`, ...facts], { columns, indent: 4, gap: '  ' });
  });
}

/** Returns the last switches; nothing where there was none. */
export function switchLines(
  { terminal, nowMs, columns }: Look,
  { switches, previous }: Lenient<ServiceStatus>,
): string[] {
  // A server of an earlier version tells of one.
  const entries = switches.length > 0 || previous === null ? switches : [previous];
  const rows = entries.map((entry) => [
    ' ',
    agoText(entry.at, nowMs),
    `${colorName(terminal, shown(entry.from))} ${terminal.signs.arrow} ${colorName(terminal, shown(entry.to))}`,
    shown(entry.release),
    shown(entry.outcome) + (entry.forced === true ? ', forced' : ''),
    `by ${shown(entry.actor)}`,
    shown(entry.reason),
  ]);
  if (rows.length === 0) return [];
  if (widthOfTable(rows) <= columns) return ['', '  LAST SWITCHES', ...tableLines(rows)];
  const narrow = rows.flatMap(([, at, ...facts]) => {
    const said = facts.filter((fact) => fact !== '-');
    return fold([`  ${at}`, ...said], { columns, indent: 4, gap: '  ' });
  });
  return ['', '  LAST SWITCHES', ...narrow];
}

function tableLines(rows: readonly (readonly string[])[]): string[] {
  return table(rows).split('\n');
}

function widthOfTable(rows: readonly (readonly string[])[]): number {
  return Math.max(...tableLines(rows).map(widthOf));
}

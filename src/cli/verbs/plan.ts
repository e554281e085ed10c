// What a switch would do, as the status of the server tells it: shown before somebody is asked,
// and compared with what is true once they have answered.

import { countText } from '../../base/count-text.ts';
import { listOf, partOf, targetText, textOf } from '../client/answer.ts';
import type { Trouble } from '../client/client-command.ts';
import { freezeText, lockOutText } from './freeze.ts';
import { millisecondsText, shareText } from '../terminal/numbers.ts';
import { foldText } from '../terminal/fold.ts';
import { listing } from '../terminal/listing.ts';
import { colorName, errorSide, styled, type Terminal } from '../terminal/print.ts';
import { sideHealth } from './status-tables.ts';
import { releaseName } from './status-text.ts';

export type Color = 'blue' | 'green';

export interface Plan {
  readonly service: string;
  /** What the answer speaks of; a change may be bound to it. */
  readonly generation: number;
  readonly from: Color;
  readonly to: Color;
  /** The two sides and the service, as the status has them. */
  readonly left: unknown;
  readonly next: unknown;
  /** Why the server would refuse it, whatever its health; undefined: it would not. */
  readonly barred: Trouble | undefined;
  /** Equal in two plans: who agreed to the one has agreed to the other. */
  readonly key: string;
}

export type Planned =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly trouble: Trouble };

/** Returns what a switch of the only service in `status` to `to` would do. */
export function planOf(status: unknown, to: Color | undefined): Planned {
  const services = listOf(status, 'services');
  const service = services[0];
  if (services.length !== 1) return serviceRequired(services);
  const active = partOf(service, 'active');
  const generation = partOf(status, 'generation');
  if ((active !== 'blue' && active !== 'green') || typeof generation !== 'number') {
    const message = 'expected the status of a Turnout, got something else';
    return { ok: false, trouble: { code: 'no-answer', message } };
  }
  const wanted: Color = to ?? (active === 'blue' ? 'green' : 'blue');
  const next = partOf(service, wanted);
  const plan: Plan = {
    service: textOf(service, 'name'),
    generation,
    from: active,
    to: wanted,
    left: partOf(service, active),
    next,
    barred: barOf(status, next, `${textOf(service, 'name')}: ${wanted}`),
    key: JSON.stringify([
      active,
      wanted,
      partOf(service, 'since', 'generation'),
      textOf(next, 'release'),
      listOf(next, 'targets').map((target) => [textOf(target, 'url'), textOf(target, 'health')]),
    ]),
  };
  return { ok: true, plan };
}

/** The same words as from the server, which is not asked for this. */
function serviceRequired(services: readonly unknown[]): Planned {
  const names = services.map((service) => textOf(service, 'name')).join(', ');
  const problem = {
    title: 'A service must be named',
    detail: `expected one of: ${names}`,
    code: 'service-required',
  };
  return { ok: false, trouble: { code: 'problem', status: 400, problem } };
}

/** What nobody should be asked to agree to. */
function barOf(status: unknown, next: unknown, where: string): Trouble | undefined {
  const frozen = partOf(status, 'freeze');
  if (isThere(frozen)) {
    const title = 'All switching is frozen';
    const problem = { title, detail: freezeText(frozen), code: 'switching-frozen' };
    return { code: 'problem', status: 423, problem };
  }
  const lockedOut = partOf(next, 'lockedOut');
  if (!isThere(lockedOut)) return undefined;
  const problem = {
    title: 'The release is locked out',
    detail: `${where}: ${lockOutText(textOf(next, 'release'), lockedOut)}`,
    code: 'release-locked-out',
  };
  return { code: 'problem', status: 409, problem };
}

/** Servers of earlier versions do not tell. */
function isThere(value: unknown): boolean {
  return value !== null && value !== undefined;
}

/** Returns `plan` for a person, in the styles of standard error. */
export function planText(terminal: Terminal, plan: Plan, holdText: string | undefined): string {
  const shown = errorSide(terminal);
  const { left, next, from, to } = plan;
  const columns = terminal.liveColumns();
  const head = ['', 'COLOR', 'RELEASE', 'HEALTH', 'SHARE', 'ERRORS', 'P99'];
  const rows = [sideRow(shown, ['from', from, left]), sideRow(shown, ['to', to, next])];
  const targets = listOf(next, 'targets').map((target) => [
    `      ${targetText(target)}`,
    textOf(target, 'health'),
    textOf(target, 'reason').replace(/^-$/, ''),
  ]);
  const isHealthy = partOf(next, 'health') === 'up';
  const warning = `${to} is not healthy: this is refused unless --force and --reason are given`;
  return [
    `service ${plan.service}:`,
    listing(head, rows, columns),
    listing(['', '', ''], targets, columns),
    ...foldText(whatHappens(shown, plan, holdText), columns, 0),
    ...(isHealthy ? [] : foldText(warning, columns, 0).map((line) => styled(shown, 'red', line))),
  ].join('\n');
}

function sideRow(
  terminal: Terminal,
  [word, color, side]: readonly [word: string, color: Color, side: unknown],
): string[] {
  return [
    `  ${word}`,
    colorName(terminal, color),
    textOf(side, 'release'),
    sideHealth(terminal, side),
    shareText(partOf(side, 'lastMinute', 'share')),
    shareText(partOf(side, 'lastMinute', 'errorRate')),
    millisecondsText(partOf(side, 'lastMinute', 'p99Ms')),
  ];
}

function whatHappens(
  terminal: Terminal,
  { left, next, from, to }: Plan,
  holdText: string | undefined,
): string {
  const name = (side: unknown, color: Color): string =>
    releaseName(terminal, { color, release: textOf(side, 'release') }, 'color');
  const count = (key: string): string => textOf(left, 'traffic', key);
  const counts =
    `${countText(count('inflight'), 'request')}, ${countText(count('tunnels'), 'tunnel')}, ` +
    `${countText(count('streams'), 'event stream')}, about ${countText(count('sessions'), 'session')}`;
  if (holdText !== undefined) {
    return (
      `New requests wait for up to ${holdText} until those on ${name(left, from)} have ended ` +
      `(${counts}); then all go to ${name(next, to)}.`
    );
  }
  return (
    `New requests go to ${name(next, to)} at once. ` +
    `What is on ${name(left, from)} drains: ${counts}.`
  );
}

// What a switch would do, as the status of the server tells it: shown before a person is asked,
// and compared with what is true once the answer is there.

import { countText } from '../../base/count-text.ts';
import type { ServiceStatus, SideStatus, StatusAnswer } from '../../api/status-answer.ts';
import { COLORS, otherColor, type Color } from '../../contract/table.ts';
import { shown, targetText, type Lenient } from '../client/answer.ts';
import { refusal, type Trouble } from '../client/client-command.ts';
import { millisecondsText, shareText } from '../terminal/numbers.ts';
import { foldText } from '../terminal/fold.ts';
import { listing } from '../terminal/listing.ts';
import { colorName, errorSide, styled, type Terminal } from '../terminal/print.ts';
import { sideHealth } from './status-tables.ts';
import { freezeText, lockOutText, releaseName } from './status-text.ts';

export interface Plan {
  readonly service: string;
  /** What the answer speaks of; a change may be bound to it. */
  readonly generation: number;
  readonly from: Color;
  readonly to: Color;
  /** The two sides and the service, as the status has them. */
  readonly left: Lenient<SideStatus>;
  readonly next: Lenient<SideStatus>;
  /** Why the server would refuse it, whatever its health; undefined: it would not. */
  readonly barred: Trouble | undefined;
  /** Equal in two plans that do the same: a yes to the one is a yes to the other. */
  readonly key: string;
}

export type Planned =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly trouble: Trouble };

/** Returns what a switch of the only service in `status` to `to` would do. */
export function planOf(status: Lenient<StatusAnswer>, to: Color | undefined): Planned {
  const { services, generation, freeze } = status;
  const [service] = services;
  if (service === undefined || services.length !== 1) return serviceRequired(services);
  const active = COLORS.find((color) => color === service.active);
  if (active === undefined || generation === undefined) {
    const message = 'expected the status of a Turnout, got something else';
    return { ok: false, trouble: { code: 'no-answer', message } };
  }
  const wanted = to ?? otherColor(active);
  const next = service[wanted];
  const name = shown(service.name);
  const plan: Plan = {
    service: name,
    generation,
    from: active,
    to: wanted,
    left: service[active],
    next,
    barred: barOf(freeze, next, `${name}: ${wanted}`),
    key: JSON.stringify([
      active,
      wanted,
      service.since.generation,
      next.release,
      next.targets.map(({ url, health }) => [url, health]),
    ]),
  };
  return { ok: true, plan };
}

/** The same words as from the server, which is not asked for this. */
function serviceRequired(services: readonly Lenient<ServiceStatus>[]): Planned {
  const names = services.map(({ name }) => shown(name)).join(', ');
  return { ok: false, trouble: refusal('service-required', `expected one of: ${names}`) };
}

/** Returns why the server would refuse a switch, so that it is not even proposed. */
function barOf(
  freeze: Lenient<StatusAnswer>['freeze'],
  { release, lockedOut }: Lenient<SideStatus>,
  where: string,
): Trouble | undefined {
  if (freeze !== null) return refusal('switching-frozen', freezeText(freeze));
  if (lockedOut === null) return undefined;
  return refusal('release-locked-out', `${where}: ${lockOutText(shown(release), lockedOut)}`);
}

/** Returns `plan` for a person, in the styles of standard error. */
export function planText(terminal: Terminal, plan: Plan, holdText: string | undefined): string {
  const errors = errorSide(terminal);
  const { left, next, from, to } = plan;
  const columns = terminal.liveColumns();
  const head = ['', 'COLOR', 'RELEASE', 'HEALTH', 'SHARE', 'ERRORS', 'P99'];
  const rows = [sideRow(errors, ['from', from, left]), sideRow(errors, ['to', to, next])];
  const targets = next.targets.map((target) => [
    `      ${targetText(target)}`,
    shown(target.health),
    target.reason ?? '',
  ]);
  const isHealthy = next.health === 'up';
  const warning = `${to} is not healthy: this is refused unless --force and --reason are given`;
  return [
    `service ${plan.service}:`,
    listing(head, rows, columns),
    listing(['', '', ''], targets, columns),
    ...foldText(whatHappens(errors, plan, holdText), columns, 0),
    ...(isHealthy ? [] : foldText(warning, columns, 0).map((line) => styled(errors, 'red', line))),
  ].join('\n');
}

function sideRow(
  terminal: Terminal,
  [word, color, side]: readonly [word: string, color: Color, side: Lenient<SideStatus>],
): string[] {
  return [
    `  ${word}`,
    colorName(terminal, color),
    shown(side.release),
    sideHealth(terminal, side),
    shareText(side.lastMinute.share),
    shareText(side.lastMinute.errorRate),
    millisecondsText(side.lastMinute.p99Ms),
  ];
}

function whatHappens(
  terminal: Terminal,
  { left, next, from, to }: Plan,
  holdText: string | undefined,
): string {
  const name = ({ release }: Lenient<SideStatus>, color: Color): string =>
    releaseName(terminal, { color, release });
  const { inflight, tunnels, streams, sessions } = left.traffic;
  const counts =
    `${countText(shown(inflight), 'request')}, ${countText(shown(tunnels), 'tunnel')}, ` +
    `${countText(shown(streams), 'event stream')}, about ${countText(shown(sessions), 'session')}`;
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

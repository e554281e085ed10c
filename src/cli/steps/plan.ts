// What a switch would do, as the status of the server tells it: shown before a person is asked,
// and compared with what is true once the answer is there.

import { countText } from '../../base/count-text.ts';
import {
  side as sideSchema,
  type ServiceStatus,
  type SideStatus,
  type StatusAnswer,
} from '../../api/status-answer.ts';
import { COLORS, otherColor, type Color } from '../../contract/table.ts';
import { readLeniently, shown, targetText, type Lenient } from '../client/answer.ts';
import { refusal, type Trouble } from '../client/client-command.ts';
import { millisecondsText, shareText } from '../terminal/numbers.ts';
import { foldText } from '../terminal/fold.ts';
import { listing } from '../terminal/listing.ts';
import { colorName, errorSide, styled, type Terminal } from '../terminal/print.ts';
import { sideHealth } from '../texts/status-tables.ts';
import { freezeText } from '../texts/freeze-text.ts';
import { lockOutText, releaseName } from '../texts/release-text.ts';

export interface Plan {
  readonly service: string;
  /** What the answer speaks of; a change may be bound to it. */
  readonly generation: number;
  readonly from: Color;
  readonly to: Color;
  /** What is active, as the status has it. */
  readonly left: Lenient<SideStatus>;
  /** What would be active; little is known of a kept one. */
  readonly next: Lenient<SideStatus>;
  /** No color has the wanted deployment now: it would come to `to`. */
  readonly isKept: boolean;
  /** Why the server would refuse it, whatever its health; undefined: it would not. */
  readonly barred: Trouble | undefined;
  /** Equal in two plans that a person would take for the same: a yes to the one is a yes to the other. */
  readonly key: string;
  /** Equal in two plans that move traffic between the same deployments, however well these are. */
  readonly binding: string;
}

export type Planned =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly trouble: Trouble };

/** Returns what a switch of the only service in `status` to `to` would do; undefined: the other color. */
export function planOf(status: Lenient<StatusAnswer>, to: string | undefined): Planned {
  const { services, generation, freeze } = status;
  const [service] = services;
  if (service === undefined || services.length !== 1) return serviceRequired(services);
  const active = COLORS.find((color) => color === service.active);
  if (active === undefined || generation === undefined) {
    const message = 'expected the status of a Turnout, got something else';
    return { ok: false, trouble: { code: 'no-answer', message } };
  }
  const wanted = colorOf(service, to ?? otherColor(active));
  const color = wanted ?? otherColor(active);
  const next = wanted === undefined ? keptSide(service, to!) : service[wanted];
  const name = shown(service.name);
  const plan: Plan = {
    service: name,
    generation,
    from: active,
    to: color,
    left: service[active],
    next,
    isKept: wanted === undefined,
    barred: barOf({ all: freeze, own: service.freeze }, next, { name, color }),
    key: JSON.stringify([
      active,
      color,
      service.since.generation,
      next.deployment,
      next.release,
      next.targets.map(({ url, health }) => [url, health]),
    ]),
    binding: JSON.stringify([active, color, service.since.generation, next.deployment]),
  };
  return { ok: true, plan };
}

/** Returns the color that has what is meant: a color, a release, the number of a deployment. */
function colorOf(service: Lenient<ServiceStatus>, to: string): Color | undefined {
  return (
    COLORS.find((color) => color === to) ??
    COLORS.find((color) => service[color].release === to) ??
    COLORS.find((color) => String(service[color].deployment) === to)
  );
}

/** Returns what is known of a deployment that no color has: the one that drains, or its name alone. */
function keptSide({ draining }: Lenient<ServiceStatus>, to: string): Lenient<SideStatus> {
  const drain =
    draining.findLast(({ release }) => release === to) ??
    draining.find(({ deployment }) => String(deployment) === to);
  const isNumber = /^\d+$/.test(to);
  const known =
    drain === undefined
      ? { release: isNumber ? '' : to, deployment: isNumber ? Number(to) : undefined }
      : { ...drain, targets: drain.targets.map((url) => ({ url })) };
  return readLeniently(sideSchema, known);
}

/** The same words as from the server, which is not asked for this. */
function serviceRequired(services: readonly Lenient<ServiceStatus>[]): Planned {
  const names = services.map(({ name }) => shown(name)).join(', ');
  return { ok: false, trouble: refusal('service-required', `expected one of: ${names}`) };
}

/** Returns why the server would refuse a switch, so that it is not even proposed. */
function barOf(
  { all, own }: Record<'all' | 'own', Lenient<StatusAnswer>['freeze'] | undefined>,
  { release, lockedOut }: Lenient<SideStatus>,
  { name, color }: { readonly name: string; readonly color: Color },
): Trouble | undefined {
  if (all?.at !== undefined) return refusal('switching-frozen', freezeText(all));
  if (own?.at !== undefined) return refusal('switching-frozen', freezeText(own, name));
  if (lockedOut === null) return undefined;
  return refusal(
    'release-locked-out',
    `${name}: ${color}: ${lockOutText(shown(release), lockedOut)}`,
  );
}

/** Returns why there would be no way back as things are; undefined: there would be one. */
export function wayBackProblem({ left, from }: Plan): string | undefined {
  if (left.health !== 'down' && left.health !== 'empty') return undefined;
  const why =
    left.health === 'empty'
      ? `${from} has no target`
      : `${from} is down (${left.targets[0]?.reason || 'its checks fail'})`;
  return `the way back would be shut: ${why}, so a rollback would be refused without --force and --reason`;
}

/** How traffic gets there. */
interface Way {
  /** How long requests wait for others to end; undefined: none waits. */
  readonly holdText: string | undefined;
  /** In which steps it moves; undefined: in one. */
  readonly stepsText?: string | undefined;
}

/** Returns `plan` for a person, in the styles of standard error. */
export function planText(terminal: Terminal, plan: Plan, how: Way): string {
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
  const kept = 'It is on no color now: its targets are asked before it gets traffic.';
  const isSick = !plan.isKept && next.health !== 'up';
  const warning = `${to} is not healthy: this is refused unless --force and --reason are given`;
  const shut = wayBackProblem(plan);
  return [
    `service ${plan.service}:`,
    listing(head, rows, columns),
    ...(targets.length === 0 ? [] : [listing(['', '', ''], targets, columns)]),
    ...foldText(whatHappens(errors, plan, how), columns, 0),
    ...(plan.isKept ? foldText(kept, columns, 0) : []),
    ...(shut === undefined
      ? []
      : foldText(shut, columns, 0).map((line) => styled(errors, 'yellow', line))),
    ...(isSick ? foldText(warning, columns, 0).map((line) => styled(errors, 'red', line)) : []),
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
  { left, next, from, to, isKept }: Plan,
  { holdText, stepsText }: Way,
): string {
  const name = ({ release, deployment }: Lenient<SideStatus>, color: Color): string =>
    isKept && color === to && shown(release) === '-'
      ? `deployment ${shown(deployment)} on ${colorName(terminal, color)}`
      : releaseName(terminal, { color, release });
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
  if (stepsText !== undefined) {
    return (
      `New sessions go to ${name(next, to)} in steps: ${stepsText}. ` +
      `Those on ${name(left, from)} stay there until it drains: ${counts}.`
    );
  }
  return (
    `New requests go to ${name(next, to)} at once. ` +
    `What is on ${name(left, from)} drains: ${counts}.`
  );
}

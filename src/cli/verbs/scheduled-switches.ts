// `turnout switch --at` and `turnout scheduled`: switches that are ordered for later, and taken back.

import {
  scheduledAnswer,
  scheduledListAnswer,
  type cancelBody,
  type ScheduledAnswer,
  type ScheduledListAnswer,
  type ScheduledOrder,
} from '../../api/scheduled.ts';
import type { switchBody } from '../../api/switching.ts';
import { shown, type Lenient } from '../client/answer.ts';
import {
  askAndPrint,
  changeOf,
  complain,
  withService,
  type ClientFlags,
  type Fields,
} from '../client/client-command.ts';
import type { ExitCode } from '../client/exit.ts';
import { timeProblem } from '../client/flag-check.ts';
import { parseMoment, zoneOf } from '../steps/moment.ts';
import { orderText as whatOf } from '../texts/release-text.ts';
import { listing } from '../terminal/listing.ts';
import { inText, timeText } from '../terminal/numbers.ts';
import type { Terminal } from '../terminal/print.ts';
import { migrateProblem } from './switch.ts';

export interface OrderFlags extends ClientFlags {
  readonly to: string | undefined;
  /** `03:00`, or a date and a time. */
  readonly at: string | undefined;
  /** Instead: from now on, such as `2h`. */
  readonly in: string | undefined;
  /** Whose clock `at` means; undefined: that of this machine. */
  readonly zone: string | undefined;
  readonly grace: string | undefined;
  readonly hold: string | undefined;
  readonly migrate: string | undefined;
  readonly plan: string | undefined;
  readonly services: string | undefined;
  readonly force: boolean;
  readonly reason: string | undefined;
  readonly wait: boolean;
}

/** Orders a switch for later. */
export async function orderSwitch(terminal: Terminal, flags: OrderFlags): Promise<ExitCode> {
  const due = dueOf(terminal, flags);
  if (typeof due === 'string') return complain(terminal, flags, { code: 'usage', message: due });
  const { to, grace, hold, migrate, plan, force, reason } = flags;
  const services = flags.services?.split(',').map((name) => name.trim());
  const body: Fields<typeof switchBody> = {
    to,
    ...due,
    ...(grace === undefined ? {} : { grace }),
    ...(hold === undefined ? {} : { hold }),
    ...(migrate === undefined ? {} : { migrate }),
    ...(plan === undefined ? {} : { plan }),
    ...(services === undefined ? {} : { services }),
    ...(force ? { force } : {}),
    ...(reason === undefined ? {} : { reason }),
  };
  const path = '/v1/switch';
  const question =
    services === undefined
      ? changeOf(terminal, flags, { path, body, answer: scheduledAnswer })
      : ({ method: 'POST', path, body, answer: scheduledAnswer } as const);
  return await askAndPrint(terminal, flags, {
    question,
    show: (answer) => orderedText(answer, terminal.nowMs()),
  });
}

/** Returns when it is due, or what is wrong with the flags. */
function dueOf(
  terminal: Terminal,
  flags: OrderFlags,
): Pick<Fields<typeof switchBody>, 'at' | 'in'> | string {
  const { at, in: later, zone, to, force, reason, wait } = flags;
  if (to === undefined)
    return '--at and --in: say where to; what is meant must not depend on the day';
  if (at !== undefined && later !== undefined) return '--at and --in: say when by one of them';
  if (wait)
    return '--wait: of no use with a switch for later; `turnout scheduled` tells what came of it';
  if (force && (reason ?? '') === '') return '--force needs --reason TEXT: the history keeps it';
  const problem =
    migrateProblem(flags) ?? timeProblem('--in', later) ?? timeProblem('--grace', flags.grace);
  if (problem !== undefined) return problem;
  if (at === undefined) return zone === undefined ? { in: later } : '--zone: of use with --at only';
  const meant = zoneOf(zone);
  if (!meant.ok) return `--zone: ${meant.problem}`;
  const moment = parseMoment(at, { nowMs: terminal.nowMs(), zone: meant.value });
  return moment.ok ? { at: new Date(moment.value).toISOString() } : `--at: ${moment.problem}`;
}

function orderedText({ scheduled }: Lenient<ScheduledAnswer>, nowMs: number): string {
  const { id, at } = scheduled;
  return (
    `${shown(id)}: ${whatOf(scheduled)} becomes active at ${timeText(at)} (${inText(at, nowMs)}); ` +
    `\`turnout scheduled cancel ${shown(id)}\` takes it back`
  );
}

export interface ListFlags extends ClientFlags {
  /** Of one order; undefined: all. */
  readonly id: string | undefined;
}

/** Lists what is ordered, and what came of the last orders. */
export async function scheduled(terminal: Terminal, flags: ListFlags): Promise<ExitCode> {
  return await askAndPrint(terminal, flags, {
    question: {
      method: 'GET',
      path: withService(terminal, flags, '/v1/scheduled'),
      body: undefined,
      answer: scheduledListAnswer,
    },
    show: (answer) => listText(terminal, answer, flags.id),
  });
}

function listText(
  terminal: Terminal,
  { pending, over }: Lenient<ScheduledListAnswer>,
  id: string | undefined,
): string {
  const all = [...pending, ...over].filter((one) => id === undefined || one.id === id);
  if (all.length === 0) {
    if (id !== undefined) return `no switch is ordered under ${id}`;
    return 'no switch is ordered: `turnout switch green --at 03:00` orders one';
  }
  const nowMs = terminal.nowMs();
  const head = ['ORDER', 'DUE', 'WHAT', 'BY', 'REASON', 'STATE'];
  const rows = all.map((one) => [
    shown(one.id),
    timeText(one.at),
    whatOf(one),
    shown(one.actor),
    one.reason ?? '',
    one.end === null ? inText(one.at, nowMs) : endText(one.end),
  ]);
  return listing(head, rows, terminal.size()?.columns ?? Infinity);
}

function endText({ outcome, detail }: NonNullable<Lenient<ScheduledOrder>['end']>): string {
  return detail === undefined || detail === '' ? shown(outcome) : `${shown(outcome)}: ${detail}`;
}

export interface CancelFlags extends ClientFlags {
  readonly id: string;
  readonly reason: string | undefined;
}

/** Takes an order back. */
export async function cancelScheduled(terminal: Terminal, flags: CancelFlags): Promise<ExitCode> {
  const { id, reason } = flags;
  if (!/^s-\d{1,15}$/.test(id)) {
    const message = 'expected an order such as s-12: `turnout scheduled` lists them';
    return complain(terminal, flags, { code: 'usage', message });
  }
  return await askAndPrint(terminal, flags, {
    question: {
      method: 'POST',
      path: `/v1/scheduled/${id}/cancel`,
      body: { reason } satisfies Fields<typeof cancelBody>,
      answer: scheduledAnswer,
    },
    show: ({ scheduled: order }) =>
      `${shown(order.id)}: ${whatOf(order)} is not switched to; taken back`,
  });
}

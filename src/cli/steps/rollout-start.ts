// A rollout that a command asks for: what its flags say of it, what would refuse it, and what goes on
// once it has begun.

import { durationText } from '../../base/duration.ts';
import { rolloutStarted, type rolloutBody, type RolloutStarted } from '../../api/rollouts.ts';
import {
  parseTrafficPlan,
  planText,
  shareText,
  type TrafficPlan,
} from '../../config/values/traffic-plan.ts';
import { documentOf, shown, type Lenient } from '../client/answer.ts';
import {
  askQuietly,
  complain,
  jsonOf,
  serviceFlag,
  withService,
  type ClientFlags,
  type Fields,
} from '../client/client-command.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { timeProblem } from '../client/flag-check.ts';
import { foldText } from '../terminal/fold.ts';
import { jsonText, styled, type Terminal } from '../terminal/print.ts';
import { table } from '../terminal/width.ts';
import { endOfFollowing, untilOf } from './rollout-follow.ts';
import { eventText } from '../texts/rollout-state-text.ts';
import { watchAnywhere } from './rollout-watch.ts';

/** How traffic moves, and what comes of what is seen meanwhile; undefined: as the settings say. */
export interface TermFlags {
  readonly plan: string | undefined;
  readonly bake: string | undefined;
  readonly guard: string | undefined;
}

/** Tells whether flags ask for a rollout, whatever the settings say. */
export function wantsRollout({ plan, bake, guard }: TermFlags): boolean {
  return (plan ?? bake ?? guard) !== undefined;
}

/** Returns what is wrong with flags about a rollout, or undefined. */
export function termsProblem({ plan, bake }: TermFlags): string | undefined {
  const parsed = plan === undefined ? undefined : parseTrafficPlan(plan);
  if (parsed?.ok === false) return `--plan: ${parsed.problem}`;
  return timeProblem('--bake', bake);
}

/** Returns the steps of a plan in a line; undefined: there is one. */
export function stepsTextOf({ plan }: TermFlags): string | undefined {
  const parsed = parseTrafficPlan(plan);
  return parsed.ok && parsed.value.steps.length > 1 ? planText(parsed.value) : undefined;
}

/** Returns what flags say of a rollout as members of a body. */
export function termsOf({
  plan,
  bake,
  guard,
}: TermFlags): Pick<Fields<typeof rolloutBody>, 'plan' | 'bake' | 'guard'> {
  return {
    ...(plan === undefined ? {} : { plan }),
    ...(bake === undefined ? {} : { bake }),
    ...(guard === undefined ? {} : { guard }),
  };
}

/** Returns the steps of a plan as the API tells them. */
export function planStepsJson({ name, steps, rampMs }: TrafficPlan): object {
  return {
    plan: name,
    steps: steps.map(({ share, forMs, end }) => ({
      share: share / 100,
      for: forMs === 0 ? null : durationText(forMs),
      pause: end === 'pause',
      approve: end === 'approve',
    })),
    ramp: rampMs === 0 ? null : durationText(rampMs),
  };
}

/** Returns the steps of a plan, a line for each. */
export function planStepsText({ name, steps, rampMs }: TrafficPlan): string {
  const rows = steps.map(({ share, forMs, end }) => {
    const time = forMs === 0 ? '' : `for ${durationText(forMs)}`;
    const then = { next: '', pause: 'then waits until it is resumed', approve: APPROVES }[end];
    return [`  ${shareText(share)}`, time, then];
  });
  const leastMs = steps.reduce((sum, { forMs }) => sum + forMs + rampMs, 0);
  const count = steps.length === 1 ? '1 step' : `${steps.length} steps`;
  const least = leastMs === 0 ? '' : `, at least ${durationText(leastMs)}`;
  const ramp = rampMs === 0 ? [] : [`  each share is reached over ${durationText(rampMs)}`];
  return [`${name}: ${count}${least}`, table(rows), ...ramp].join('\n');
}

const APPROVES = 'then waits until it is approved';

export interface StartFlags extends ClientFlags, TermFlags {
  readonly yes: boolean;
  readonly dryRun: boolean;
  readonly wait: boolean;
  /** How far a rollout that is waited for has to get. */
  readonly until: string | undefined;
}

/** Starts a rollout that `body` asks for; shows what it is and asks first where a person is. */
export async function startRollout(
  terminal: Terminal,
  flags: StartFlags,
  body: Fields<typeof rolloutBody>,
): Promise<ExitCode> {
  const path = withService(terminal, flags, '/v1/rollouts');
  const question = { method: 'POST', path, body, answer: rolloutStarted } as const;
  const isAsking = terminal.ask !== undefined && !flags.yes && !flags.json;
  let seen: number | undefined;
  if (flags.dryRun || isAsking) {
    const would = await askQuietly(terminal, flags, {
      ...question,
      body: { ...body, dryRun: true },
    });
    if (!would.ok) return complain(terminal, flags, would.trouble);
    const { refusals, generation } = would.answer;
    const isRefused = refusals.length > 0;
    if (flags.dryRun && flags.json) terminal.out(jsonOf(would.answer));
    else (flags.dryRun ? terminal.out : terminal.err)(startText(terminal, would.answer));
    if (flags.dryRun || isRefused) return isRefused ? EXIT.refused : EXIT.done;
    const answer = (await terminal.ask?.('start it? [y/N] ')) ?? '';
    if (!/^y(es)?$/i.test(answer.trim())) {
      return complain(terminal, flags, { code: 'not-confirmed', message: 'nothing has changed' });
    }
    seen = generation;
  }
  const heard = await askQuietly(terminal, flags, {
    ...question,
    ...(seen === undefined ? {} : { ifMatch: seen }),
  });
  if (!heard.ok) return complain(terminal, flags, heard.trouble);
  const { answer } = heard;
  return await goesOn(terminal, flags, { id: shown(answer.id), answer, timeoutMs: undefined });
}

/** Returns what a rollout would do and what would refuse it. */
function startText(
  terminal: Terminal,
  { plan, bake, guard, gates, refusals }: Lenient<RolloutStarted>,
): string {
  const columns = terminal.size()?.columns ?? Infinity;
  const steps = plan.steps.map(({ share, for: time, pause, approve }) => [
    `  ${shown(share)} %`,
    typeof time === 'string' ? `for ${time}` : '',
    approve === true ? APPROVES : pause === true ? 'then waits until it is resumed' : '',
  ]);
  const asked = gates.map(({ name, at, isSkipped }) => {
    return `${shown(name)} (${isSkipped === true ? 'left out' : shown(at)})`;
  });
  return [
    `plan ${shown(plan.text)}:`,
    table(steps),
    `  bake ${shown(bake)}, guard ${shown(guard)}`,
    ...(asked.length === 0 ? [] : foldText(`  gates ${asked.join(', ')}`, columns, 4)),
    ...(refusals.length === 0 ? ['nothing would refuse it'] : []),
    ...refusals.flatMap(({ code, detail, service }) => {
      const about = service === undefined ? '' : `${service}: `;
      const text = `refused: ${about}${shown(detail)} (${shown(code)})`;
      return foldText(text, columns, 2).map((line) => styled(terminal, 'red', line));
    }),
  ].join('\n');
}

/** What has begun, and for how long it is followed. */
interface Begun {
  readonly id: string;
  /** The answer to the call that began it. */
  readonly answer: object;
  readonly timeoutMs: number | undefined;
}

/** Tells of a rollout that a command has begun; follows it if asked to. */
export async function goesOn(
  terminal: Terminal,
  flags: ClientFlags & Pick<StartFlags, 'wait' | 'until'>,
  { id, answer, timeoutMs }: Begun,
): Promise<ExitCode> {
  const { json, wait } = flags;
  const until = untilOf(flags.until) ?? 'done';
  if (!wait) {
    if (json) terminal.out(jsonOf(answer));
    else
      terminal.out(
        `rollout ${id} has begun: \`turnout rollout watch ${id}${serviceFlag(flags)}\` shows it`,
      );
    return EXIT.done;
  }
  const followed = await watchAnywhere(
    terminal,
    flags,
    { id, until, timeoutMs },
    (event) => json || terminal.out(eventText(id, event)),
  );
  const isTold = followed.kind === 'over' || followed.kind === 'timeout';
  const begun = Object(documentOf(answer)) as object;
  if (json && isTold) {
    terminal.out(jsonText({ ...begun, rollout: documentOf(followed.view) }));
  }
  return endOfFollowing(terminal, flags, followed, begun);
}

// A program of the operator as a gate. It is named in the configuration file alone: an actor who may switch
// can't start programs by that. One at a time for each rollout, ended with its group when it is called off.

import type { CommandGateSettings } from '../../config/settings/rollout/rollout-settings.ts';
import { unlessCalledOff } from '../base/called-off.ts';
import type { Gate, GateContext, GateParts, GateResult } from './asked-gate.ts';
import { runCommand, type CommandEnd } from './command-run.ts';
import { endLeftovers } from './leftover-processes.ts';
import { shownText } from './shown-text.ts';

/** EX_TEMPFAIL of sysexits.h: not now, ask again. */
const LATER_CODE = 75;
const DETAIL_CHARS_MAX = 2_048;
/** Of our environment a command gets these and LC_*: what programs need to run, and no secret. */
const PASSED = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'TZ', 'TMPDIR'];
const ATTEMPT = 'TURNOUT_ATTEMPT';

/** What of a rollout runs: the next program waits for its end. */
const running = new Map<string, Promise<unknown>>();

/** Questions that this process has asked, the latest last. */
const asked = new Set<string>();
/** More than the gates of all rollouts that can run at once. */
const ASKED_MAX = 10_000;

/** Tells whether this process asks `attempt` for the first time. */
function isFirst(attempt: string): boolean {
  if (asked.has(attempt)) return false;
  asked.add(attempt);
  const [oldest] = asked;
  if (asked.size > ASKED_MAX && oldest !== undefined) asked.delete(oldest);
  return true;
}

/** Makes the gate. */
export function commandGate(
  settings: CommandGateSettings,
  { environment }: Pick<GateParts, 'environment'>,
): Gate {
  async function run(context: GateContext, signal: AbortSignal): Promise<GateResult> {
    // A process before this one may have been killed while this question was asked.
    if (isFirst(context.attempt)) await endLeftovers(ATTEMPT, context.attempt);
    if (signal.aborted) return CALLED_OFF;
    const command = runCommand(settings.command, environmentOf(context, environment));
    const end = (): void => command.end();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    try {
      return resultOf(await command.ended);
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  return {
    async ask(context, signal) {
      const before = running.get(context.rollout);
      const work = (before ?? Promise.resolve()).then(() => run(context, signal));
      running.set(context.rollout, work);
      void work.finally(() => {
        if (running.get(context.rollout) === work) running.delete(context.rollout);
      });
      // The caller goes on at once; the program ends meanwhile.
      return await unlessCalledOff(work, signal).catch(() => CALLED_OFF);
    },
  };
}

const CALLED_OFF: GateResult = { verdict: 'error', detail: 'called off' };

function resultOf(end: CommandEnd): GateResult {
  if (end.kind === 'failed') return { verdict: 'error', detail: end.reason };
  const said = shownText(end.tail, DETAIL_CHARS_MAX);
  const after = said === '' ? '' : `: ${said}`;
  if (end.kind === 'signal') return { verdict: 'fail', detail: `ended by ${end.signal}${after}` };
  if (end.code === 0) return { verdict: 'ok', detail: `exit code 0${after}` };
  const verdict = end.code === LATER_CODE ? 'later' : 'fail';
  return { verdict, detail: `exit code ${end.code}${after}` };
}

/** Returns what of our environment a program gets. */
export function passedOn(own: GateParts['environment']): Record<string, string> {
  const passed = Object.entries(own).flatMap(([name, value]) => {
    const isPassed = PASSED.includes(name) || name.startsWith('LC_');
    return isPassed && value !== undefined ? [[name, value] as const] : [];
  });
  return Object.fromEntries(passed);
}

/** Reason and actor are texts of a caller and stay outside: a script may not be careful with them. */
function environmentOf(
  { rollout, attempt, gate, at, stage, share, subjects }: GateContext,
  own: GateParts['environment'],
): Record<string, string> {
  const [subject] = subjects;
  const to = subject?.to;
  return {
    ...passedOn(own),
    TURNOUT_ROLLOUT: rollout,
    TURNOUT_GATE: gate,
    TURNOUT_AT: at,
    TURNOUT_STAGE: stage,
    TURNOUT_SHARE: String(share),
    TURNOUT_SERVICE: subject?.service ?? '',
    TURNOUT_SERVICES: subjects.map(({ service }) => service).join(' '),
    TURNOUT_RELEASE: to?.release ?? '',
    TURNOUT_COLOR: to?.color ?? '',
    TURNOUT_DEPLOYMENT: String(to?.deployment ?? ''),
    TURNOUT_TARGETS: (to?.targets ?? []).join(' '),
    TURNOUT_FROM_RELEASE: subject?.from.release ?? '',
    TURNOUT_FROM_COLOR: subject?.from.color ?? '',
    [ATTEMPT]: attempt,
  };
}

// A program that a hook starts: run once, bounded in time, with what every program of Turnout gets of the
// environment. Runs like the command of a gate, but is asked nothing:
// exit code 0 means that it was done, all else that it was not.

import { durationText } from '../../base/duration.ts';
import type { RunCommand } from '../notifications/notifier.ts';
import type { GateParts } from './asked-gate.ts';
import { passedOn } from './command-gate.ts';
import { runCommand } from './command-run.ts';
import { shownText } from './shown-text.ts';

const DETAIL_CHARS_MAX = 2_048;

/** Returns what runs the programs of hooks; `environment`: of Turnout. */
export function hookCommand(environment: GateParts['environment']): RunCommand {
  return async ({ argv: [program, ...args], env, withinMs, signal }) => {
    if (program === undefined) return { isOk: false, detail: 'there is no program' };
    if (signal.aborted) return { isOk: false, detail: 'called off' };
    const deadline = AbortSignal.timeout(withinMs);
    const either = AbortSignal.any([signal, deadline]);
    const command = runCommand([program, ...args], { ...passedOn(environment), ...env });
    const end = (): void => command.end();
    either.addEventListener('abort', end, { once: true });
    if (either.aborted) end();
    const ended = await command.ended;
    either.removeEventListener('abort', end);
    if (signal.aborted) return { isOk: false, detail: 'called off' };
    if (deadline.aborted)
      return { isOk: false, detail: `not done after ${durationText(withinMs)}` };
    if (ended.kind === 'failed') return { isOk: false, detail: ended.reason };
    const said = shownText(ended.tail, DETAIL_CHARS_MAX);
    const how = ended.kind === 'signal' ? `ended by ${ended.signal}` : `exit code ${ended.code}`;
    const isOk = ended.kind === 'exited' && ended.code === 0;
    return { isOk, detail: said === '' ? how : `${how}: ${said}` };
  };
}

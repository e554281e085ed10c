// `turnout apply -f FILE`: makes true what a file declares, step by step, and nothing when it is
// true already. Before each step it looks again, so it never overrules a change made meanwhile.

import { countText } from '../../base/count-text.ts';
import { readDeclaration, type Declared, type DeclaredSide } from '../../config/declaration.ts';
import { printFault, type Fault } from '../../config/fault.ts';
import { readText, readTextFrom } from '../../config/read-text.ts';
import { isMismatch, wantsToAsk } from '../steps/agreement.ts';
import { targetsAnswer, type targetsBody } from '../../api/deployment-targets.ts';
import { changeAnswer, type ChangeAnswer } from '../../api/shared-fields.ts';
import type { DryRunStep } from '../../api/dry-runs.ts';
import type { releaseBody } from '../../api/releases.ts';
import { statusAnswer } from '../../api/status-answer.ts';
import { switchAnswer, type switchBody, type SwitchAnswer } from '../../api/switching.ts';
import { missingSteps, releaseText, scalingText, sideText, type Step } from './apply-plan.ts';
import {
  askQuietly,
  complain,
  type ClientFlags,
  type Fields,
  type Heard,
  type Trouble,
} from '../client/client-command.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { timeProblem } from '../client/flag-check.ts';
import { foresee } from '../steps/foreseen.ts';
import { HEALTHY_WITHIN_DEFAULT, waitUntilHealthy } from '../steps/healthy-wait.ts';
import { hearStop, type StopEar } from '../terminal/interrupt.ts';
import { colorName, errorSide, jsonText, type Terminal } from '../terminal/print.ts';

export interface ApplyFlags extends ClientFlags {
  /** Path; `-`: standard input. */
  readonly file: string;
  readonly dryRun: boolean;
  readonly yes: boolean;
  readonly evict: boolean;
  readonly reason: string | undefined;
  /** How long the targets of a release may take to get healthy; undefined: what is usual. */
  readonly timeout: string | undefined;
}

/** Each lost race is a change made elsewhere; after this many, apply gives up. */
const TRIES_MAX = 5;

/** Makes true what a file declares. */
export async function apply(terminal: Terminal, flags: ApplyFlags): Promise<ExitCode> {
  const problem = timeProblem('--timeout', flags.timeout);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  const isPiped = flags.file === '-';
  const name = isPiped ? 'standard input' : flags.file;
  const text = isPiped ? await readTextFrom(terminal.input(), name) : readText(flags.file);
  if (!text.ok) return complain(terminal, flags, { code: 'usage', message: text.problem });
  const declaration = readDeclaration(name, text.value);
  if (!declaration.ok) return printFaults(terminal, { ...flags, file: name }, declaration.faults);
  const { services } = declaration;
  const first = await look(terminal, flags, services);
  if (!first.ok) return complain(terminal, flags, first.trouble);
  const { steps } = first;
  if (!flags.json) terminal.err(planText(errorSide(terminal), steps));
  if (steps.length === 0) return finish(terminal, flags, steps, 0);
  const foreseen = await foresee(
    terminal,
    flags,
    steps.map((step) => asDryRun(step, flags)),
  );
  if (!foreseen.ok) return stopped(terminal, flags, { steps, done: 0, trouble: foreseen.trouble });
  const [trouble, ...others] = foreseen.refused.map((one) => one.trouble);
  if (trouble !== undefined) return stopped(terminal, flags, { steps, done: 0, trouble, others });
  if (flags.dryRun) return finish(terminal, flags, steps, 0);
  if (wantsToAsk(terminal, flags)) {
    const answer =
      (await terminal.ask?.(`make ${countText(steps.length, 'change')}? [y/N] `)) ?? '';
    if (!/^y(es)?$/i.test(answer.trim())) {
      return complain(terminal, flags, { code: 'not-confirmed', message: 'nothing has changed' });
    }
  }
  const ear = hearStop(terminal);
  try {
    return await carryOut(terminal, { ...flags, ear }, services, steps);
  } finally {
    ear.end();
  }
}

/** Returns a step as the server is asked about it. */
function asDryRun(step: Step, { evict }: Pick<ApplyFlags, 'evict'>): DryRunStep {
  const { service } = step;
  switch (step.kind) {
    case 'register': {
      return { kind: 'register', service, color: step.color, ...registered(step.to), evict };
    }
    case 'scale':
      return { kind: 'scale', service, deployment: step.deployment, targets: [...step.to.urls] };
    default:
      return { kind: 'switch', service, to: step.to };
  }
}

/** Returns a release as it is said to the server. */
function registered({ release, urls, schema }: DeclaredSide) {
  if (schema === undefined) return { release, targets: [...urls] };
  const { provides, requires } = schema;
  const [least, most] = requires;
  const told = { provides, requires: [least, most] as [number, number] };
  return { release, targets: [...urls], schema: told };
}

/** Makes one change after the other. Ctrl-C waits for the answer to the one that is under way. */
async function carryOut(
  terminal: Terminal,
  flags: ApplyFlags & { readonly ear: StopEar },
  services: readonly Declared[],
  steps: readonly Step[],
): Promise<ExitCode> {
  let tries = 0;
  for (let done = 0; done < steps.length;) {
    const now = await look(terminal, flags, services);
    if (flags.ear.isHeard()) return stopped(terminal, flags, { steps, done, trouble: STOPPED });
    if (!now.ok) return stopped(terminal, flags, { steps, done, trouble: now.trouble });
    if (JSON.stringify(now.steps) !== JSON.stringify(steps.slice(done))) {
      return stopped(terminal, flags, { steps, done, trouble: OVERTAKEN });
    }
    const step = steps[done]!;
    const heard = await make(terminal, flags, step, now.generation);
    if (heard.ok) {
      if (!flags.json) terminal.out(`${step.service}: ${doneText(terminal, step)}`);
      done++;
      tries = 0;
      continue;
    }
    // Decisions on other services make generations too; then it is tried anew.
    if (isMismatch(heard.trouble) && ++tries < TRIES_MAX) continue;
    return stopped(terminal, flags, { steps, done, trouble: heard.trouble });
  }
  return finish(terminal, flags, steps, steps.length);
}

const OVERTAKEN: Trouble = {
  code: 'overtaken',
  message:
    'another caller has changed something meanwhile: look at `turnout status`, then apply again',
};

const STOPPED: Trouble = { code: 'interrupted', message: 'interrupted' };

type Looked =
  | { readonly ok: true; readonly steps: readonly Step[]; readonly generation: number }
  | { readonly ok: false; readonly trouble: Trouble };

/** Returns what is missing now. */
async function look(
  terminal: Terminal,
  flags: ApplyFlags,
  services: readonly Declared[],
): Promise<Looked> {
  const heard = await askQuietly(terminal, flags, {
    method: 'GET',
    path: '/v1/status',
    body: undefined,
    answer: statusAnswer,
  });
  if (!heard.ok) return heard;
  const { generation } = heard.answer;
  if (generation === undefined) {
    const message = 'expected the status of a Turnout, got something else';
    return { ok: false, trouble: { code: 'no-answer', message } };
  }
  const missing = missingSteps(services, heard.answer);
  if (missing.ok) return { ok: true, steps: missing.steps, generation };
  const message = [`${flags.file}: nothing was changed`, ...missing.problems].join('\n  ');
  return { ok: false, trouble: { code: 'usage', message } };
}

async function make(
  terminal: Terminal,
  flags: ApplyFlags,
  step: Step,
  ifMatch: number,
): Promise<Heard<ChangeAnswer> | Heard<SwitchAnswer>> {
  const reason = flags.reason === undefined ? {} : { reason: flags.reason };
  const query = `?service=${encodeURIComponent(step.service)}`;
  if (step.kind === 'register') {
    const evict = flags.evict ? { evict: true } : {};
    return await askQuietly(terminal, flags, {
      method: 'PUT',
      path: `/v1/releases/${step.color}${query}`,
      body: { ...registered(step.to), ...evict, ...reason } satisfies Fields<typeof releaseBody>,
      answer: changeAnswer,
      ifMatch,
    });
  }
  if (step.kind === 'scale') {
    return await askQuietly(terminal, flags, {
      method: 'PUT',
      path: `/v1/deployments/${step.deployment}/targets${query}`,
      body: { targets: step.to.urls, ...reason } satisfies Fields<typeof targetsBody>,
      answer: targetsAnswer,
      ifMatch,
    });
  }
  const { to, release, service } = step;
  const within = flags.timeout ?? HEALTHY_WITHIN_DEFAULT;
  const ready = await waitUntilHealthy(terminal, { ...flags, service }, { release, to, within });
  if (!ready.ok) return ready;
  return await askQuietly(terminal, flags, {
    method: 'POST',
    path: `/v1/switch${query}`,
    body: { to, ...reason } satisfies Fields<typeof switchBody>,
    answer: switchAnswer,
    ifMatch: ready.plan.generation,
  });
}

function finish(
  terminal: Terminal,
  flags: ApplyFlags,
  steps: readonly Step[],
  done: number,
): ExitCode {
  if (flags.json) {
    terminal.out(jsonText({ changed: done > 0, dryRun: flags.dryRun, steps, done }));
  } else if (steps.length === 0) {
    terminal.out('nothing to do: all is as declared');
  } else if (flags.dryRun) {
    terminal.out(`${countText(steps.length, 'change')} would be made; nothing has changed`);
  }
  return EXIT.done;
}

/** Says how far it got. */
function stopped(
  terminal: Terminal,
  flags: ApplyFlags,
  {
    steps,
    done,
    trouble,
    others = [],
  }: {
    readonly steps: readonly Step[];
    readonly done: number;
    readonly trouble: Trouble;
    /** What would be refused as well. */
    readonly others?: readonly Trouble[];
  },
): ExitCode {
  if (flags.json) {
    const progress = { changed: done > 0, steps, done };
    return complain(terminal, flags, trouble, progress);
  }
  const code = complain(terminal, flags, trouble);
  for (const other of others) complain(terminal, flags, other);
  const left = steps.slice(done).map((step) => `  ${step.service}: ${stepText(terminal, step)}`);
  terminal.err(
    `${done} of ${countText(steps.length, 'change')} made; not made:\n${left.join('\n')}`,
  );
  if (trouble.code === 'interrupted') terminal.err('apply the file again to go on from there');
  return code;
}

function planText(terminal: Terminal, steps: readonly Step[]): string {
  return steps.map((step) => `${step.service}: ${stepText(terminal, step)}`).join('\n');
}

function stepText(terminal: Terminal, step: Step): string {
  const { arrow } = terminal.signs;
  if (step.kind === 'switch') {
    const { from, to } = step;
    return `active: ${colorName(terminal, from)} ${arrow} ${colorName(terminal, to)}`;
  }
  const { color, from, to } = step;
  if (step.kind === 'scale') {
    return `${colorName(terminal, color)}: ${releaseText(to)} goes on, ${scalingText(step)}`;
  }
  return `${colorName(terminal, color)}: ${sideText(from)} ${arrow} ${sideText(to)}`;
}

function doneText(terminal: Terminal, step: Step): string {
  if (step.kind === 'register') {
    return `${colorName(terminal, step.color)} is now ${sideText(step.to)}`;
  }
  if (step.kind === 'scale') {
    return `${colorName(terminal, step.color)} goes on, ${scalingText(step)}`;
  }
  return `${colorName(terminal, step.to)} is active now`;
}

function printFaults(
  terminal: Terminal,
  { json, file }: ApplyFlags,
  faults: readonly Fault[],
): ExitCode {
  if (json) {
    terminal.out(jsonText({ ok: false, faults }));
    return EXIT.usage;
  }
  for (const fault of faults) terminal.err(printFault(fault));
  terminal.err(`turnout: ${countText(faults.length, 'fault')} in ${file}, nothing was changed`);
  return EXIT.usage;
}

// `turnout hold`, `resume` and `maintenance`: whether requests go through at all, and what still runs
// that came before.

import { changeAnswer } from '../../api/shared-fields.ts';
import {
  gateAnswer,
  type GateAnswer,
  type holdBody,
  type maintenanceBody,
  type resumeBody,
} from '../../api/holding.ts';
import { parseDuration } from '../../base/duration.ts';
import { shown, type Lenient } from '../client/answer.ts';
import type { Question } from '../client/admin-client.ts';
import {
  askAndPrint,
  askOrComplain,
  changeOf,
  complain,
  jsonOf,
  serviceFlag,
  type ClientFlags,
  type Fields,
} from '../client/client-command.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { timeProblem } from '../client/flag-check.ts';
import { waitEndText } from '../steps/drain-wait.ts';
import { calledOffText } from '../texts/freeze-text.ts';
import { runningText } from '../texts/running-text.ts';
import type { Terminal } from '../terminal/print.ts';

export interface GateFlags extends ClientFlags {
  readonly reason: string | undefined;
}

/** What becomes of that which still runs. */
interface EndingFlags {
  /** A time such as `30s`; undefined: it is not waited for. */
  readonly wait: string | undefined;
  readonly close: boolean;
}

export interface HoldFlags extends GateFlags, EndingFlags {
  /** A time such as `10s`; undefined: what is usual. */
  readonly for: string | undefined;
  readonly methods: string | undefined;
}

/** What the server takes where nothing is said. */
const HOLD_DEFAULT = '10s';

/** Lets requests wait. */
export async function hold(terminal: Terminal, flags: HoldFlags): Promise<ExitCode> {
  const { for: time, methods, reason, wait, close } = flags;
  const problem = timeProblem('--for', time) ?? endingProblem(flags);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  if (methods === 'writes' && wait !== undefined) {
    const message = '--wait: of use with --methods all only, for reads go on coming';
    return complain(terminal, flags, { code: 'usage', message });
  }
  const asked = changeOf(terminal, flags, {
    path: '/v1/hold',
    body: { for: time, methods, reason, ...endingOf({ wait, close }) } satisfies Fields<
      typeof holdBody
    >,
    answer: gateAnswer,
  });
  return await askAndTell(terminal, flags, asked, ({ service, until }) => {
    const end = until === undefined || until === null ? '' : ` (until ${until})`;
    return (
      `${shown(service)}: ${methods === 'writes' ? 'writes' : 'requests'} wait for at most ${time ?? HOLD_DEFAULT}${end}; ` +
      `\`turnout resume${serviceFlag(flags)}\` lets them go on`
    );
  });
}

/** Ends a hold: the requests that wait go on. */
export async function resume(terminal: Terminal, flags: GateFlags): Promise<ExitCode> {
  return await askAndPrint(terminal, flags, {
    question: changeOf(terminal, flags, {
      path: '/v1/resume',
      body: { reason: flags.reason } satisfies Fields<typeof resumeBody>,
      answer: changeAnswer,
    }),
    show: (answer) => {
      const what = answer.changed === true ? 'requests go on' : 'nothing was held';
      return `${shown(answer.service)}: ${what}${calledOffText(answer)}`;
    },
  });
}

export interface MaintenanceFlags extends GateFlags, EndingFlags {
  readonly on: boolean;
  readonly message: string | undefined;
  readonly retryAfter: string | undefined;
}

/** Begins or ends maintenance. */
export async function maintenance(terminal: Terminal, flags: MaintenanceFlags): Promise<ExitCode> {
  const { on, message, retryAfter, reason, wait, close } = flags;
  const problem = timeProblem('--retry-after', retryAfter) ?? endingProblem(flags);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  const asked = changeOf(terminal, flags, {
    path: '/v1/maintenance',
    body: { on, message, retryAfter, reason, ...endingOf({ wait, close }) } satisfies Fields<
      typeof maintenanceBody
    >,
    answer: gateAnswer,
  });
  return await askAndTell(terminal, flags, asked, ({ service, changed }) => {
    const was = changed === true ? '' : ' already';
    const then = `: every request gets 503; \`turnout maintenance off${serviceFlag(flags)}\` ends it`;
    const state = on ? `in maintenance${was}${then}` : `out of maintenance${was}`;
    return `${shown(service)}: ${state}`;
  });
}

function endingProblem({ wait }: EndingFlags): string | undefined {
  return timeProblem('--wait', wait);
}

function endingOf({ wait, close }: EndingFlags): Pick<Fields<typeof holdBody>, 'wait' | 'close'> {
  return { ...(wait === undefined ? {} : { wait }), ...(close ? { close } : {}) };
}

/** Prints what came of it and what still runs; 1 where that was waited for and has not ended. */
async function askAndTell(
  terminal: Terminal,
  flags: ClientFlags & EndingFlags,
  question: Question<GateAnswer>,
  show: (answer: Lenient<GateAnswer>) => string,
): Promise<ExitCode> {
  const { wait, json } = flags;
  const limit = parseDuration(wait);
  const waitMs = limit.ok ? limit.value : 0;
  if (waitMs > 0 && !json) terminal.err(waitEndText(terminal, waitMs));
  const told = await askOrComplain(terminal, flags, { ...question, waitMs });
  if (!told.ok) return told.code;
  const { answer } = told;
  const isOff = question.path.startsWith('/v1/maintenance') && answer.isOn === false;
  const left = isOff ? undefined : runningText(answer);
  if (json) terminal.out(jsonOf(answer));
  else {
    terminal.out(show(answer));
    // A server of an earlier version does not tell.
    const isTold = answer.running.requests !== undefined;
    if (!isOff && isTold) terminal.out(left ?? 'nothing that came before runs any more');
  }
  return wait !== undefined && !isOff && (left !== undefined || answer.isOn === false)
    ? EXIT.failed
    : EXIT.done;
}

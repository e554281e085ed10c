// `turnout ready` and `turnout status --check`: one question, one line for each thing that is wrong,
// and an exit code that container engines and monitoring understand. Loads next to nothing.

import type { CheckAnswer } from '../../api/alarms.ts';
import type { ReadyAnswer } from '../../api/process.ts';
import { connectionOf } from '../client/admin-connection.ts';
import { CHECK_EXIT, EXIT, type ExitCode } from '../client/exit.ts';
import { askLightly, type LightAnswer } from '../client/light-ask.ts';
import { alarmText } from '../texts/alarm-text.ts';
import { visibleText } from '../../base/visible-text.ts';
import { jsonText, type Terminal } from '../terminal/print.ts';
import type { ClientFlags } from '../client/client-command.ts';

/** Tells by the exit code whether the process takes traffic: 0 or 1, as container engines expect. */
export async function ready(terminal: Terminal, flags: ClientFlags): Promise<ExitCode> {
  const connection = connectionOf(terminal, flags);
  if (!connection.ok) return wrongUsage(terminal, flags, connection.problem);
  const answer = await askLightly(connection.value, '/readyz');
  if (!answer.ok) {
    tell(terminal, flags, { code: 'no-answer', message: answer.message });
    return EXIT.failed;
  }
  if (flags.json) terminal.out(jsonText(answer.document));
  if (answer.status !== 200) {
    if (!flags.json) terminal.err(`turnout: ${problemText(answer)}`);
    return EXIT.failed;
  }
  const { warning }: Partial<ReadyAnswer> = answer.document;
  const isWarned = typeof warning === 'string' && warning !== '';
  if (!flags.json) terminal.out(isWarned ? `ready; but ${visibleText(warning)}` : 'ready');
  return EXIT.done;
}

/** Tells what is wrong, the worst first; the first line and the exit code are for monitoring. */
export async function check(terminal: Terminal, flags: ClientFlags): Promise<ExitCode> {
  const connection = connectionOf(terminal, flags);
  if (!connection.ok) {
    wrongUsage(terminal, flags, connection.problem);
    return CHECK_EXIT.unknown;
  }
  const service = flags.service ?? terminal.environment['TURNOUT_SERVICE'] ?? '';
  const query = service === '' ? '' : `?service=${encodeURIComponent(service)}`;
  const answer = await askLightly(connection.value, `/v1/check${query}`);
  if (!answer.ok || answer.status !== 200) {
    const message = answer.ok ? problemText(answer) : answer.message;
    if (flags.json) terminal.out(jsonText({ severity: 'unknown', message }));
    else terminal.out(`UNKNOWN: ${message}`);
    return CHECK_EXIT.unknown;
  }
  const { severity, services, alarms = [] }: Partial<CheckAnswer> = answer.document;
  if (flags.json) terminal.out(jsonText(answer.document));
  else if (severity === 'ok') terminal.out(`OK: requests are served (services: ${services})`);
  else
    for (const alarm of alarms)
      terminal.out(`${visibleText(alarm.severity).toUpperCase()}: ${alarmText(alarm)}`);
  return severity === undefined ? CHECK_EXIT.unknown : CHECK_EXIT[severity];
}

function problemText({ status, document }: Extract<LightAnswer, { ok: true }>): string {
  const { title, detail }: { title?: unknown; detail?: unknown } = document;
  if (typeof title !== 'string') {
    return `expected the admin API of Turnout, got another server (status ${status})`;
  }
  return visibleText(`${title}: ${String(detail)}`);
}

function tell(
  terminal: Terminal,
  { json }: ClientFlags,
  trouble: { code: string; message: string },
) {
  if (json) terminal.out(jsonText(trouble));
  else terminal.err(`turnout: ${trouble.message}`);
}

function wrongUsage(terminal: Terminal, flags: ClientFlags, message: string): ExitCode {
  tell(terminal, flags, { code: 'usage', message });
  return EXIT.usage;
}

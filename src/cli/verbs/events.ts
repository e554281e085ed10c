// `turnout events`: tells what happens, as it happens, one line for each event.

import { z } from 'zod';
import { eventSentence } from '../../api/event-sentence.ts';
import { visibleText } from '../../base/visible-text.ts';
import { documentOf, readLeniently, shown } from '../client/answer.ts';
import { connectionOf } from '../client/admin-connection.ts';
import {
  complain,
  troubleText,
  withService,
  type ClientFlags,
  type Trouble,
} from '../client/client-command.ts';
import { followEvents, type Frame } from '../client/event-follower.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { mayPass } from '../steps/drain-wait.ts';
import { unlessInterrupted } from '../terminal/interrupt.ts';
import { timeText } from '../terminal/numbers.ts';
import { jsonText, type Terminal } from '../terminal/print.ts';

export interface EventsFlags extends ClientFlags {
  /** What came after this frame is told first; undefined: what comes from now on. */
  readonly since: string | undefined;
}

/** What is read of an event; scripts get all of it. */
const payload = z.object({
  event: z.string(),
  at: z.string(),
  service: z.string().nullable(),
  rollout: z.string().nullable(),
  facts: z.record(z.string(), z.unknown()),
});

/** Frames that say nothing new to a reader of events: counts, and hints to ask for a view. */
const UNTOLD: ReadonlySet<string> = new Set(['hello', 'tick', 'table', 'rollout']);

/** Prints events until a signal comes, or the reader of standard output has gone. */
export async function events(terminal: Terminal, flags: EventsFlags): Promise<ExitCode> {
  const { since = '', json } = flags;
  if (since !== '' && !/^\d{1,16}-\d{1,15}(-\d{1,15})?$/.test(since)) {
    const message = `--since: expected the id of a line of \`turnout events --json\`, got "${since}"`;
    return complain(terminal, flags, { code: 'usage', message });
  }
  const connection = connectionOf(terminal, flags);
  if (!connection.ok) {
    return complain(terminal, flags, { code: 'usage', message: connection.problem });
  }
  const path = withService(terminal, flags, '/v1/events');
  let hasBegun = false;
  let told = '';
  let end: Trouble | undefined;
  await unlessInterrupted(terminal, async (signal) =>
    followEvents(
      connection.value,
      { path, lastId: since, signal },
      {
        onFrame(frame) {
          hasBegun = true;
          told = '';
          const line = json ? frameJson(frame) : frameText(frame);
          if (line !== undefined) terminal.out(line);
          return !terminal.isClosed();
        },
        onOutage(trouble) {
          // What was wrong from the start, or is a refusal, does not pass.
          if (!hasBegun || !mayPass(trouble)) {
            end = trouble;
            return false;
          }
          const [line = ''] = troubleText(trouble);
          if (!json && line !== told) terminal.err(`asking again: ${line}`);
          told = line;
          return !terminal.isClosed();
        },
      },
    ),
  );
  return end === undefined ? EXIT.done : complain(terminal, flags, end);
}

function frameJson({ id, event, data }: Frame): string | undefined {
  return UNTOLD.has(event) ? undefined : jsonText({ id, frame: event, data });
}

function frameText({ event: frame, data }: Frame): string | undefined {
  if (UNTOLD.has(frame)) return undefined;
  if (frame === 'gone') {
    return 'some of what happened before is not kept any more: `turnout status` and `turnout history` show what came of it';
  }
  const { event, at, service, rollout, facts } = readLeniently(payload, data);
  const where = [service, rollout].filter((name) => typeof name === 'string' && name !== '');
  const kind = shown(event);
  const sentence = visibleText(eventSentence(kind, Object(documentOf(facts)) as Facts));
  const what = sentence === '' ? kind : `${kind}: ${sentence}`;
  return [timeText(at), ...where.map(shown), what].join(' ');
}

type Facts = Readonly<Record<string, unknown>>;

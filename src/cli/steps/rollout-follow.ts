// Follows a rollout until it has got as far as was asked for. It lives in the server: nothing here
// keeps it going, and nothing that ends here ends it.

import { setTimeout as sleep } from 'node:timers/promises';
import { rolloutView, type RolloutView } from '../../api/rollout-views.ts';
import { shown, type Lenient } from '../client/answer.ts';
import {
  askQuietly,
  complain,
  troubleText,
  withService,
  type ClientFlags,
  type Trouble,
} from '../client/client-command.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { unlessInterrupted } from '../terminal/interrupt.ts';
import type { Terminal } from '../terminal/print.ts';
import { mayPass } from './drain-wait.ts';
import { isGoodEnd } from '../texts/rollout-state-text.ts';

type View = Lenient<RolloutView>;

/** What may be waited for; each is reached by what comes after it, too. */
const UNTIL = ['done', 'baked', 'shifted', 'waiting'] as const;
export type Until = (typeof UNTIL)[number];

/** Returns how far a flag wants a rollout to get; undefined: it says nothing. */
export function untilOf(text: string | undefined): Until | undefined {
  return UNTIL.find((one) => one === text);
}

export interface Following {
  /** `current`: the one that goes on. */
  readonly id: string;
  readonly until: Until;
  /** Undefined: until it has ended. */
  readonly timeoutMs: number | undefined;
  /** How long one question waits for an event. */
  readonly stepMs: number;
}

/** What is told meanwhile. */
export interface Follower {
  readonly onView: (view: View) => void;
  /** The server does not answer; it is asked again. */
  readonly onOutage: (lines: readonly string[]) => void;
  /** Aborted by a person who leaves; left out: signals alone end the wait. */
  readonly left?: AbortSignal;
}

export type Followed =
  /** It ended, or got as far as was asked for. */
  | { readonly kind: 'over' | 'timeout'; readonly view: View }
  /** `view`: the last that was seen. */
  | { readonly kind: 'left'; readonly view: View | undefined }
  | { readonly kind: 'trouble'; readonly trouble: Trouble; readonly view: View | undefined };

/** A restart of the server takes less. */
const OUTAGE_MAX_MS = 30_000;
const RETRY_EVERY_MS = 500;

/** Asks for the view of a rollout, and for the next one after each event. */
export async function followRollout(
  terminal: Terminal,
  flags: ClientFlags,
  following: Following,
  follower: Follower,
): Promise<Followed> {
  const { until, timeoutMs = Infinity, stepMs } = following;
  const deadlineMs = performance.now() + timeoutMs;
  let answeredMs: number | undefined;
  let view: View | undefined;
  const { left } = follower;
  const follow = async (interrupted: AbortSignal): Promise<Followed> => {
    for (;;) {
      const leftMs = Math.max(0, deadlineMs - performance.now());
      const waitMs = view === undefined ? 0 : Math.floor(Math.min(stepMs, leftMs));
      const id = view?.id ?? following.id;
      const heard = await askQuietly(
        terminal,
        flags,
        questionOf(terminal, flags, { id, view, waitMs }),
      );
      if (interrupted.aborted || left?.aborted === true) return { kind: 'left', view };
      if (heard.ok) {
        answeredMs = performance.now();
        view = heard.answer;
        follower.onView(view);
        if (isReached(view, until)) return { kind: 'over', view };
        if (performance.now() >= deadlineMs) return { kind: 'timeout', view };
        continue;
      }
      // What was wrong from the start, or is a refusal, does not pass.
      const { trouble } = heard;
      const outageMs = answeredMs === undefined ? Infinity : performance.now() - answeredMs;
      if (!mayPass(trouble) || outageMs > OUTAGE_MAX_MS) return { kind: 'trouble', trouble, view };
      follower.onOutage(troubleText(trouble));
      await sleep(RETRY_EVERY_MS);
    }
  };
  const leaving = Promise.withResolvers<undefined>();
  left?.addEventListener('abort', () => leaving.resolve(undefined), { once: true });
  const followed = await unlessInterrupted(terminal, async (interrupted) =>
    Promise.race([follow(interrupted), leaving.promise]),
  );
  return followed ?? { kind: 'left', view };
}

function questionOf(
  terminal: Terminal,
  flags: ClientFlags,
  {
    id,
    view,
    waitMs,
  }: { readonly id: string; readonly view: View | undefined; readonly waitMs: number },
) {
  const after = view?.event === undefined ? '' : `&after=${view.event}`;
  const wait = waitMs > 0 ? `?wait=${waitMs}ms${after}` : '';
  const path = `/v1/rollouts/${encodeURIComponent(id)}${wait}`;
  return {
    method: 'GET',
    path: withService(terminal, flags, path),
    body: undefined,
    answer: rolloutView,
    waitMs,
  } as const;
}

/** Tells whether a rollout has ended, or is as far as was asked for. */
function isReached({ end, stage, status }: View, until: Until): boolean {
  if (end !== null) return true;
  switch (until) {
    case 'shifted':
      return stage === 'baking' || stage === 'draining';
    case 'baked':
      return stage === 'draining';
    case 'waiting':
      return status.kind === 'waiting';
    default:
      return false;
  }
}

/** Says what became of it where the command gives up, and returns the exit code. */
export function endOfFollowing(
  terminal: Terminal,
  flags: ClientFlags,
  followed: Followed,
  progress?: object,
): ExitCode {
  const { view } = followed;
  const onward = `it goes on in the server: \`turnout rollout watch ${shown(view?.id)}\` shows it`;
  switch (followed.kind) {
    case 'left': {
      const message = `left; ${view === undefined ? 'nothing has changed' : onward}`;
      return complain(terminal, flags, { code: 'interrupted', message }, progress);
    }
    case 'timeout':
      if (!flags.json) terminal.err(`not done within the time of --timeout; ${onward}`);
      return EXIT.failed;
    case 'trouble': {
      const code = complain(terminal, flags, followed.trouble, progress);
      if (!flags.json && view !== undefined) terminal.err(onward);
      return code;
    }
    default: {
      const { end } = followed.view;
      return end === null || isGoodEnd(end) ? EXIT.done : EXIT.failed;
    }
  }
}

/** Returns a printer of the events of views, each once and in order. */
export function eventPrinter(print: (event: View['events'][number], view: View) => void) {
  let last = -1;
  return (view: View): void => {
    for (const event of view.events) {
      if (event.seq === undefined || event.seq <= last) continue;
      last = event.seq;
      print(event, view);
    }
  };
}

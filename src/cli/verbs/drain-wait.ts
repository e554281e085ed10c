// Waits until drains have ended, with live progress. The server may go away for a moment
// meanwhile, as it does for a restart.

import { setTimeout as sleep } from 'node:timers/promises';
import { countText } from '../../base/count-text.ts';
import { listOf, partOf, textOf } from '../client/answer.ts';
import { askQuietly, type ClientFlags, type Trouble } from '../client/client-command.ts';
import { unlessInterrupted } from '../terminal/interrupt.ts';
import { liveLine, NO_LINE } from '../terminal/live.ts';
import type { Terminal } from '../terminal/print.ts';

export interface DrainWait {
  /** Query of `/v1/drain`, without `wait`: `service=a&generation=3`. */
  readonly query: string;
  /** Undefined: until the end, which has a deadline of its own. */
  readonly timeoutMs: number | undefined;
}

export type Waited =
  /** `answer` is the last one of `/v1/drain`. */
  | { readonly kind: 'over' | 'timeout'; readonly answer: unknown }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'trouble'; readonly trouble: Trouble };

/** One question waits this long; then the next shows how far it is. */
const STEP_MS = 1_000;
/** A restart of the server takes less. */
const OUTAGE_MAX_MS = 30_000;
const RETRY_EVERY_MS = 500;

/** Resolves when no drain that `query` means is left. */
export async function waitForDrains(
  terminal: Terminal,
  flags: ClientFlags,
  { query, timeoutMs }: DrainWait,
): Promise<Waited> {
  const line = flags.json ? NO_LINE : liveLine(terminal);
  const deadlineMs = performance.now() + (timeoutMs ?? Infinity);
  let answeredMs: number | undefined;
  const waited = await unlessInterrupted(terminal, async (interrupted): Promise<Waited> => {
    for (;;) {
      const leftMs = deadlineMs - performance.now();
      const stepMs = Math.max(0, Math.min(STEP_MS, Math.floor(leftMs)));
      const path = `/v1/drain?wait=${stepMs}ms${query === '' ? '' : `&${query}`}`;
      const heard = await askQuietly(terminal, flags, { method: 'GET', path, body: undefined });
      if (interrupted.aborted) return { kind: 'interrupted' };
      const isLate = deadlineMs - performance.now() <= 0;
      if (heard.ok) {
        answeredMs = performance.now();
        const running = listOf(heard.body, 'draining');
        if (running.length === 0) return { kind: 'over', answer: heard.body };
        if (isLate) return { kind: 'timeout', answer: heard.body };
        line.show(running.map(progressText).join(` ${terminal.signs.dot} `));
        continue;
      }
      // What was wrong from the start, or is a refusal, does not pass.
      const outageMs = answeredMs === undefined ? Infinity : performance.now() - answeredMs;
      if (!mayPass(heard.trouble) || outageMs > OUTAGE_MAX_MS || isLate) {
        return { kind: 'trouble', trouble: heard.trouble };
      }
      line.show(`asking again: ${outageText(heard.trouble)}`);
      await sleep(RETRY_EVERY_MS);
    }
  });
  line.end();
  return waited ?? { kind: 'interrupted' };
}

function mayPass(trouble: Trouble): boolean {
  if (trouble.code === 'problem') return trouble.status >= 500;
  return trouble.code === 'no-server' || trouble.code === 'no-answer';
}

function outageText(trouble: Trouble): string {
  return trouble.code === 'problem' ? textOf(trouble.problem, 'title') : trouble.message;
}

function progressText(drain: unknown): string {
  const name = `${textOf(drain, 'service')} generation ${textOf(drain, 'generation')}`;
  const counts = ['request', 'tunnel', 'stream'].map((one) =>
    countText(textOf(drain, `${one}s`), one),
  );
  return `${name} drains: ${counts.join(', ')}, ~${countText(textOf(drain, 'sessions', 'seen'), 'session')}`;
}

/** Slack between two clocks of one machine, in case one is set meanwhile. */
const CLOCK_SLACK_MS = 1_000;

/**
 * Returns the drain that a switch has begun, running or ended, out of an answer of `/v1/drain` of
 * its service; undefined where it left nothing to drain.
 */
export function begunBy(switched: unknown, drains: unknown): unknown {
  const generation = Number(partOf(switched, 'generation'));
  const publishedMs = Date.parse(textOf(switched, 'publishedAt'));
  const fromMs = publishedMs - Number(partOf(switched, 'tookMs')) - CLOCK_SLACK_MS;
  // What was active until now became so after everything else that drains.
  return [...listOf(drains, 'draining'), ...listOf(drains, 'ended')]
    .filter(
      (drain) =>
        partOf(drain, 'color') === partOf(switched, 'from') &&
        Number(partOf(drain, 'generation')) < generation &&
        Date.parse(textOf(drain, 'startedAt')) >= fromMs,
    )
    .toSorted((a, b) => Number(partOf(b, 'generation')) - Number(partOf(a, 'generation')))[0];
}

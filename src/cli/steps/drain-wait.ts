// Waits until drains have ended, with live progress. The server may go away for a moment
// meanwhile, as it does for a restart.

import { setTimeout as sleep } from 'node:timers/promises';
import { countText } from '../../base/count-text.ts';
import { drainAnswer, type Drain, type DrainAnswer, type EndedDrain } from '../../api/draining.ts';
import type { SwitchAnswer } from '../../api/switching.ts';
import { shown, type Lenient } from '../client/answer.ts';
import { askQuietly, type ClientFlags, type Trouble } from '../client/client-command.ts';
import { unlessInterrupted } from '../terminal/interrupt.ts';
import { liveLine, NO_LINE } from '../terminal/live.ts';
import { timeText } from '../terminal/numbers.ts';
import type { Terminal } from '../terminal/print.ts';
import { drainName } from '../texts/release-text.ts';

export interface DrainWait {
  /** Query of `/v1/drain`, without `wait`: `service=a&deployment=3`. */
  readonly query: string;
  /** Undefined: until the end, which has a deadline of its own. */
  readonly timeoutMs: number | undefined;
}

export type Waited =
  /** `answer` is the last one of `/v1/drain`. */
  | { readonly kind: 'over' | 'timeout'; readonly answer: Lenient<DrainAnswer> }
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
  let isEndTold = false;
  const waited = await unlessInterrupted(terminal, async (interrupted): Promise<Waited> => {
    for (;;) {
      const leftMs = deadlineMs - performance.now();
      const stepMs = Math.max(0, Math.min(STEP_MS, Math.floor(leftMs)));
      const path = `/v1/drain?wait=${stepMs}ms${query === '' ? '' : `&${query}`}`;
      const question = { method: 'GET', path, body: undefined, answer: drainAnswer } as const;
      const heard = await askQuietly(terminal, flags, question);
      if (interrupted.aborted) return { kind: 'interrupted' };
      const isLate = deadlineMs - performance.now() <= 0;
      if (heard.ok) {
        answeredMs = performance.now();
        const running = heard.answer.draining;
        if (running.length === 0) return { kind: 'over', answer: heard.answer };
        if (isLate) return { kind: 'timeout', answer: heard.answer };
        if (!isEndTold && !flags.json) {
          for (const one of running) terminal.err(endText(one));
          if (timeoutMs !== undefined) terminal.err(waitEndText(terminal, timeoutMs));
        }
        isEndTold = true;
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

/** When a drain ends at the latest, and what would end it now. */
function endText(drain: Lenient<Drain>): string {
  const { service, deployment, deadlines } = drain;
  const evict = `turnout drain --evict --service ${shown(service)} --deployment ${shown(deployment)}`;
  return (
    `${shown(service)} ${drainName(drain)} drains until ${timeText(deadlines.end)} at the latest; ` +
    `\`${evict}\` ends it now`
  );
}

/** When a command gives up waiting. */
export function waitEndText({ nowMs }: Terminal, leftMs: number): string {
  const end = new Date(nowMs() + Math.max(0, leftMs)).toISOString();
  return `this command waits until ${timeText(end)} at the latest`;
}

/** Tells whether a trouble may be over in a moment, as that of a server which is started anew. */
export function mayPass(trouble: Trouble): boolean {
  if (trouble.code === 'problem') return trouble.status >= 500;
  return trouble.code === 'no-server' || trouble.code === 'no-answer';
}

function outageText(trouble: Trouble): string {
  return trouble.code === 'problem' ? shown(trouble.problem.title) : trouble.message;
}

function progressText(drain: Lenient<Drain>): string {
  const name = `${shown(drain.service)} ${drainName(drain)}`;
  const counts = (['request', 'tunnel', 'stream'] as const).map((one) =>
    countText(shown(drain[`${one}s`]), one),
  );
  return `${name} drains: ${counts.join(', ')}, ~${countText(shown(drain.sessions.seen), 'session')}`;
}

/** Slack between two clocks of one machine, in case one is set meanwhile. */
const CLOCK_SLACK_MS = 1_000;

/**
 * Returns the drain that a switch has begun, running or ended, out of an answer of `/v1/drain` of
 * its service; undefined where it left nothing to drain.
 */
export function begunBy(
  { generation = NaN, publishedAt, tookMs = NaN, from }: Lenient<SwitchAnswer>,
  { draining, ended }: Lenient<DrainAnswer>,
): Begun | undefined {
  const fromMs = Date.parse(shown(publishedAt)) - tookMs - CLOCK_SLACK_MS;
  // What was active until now became so after everything else that drains.
  return [...draining.map((drain) => ({ drain, how: undefined })), ...ended.map(endOf)]
    .filter(
      ({ drain }) =>
        drain.scope !== 'targets' &&
        drain.color === from &&
        numberOf(drain) < generation &&
        Date.parse(shown(drain.startedAt)) >= fromMs,
    )
    .toSorted((a, b) => numberOf(b.drain) - numberOf(a.drain))[0];
}

/** A drain, and how it has ended; undefined: it runs, or that is not known. */
export interface Begun {
  readonly drain: Lenient<Drain> | Lenient<EndedDrain>;
  readonly how: Lenient<EndedDrain>['how'];
}

function endOf(drain: Lenient<EndedDrain>): Begun {
  return { drain, how: drain.how };
}

function numberOf({ generation = NaN }: Begun['drain']): number {
  return generation;
}

// Pure: what the answer to a webhook says. Knows the words of other tools for a verdict. Nothing is `ok`
// by accident: what is not understood is an error, and is asked again.

import { parseDuration } from '../../base/duration.ts';
import { repeatedMember } from '../../base/repeated-member.ts';
import type { GateResult } from './asked-gate.ts';
import { shownText } from './shown-text.ts';

/** Longest wait that an answer may ask for; the time of the gate bounds it all the same. */
const RETRY_MAX_MS = 24 * 3_600_000;
const DETAIL_CHARS_MAX = 500;

/** As `ok`, `fail` and `later` are said elsewhere: by Flagger, Argo Rollouts, CodeDeploy. */
const WORDS: Readonly<Record<string, GateResult['verdict']>> = {
  ok: 'ok',
  pass: 'ok',
  passed: 'ok',
  success: 'ok',
  successful: 'ok',
  succeeded: 'ok',
  fail: 'fail',
  failed: 'fail',
  failure: 'fail',
  later: 'later',
  pending: 'later',
  running: 'later',
  in_progress: 'later',
};

export interface WebhookAnswer {
  readonly status: number;
  readonly body: string;
  readonly isCut: boolean;
  readonly retryAfterMs: number | undefined;
}

/** Returns the result that an answer means. */
export function resultOf({ status, body, isCut, retryAfterMs }: WebhookAnswer): GateResult {
  if (status >= 300 && status <= 399) {
    return error(`the answer is a redirect (${status}), which is not followed`);
  }
  if (status < 200 || status > 299) return error(`the answer has status ${status}`, retryAfterMs);
  if (isCut) return error('the answer has more than 64 KiB');
  const text = body.trim();
  if (text === '') {
    return status === 202
      ? later('not yet (202)', retryAfterMs)
      : { verdict: 'ok', detail: `answered ${status}` };
  }
  const said = mappingOf(text);
  const repeated = said && repeatedMember(text);
  if (repeated !== undefined)
    return error(`the answer has two of ${shownText(JSON.stringify(repeated))}`);
  // A page for people says nothing, whatever its status is: it may be that of a login.
  if (said === undefined) return error(`the answer (${status}) is not a JSON object`);
  const detail =
    typeof said['detail'] === 'string' ? shownText(said['detail'], DETAIL_CHARS_MAX) : '';
  const verdict = verdictOf(said['verdict']);
  if (said['verdict'] === undefined) {
    if (status === 202) return later(detail || 'not yet (202)', waitOf(said) ?? retryAfterMs);
    return error(`the answer (${status}) has no verdict`);
  }
  if (verdict === undefined) {
    return error(
      `the verdict is none of ok, fail and later: ${shownText(JSON.stringify(said['verdict']))}`,
    );
  }
  if (verdict === 'later') return later(detail || 'not yet', waitOf(said) ?? retryAfterMs);
  // 202 and ok contradict each other: it was only accepted.
  if (verdict === 'ok' && status === 202) return later(detail || 'not yet (202)', retryAfterMs);
  return { verdict, detail: detail || `said ${verdict}` };
}

function verdictOf(word: unknown): GateResult['verdict'] | undefined {
  if (typeof word !== 'string') return undefined;
  const key = word.trim().toLowerCase();
  return Object.hasOwn(WORDS, key) ? WORDS[key] : undefined;
}

function mappingOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isMapping ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Seconds as a number, or a duration such as `30s`. */
function waitOf({ retryAfter }: Record<string, unknown>): number | undefined {
  if (typeof retryAfter === 'number' && retryAfter >= 0) return retryAfter * 1_000;
  if (typeof retryAfter !== 'string') return undefined;
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter) * 1_000;
  const parsed = parseDuration(retryAfter);
  return parsed.ok ? parsed.value : undefined;
}

function later(detail: string, waitMs: number | undefined): GateResult {
  return waitMs === undefined
    ? { verdict: 'later', detail }
    : { verdict: 'later', detail, retryAfterMs: Math.min(waitMs, RETRY_MAX_MS) };
}

function error(detail: string, waitMs?: number): GateResult {
  return waitMs === undefined
    ? { verdict: 'error', detail }
    : { verdict: 'error', detail, retryAfterMs: Math.min(waitMs, RETRY_MAX_MS) };
}

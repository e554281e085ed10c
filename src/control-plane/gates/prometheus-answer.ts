// Pure: the one number in an answer of Prometheus, or why there is none. Its own words are told, but never
// a body that is not its JSON: that may be anything which the address leads to.

import type { GateResult } from './asked-gate.ts';
import { shownText } from './shown-text.ts';

interface Limits {
  readonly min: number | undefined;
  readonly max: number | undefined;
}

export interface QueryAnswer {
  readonly status: number;
  readonly text: string;
  readonly isCut: boolean;
}

/** Returns the result that an answer to a query means. */
export function numberResult({ status, text, isCut }: QueryAnswer, limits: Limits): GateResult {
  if (status >= 300 && status <= 399)
    return error(`the answer is a redirect (${status}), which is not followed`);
  if (isCut) return error('the answer has more than 64 KiB: aggregate, so that one number is left');
  const answer = mappingOf(parsed(text));
  if (answer === undefined) {
    const what = `answered ${status} without JSON of Prometheus`;
    return status >= 500 ? later(what) : error(what);
  }
  if (answer['status'] !== 'success') {
    const said = typeof answer['error'] === 'string' ? `: ${shownText(answer['error'])}` : '';
    const what = `answered ${status}${said}`;
    // What is wrong with the query or the login is no better later; an overload is.
    return status >= 500 || status === 429 ? later(what) : error(what);
  }
  const found = numberIn(mappingOf(answer['data']));
  if (typeof found !== 'number') return found;
  if (Number.isNaN(found)) return later(`NaN${warningIn(answer)}`);
  const limit = limitText(limits);
  const isFine = found >= (limits.min ?? -Infinity) && found <= (limits.max ?? Infinity);
  const detail = `${found}, ${limit}${warningIn(answer)}`;
  return { verdict: isFine ? 'ok' : 'fail', detail, facts: { value: String(found) } };
}

function numberIn(data: Record<string, unknown> | undefined): number | GateResult {
  const { resultType, result } = data ?? {};
  if (resultType === 'scalar' && Array.isArray(result)) return sampleValue(result);
  if (resultType === 'vector' && Array.isArray(result)) {
    if (result.length === 0) return later('no data');
    if (result.length > 1) {
      return error(
        `${result.length} series, expected one: aggregate, for example with sum() or max()`,
      );
    }
    const value = mappingOf(result[0])?.['value'];
    return Array.isArray(value)
      ? sampleValue(value)
      : error('the series is a histogram, expected a number');
  }
  const type = typeof resultType === 'string' ? shownText(resultType, 20) : 'nothing that is known';
  return error(`the result is ${type}, expected one number: a scalar or a vector with one series`);
}

/** A sample is `[time, "number"]`. */
function sampleValue([, value]: readonly unknown[]): number | GateResult {
  if (typeof value !== 'string') return error('the sample has no number');
  const number = SPECIAL.get(value) ?? (value.trim() === '' ? NaN : Number(value));
  return Number.isNaN(number) && value !== 'NaN' ? error('the sample has no number') : number;
}

const SPECIAL: ReadonlyMap<string, number> = new Map([
  ['+Inf', Infinity],
  ['Inf', Infinity],
  ['-Inf', -Infinity],
]);

function limitText({ min, max }: Limits): string {
  if (min !== undefined && max !== undefined) return `expected ${min} to ${max}`;
  return min === undefined ? `expected at most ${max}` : `expected at least ${min}`;
}

function warningIn({ warnings }: Record<string, unknown>): string {
  const first: unknown = Array.isArray(warnings) ? warnings[0] : undefined;
  return typeof first === 'string' ? `; warning: ${shownText(first)}` : '';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function mappingOf(value: unknown): Record<string, unknown> | undefined {
  const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isMapping ? (value as Record<string, unknown>) : undefined;
}

function later(detail: string): GateResult {
  return { verdict: 'later', detail };
}

function error(detail: string): GateResult {
  return { verdict: 'error', detail };
}

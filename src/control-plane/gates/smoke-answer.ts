// Pure: whether the answer to a request of a gate is as expected, and what is taken from it.

import type { SmokeRequest } from '../../config/settings/rollout/rollout-settings.ts';
import type { StatusRange } from '../../config/values/grammar.ts';
import { parseJsonPath, valueAt } from '../../config/values/json-path.ts';
import { holds } from '../../config/values/text-pattern.ts';
import type { OwnAnswer } from './own-request.ts';
import { shownText } from './shown-text.ts';

/** Of a value that a later request uses. */
const TAKEN_CHARS_MAX = 4_096;

type Expected = Pick<SmokeRequest, 'status' | 'field' | 'match' | 'json' | 'take'>;

export type Judged =
  | { readonly ok: true; readonly taken: ReadonlyMap<string, string> }
  /** `expected …, got …` on one line. */
  | { readonly ok: false; readonly problem: string };

/** Returns what is taken from `answer`, or the first thing that is not as expected. */
export function judge(expected: Expected, answer: OwnAnswer): Judged {
  const text = answer.body.toString('utf8');
  const problem =
    statusProblem(expected.status, answer, text) ??
    fieldProblem(expected.field, answer) ??
    matchProblem(expected, text);
  if (problem !== undefined) return { ok: false, problem };
  const needsJson = expected.json.size > 0 || [...expected.take.values()].some(isFromJson);
  const json = needsJson ? jsonOf(answer, text) : { ok: true as const, value: undefined };
  if (!json.ok) return json;
  const wrong = jsonProblem(expected.json, json.value);
  return wrong === undefined ? takenFrom(expected.take, answer, json.value) : refused(wrong);
}

function refused(problem: string): Judged & { readonly ok: false } {
  return { ok: false, problem };
}

function isFromJson({ from }: { readonly from: string }): boolean {
  return from === 'json';
}

function statusProblem(
  ranges: readonly StatusRange[],
  { status, fields }: OwnAnswer,
  text: string,
): string | undefined {
  if (ranges.some(({ min, max }) => status >= min && status <= max)) return undefined;
  const wanted = ranges.map(({ min, max }) => (min === max ? `${min}` : `${min}-${max}`));
  const location = fields.get('location');
  const isRedirect = status >= 300 && status <= 399 && location !== undefined;
  const came = isRedirect ? ` to ${shownText(location)} (redirects are not followed)` : said(text);
  return `expected status ${wanted.join(', ')}, got ${status}${came}`;
}

/** Returns what an answer said, as the end of a sentence. */
function said(text: string): string {
  const shown = shownText(text);
  return shown === '' ? ' without a body' : `: ${shown}`;
}

function fieldProblem(field: Expected['field'], { fields }: OwnAnswer): string | undefined {
  for (const [name, pattern] of field) {
    const value = fields.get(name);
    if (value !== undefined && holds(value, pattern)) continue;
    const came = value === undefined ? 'no such field' : shownText(value);
    return `expected ${name} with ${shownText(pattern.text)}, got ${came}`;
  }
  return undefined;
}

function matchProblem({ match }: Expected, text: string): string | undefined {
  if (match === undefined || holds(text, match)) return undefined;
  const shown = shownText(text);
  return `expected a body with ${shownText(match.text)}, got ${shown === '' ? 'an empty one' : shown}`;
}

type ReadJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string };

function jsonOf({ isCut }: OwnAnswer, text: string): ReadJson {
  if (isCut) return refused('expected JSON of at most 64 KiB, got more');
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch {
    return refused(`expected JSON, got ${shownText(text) || 'an empty body'}`);
  }
}

function jsonProblem(wanted: Expected['json'], value: unknown): string | undefined {
  for (const [path, expected] of wanted) {
    const found = at(value, path);
    if (found === expected) continue;
    return `expected ${path} = ${shownText(JSON.stringify(expected))}, got ${jsonText(found)}`;
  }
  return undefined;
}

/** The path was checked with the configuration. */
function at(value: unknown, path: string): unknown {
  const steps = parseJsonPath(path);
  return steps.ok ? valueAt(value, steps.value) : undefined;
}

function jsonText(value: unknown): string {
  return value === undefined ? 'nothing there' : shownText(JSON.stringify(value));
}

function takenFrom(take: Expected['take'], { fields }: OwnAnswer, json: unknown): Judged {
  const taken = new Map<string, string>();
  for (const [name, source] of take) {
    const value = source.from === 'field' ? fields.get(source.name) : valueAt(json, source.path);
    const isPlain = typeof value === 'number' || typeof value === 'boolean';
    const text = isPlain ? String(value) : value;
    if (typeof text !== 'string' || text === '' || text.length > TAKEN_CHARS_MAX) {
      return refused(`expected a text or number for \${${name}}, got ${jsonText(value)}`);
    }
    taken.set(name, text);
  }
  return { ok: true, taken };
}

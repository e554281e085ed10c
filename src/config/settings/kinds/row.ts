// A row is everything there is to know about one setting: how to read it, its default, its
// bounds, what it does and why it has that value. settings.ts is the table of all rows; the
// validator, the flags, the environment, docs/settings.md and config/schema.json come from it.

import { assert } from '../../../base/assert.ts';
import { parseDuration, DURATION_PATTERN } from '../../../base/duration.ts';
import { parsePercent, PERCENT_PATTERN } from '../../values/percent.ts';
import { parseSize, SIZE_PATTERN } from '../../values/size.ts';
import { accept, refuse, type Parsed } from '../../../base/parsed.ts';

/** What a file may hold as the value of a setting. */
export type Raw = string | number | boolean | readonly string[];

export interface Row<T> {
  readonly kind: 'row';
  /** Outside data → value. */
  readonly parse: (raw: unknown) => Parsed<T>;
  /** Text of a flag or variable → what a file would hold. */
  readonly fromText: (text: string) => unknown;
  /** As a file would hold it; `undefined`: worked out at start, see `fallbackText`. */
  readonly fallback: Raw | undefined;
  /** Must be set. */
  readonly isRequired?: boolean;
  readonly fallbackText: string;
  /** What is accepted, for people. */
  readonly allowed: string;
  /** One sentence: what it does. */
  readonly doc: string;
  /** Why the default is what it is. */
  readonly why: string;
  /** Name of the flag without dashes, where the path does not give a good one; '' for none. */
  readonly flag: string | undefined;
  /** Shown by `turnout run --help`; the rest is in docs/settings.md. */
  readonly isCommon: boolean;
  /** Its value is not shown where a reload says what has changed. */
  readonly isSecret: boolean;
  /** What JSON Schema can say of it. */
  readonly json: Readonly<Record<string, unknown>>;
}

export interface Words {
  readonly doc: string;
  readonly why: string;
  readonly flag?: string;
  readonly isCommon?: boolean;
  readonly isSecret?: boolean;
}

interface Bounds<T> extends Words {
  readonly fallback: T;
  readonly min: T;
  readonly max: T;
}

/** A time; the value is in milliseconds. `zeroMeans` allows 0 beside the bounds. */
export function duration(bounds: Bounds<string> & { readonly zeroMeans?: string }): Row<number> {
  return measured(bounds, parseDuration, {
    type: ['string', 'integer'],
    pattern: DURATION_PATTERN,
  });
}

/** An amount of memory; the value is in bytes. `zeroMeans` allows 0 beside the bounds. */
export function size(bounds: Bounds<string> & { readonly zeroMeans?: string }): Row<number> {
  return measured(bounds, parseSize, { type: ['string', 'integer'], pattern: SIZE_PATTERN });
}

/** A share; the value is of 1. */
export function percent(bounds: Bounds<string>): Row<number> {
  return measured(bounds, parsePercent, { type: ['string', 'integer'], pattern: PERCENT_PATTERN });
}

function measured(
  bounds: Bounds<string> & { readonly zeroMeans?: string },
  parse: (raw: unknown) => Parsed<number>,
  json: Row<number>['json'],
): Row<number> {
  const min = known(parse(bounds.min));
  const max = known(parse(bounds.max));
  const range = `${bounds.min} to ${bounds.max}`;
  const allowed = bounds.zeroMeans === undefined ? range : `${range}, or 0: ${bounds.zeroMeans}`;
  return {
    ...common(bounds, allowed, json),
    fallback: bounds.fallback,
    parse: (raw) => {
      const parsed = parse(raw);
      if (!parsed.ok) return parsed;
      const isFree = bounds.zeroMeans !== undefined && parsed.value === 0;
      const fits = isFree || (parsed.value >= min && parsed.value <= max);
      return fits ? parsed : refuse(allowed, raw);
    },
  };
}

/** A count. */
export function integer(bounds: Bounds<number> & { readonly zeroMeans?: string }): Row<number> {
  const { min, max, zeroMeans } = bounds;
  const range = `${min} to ${max}`;
  const allowed = zeroMeans === undefined ? range : `${range}; 0: ${zeroMeans}`;
  return {
    ...common(bounds, allowed, { type: 'integer', minimum: min, maximum: max }),
    fallback: bounds.fallback,
    fromText: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : text),
    parse: (raw) => {
      const fits = typeof raw === 'number' && Number.isInteger(raw) && raw >= min && raw <= max;
      return fits ? accept(raw) : refuse(`a whole number from ${range}`, raw);
    },
  };
}

/** A number that may have a fraction. */
export function decimal(bounds: Bounds<number>): Row<number> {
  const { min, max } = bounds;
  return {
    ...common(bounds, `${min} to ${max}`, { type: 'number', minimum: min, maximum: max }),
    fallback: bounds.fallback,
    fromText: (text) => (/^\d{1,9}(?:\.\d{1,9})?$/.test(text) ? Number(text) : text),
    parse: (raw) => {
      const fits = typeof raw === 'number' && raw >= min && raw <= max;
      return fits ? accept(raw) : refuse(`a number from ${min} to ${max}`, raw);
    },
  };
}

/** A yes or no. */
export function toggle(words: Words & { readonly fallback: boolean }): Row<boolean> {
  return {
    ...common(words, 'true or false', { type: 'boolean' }),
    fallback: words.fallback,
    fromText: (text) => (text === 'true' ? true : text === 'false' ? false : text),
    parse: (raw) => (typeof raw === 'boolean' ? accept(raw) : refuse('true or false', raw)),
  };
}

/** One word of a fixed set. */
export function choice<const T extends string>(
  words: Words & { readonly fallback: NoInfer<T>; readonly of: readonly T[] },
): Row<T> {
  const allowed = words.of.join(', ');
  return {
    ...common(words, allowed, { enum: words.of }),
    fallback: words.fallback,
    parse: (raw) => {
      const found = words.of.find((one) => one === raw);
      if (found !== undefined) return accept(found);
      // YAML 1.1 reads off as false; a file written for it deserves to hear why this is refused.
      const hint = typeof raw === 'boolean' ? 'put the word in quotes' : '';
      return refuse(`one of ${allowed}`, raw, hint);
    },
  };
}

/** A piece of text with its own grammar, which `allowed` describes. */
export function text<T = string>(
  words: Words & {
    readonly fallback: Raw | undefined;
    readonly fallbackText?: string;
    readonly allowed: string;
    readonly parse: (raw: unknown) => Parsed<T>;
    readonly json?: Row<T>['json'];
  },
): Row<T> {
  const row = common(words, words.allowed, words.json ?? { type: 'string' });
  const fallbackText = words.fallbackText ?? row.fallbackText;
  return { ...row, fallback: words.fallback, fallbackText, parse: words.parse };
}

/** Several of one kind; a flag or variable separates them by commas. Left out: none. */
export interface ListRow<T> extends Omit<Row<T>, 'kind' | 'fallback' | 'fromText'> {
  readonly kind: 'list';
  /** 1: it must be set. */
  readonly countMin: 0 | 1;
  readonly countMax: number;
  /** Named in messages: `targets`, `addresses`. */
  readonly noun: string;
}

/** Up to `countMax` values, each checked as `parse` says. */
export function list<T = string>(
  words: Words & {
    readonly noun: string;
    readonly countMin?: 0 | 1;
    readonly countMax: number;
    readonly fallbackText?: string;
    readonly allowed: string;
    readonly parse: (raw: unknown) => Parsed<T>;
  },
): ListRow<T> {
  const { countMin = 0 } = words;
  const allowed = `up to ${words.countMax} of ${words.allowed}`;
  const { fromText: _, ...row } = common<T>(words, allowed, { type: 'string' });
  return {
    ...row,
    kind: 'list',
    parse: words.parse,
    noun: words.noun,
    countMin,
    countMax: words.countMax,
    fallbackText: words.fallbackText ?? (countMin === 1 ? MUST_BE_SET : 'none'),
  };
}

/** A row that may be left out without having a default of its own. */
export function optional<T>(row: Row<T>, fallbackText: string): Row<T | undefined> {
  return { ...row, fallback: undefined, fallbackText };
}

/** Stands in place of a default. */
export const MUST_BE_SET = 'must be set';

/** A row that must be set. */
export function required<T>(row: Row<T>): Row<T> {
  return { ...row, fallback: undefined, isRequired: true, fallbackText: MUST_BE_SET };
}

/** Returns the parser of texts of at most `charsMax` characters that match `form`. */
export function matching(
  form: RegExp,
  limits: { readonly charsMax: number; readonly expected: string },
): (raw: unknown) => Parsed<string> {
  return (raw) => {
    if (typeof raw === 'number') return refuse(limits.expected, raw, 'put it in quotes');
    const fits = typeof raw === 'string' && raw.length <= limits.charsMax && form.test(raw);
    return fits ? accept(raw) : refuse(limits.expected, raw);
  };
}

function common<T>(
  words: Words & { readonly fallback?: Raw | undefined },
  allowed: string,
  json: Row<T>['json'],
): Omit<Row<T>, 'parse' | 'fallback'> {
  const { fallback, doc, why, flag } = words;
  return {
    kind: 'row',
    fromText: (given) => given,
    fallbackText: fallback === undefined || fallback === '' ? 'none' : String(fallback),
    allowed,
    doc,
    why,
    flag,
    isCommon: words.isCommon ?? false,
    isSecret: words.isSecret ?? false,
    json,
  };
}

/** Bounds stand in the table of settings, so a broken one is our own mistake. */
function known(parsed: Parsed<number>): number {
  assert(parsed.ok, 'the bounds of a setting can be read');
  return parsed.value;
}

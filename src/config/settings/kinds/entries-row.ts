// Rows that hold more than values: lists of sections, such as the gates of a service, and mappings whose
// keys the operator chooses, such as the fields of a request. They stand in the file alone: no flag and
// no variable could say them, but for a list that may be one value.

import type { Parsed } from '../../../base/parsed.ts';
import { MUST_BE_SET, type ListRow, type Row } from './row.ts';

export type AnyRow = Row<unknown> | ListRow<unknown> | MappingRow<unknown> | EntriesRow<Kinds>;

/** A part of the table: sections hold rows and further sections. */
export interface Section {
  readonly [key: string]: AnyRow | Part<Section> | Section;
}

/** A section that says something by being there; where it is not, it has no value. */
export interface Part<S extends Section> {
  readonly kind: 'part';
  readonly of: S;
}

/** Name of a kind → what an entry of it has, beside `kind`. '': there are no kinds. */
export type Kinds = Readonly<Record<string, Section>>;

interface FileOnly {
  readonly fallbackText: string;
  readonly allowed: string;
  readonly doc: string;
  readonly why: string;
  readonly flag: '';
  readonly isCommon: false;
  readonly isSecret: false;
  /** 1: it must be set. */
  readonly countMin: 0 | 1;
  /** What JSON Schema can say of a value in it. */
  readonly json: Row<unknown>['json'];
  readonly countMax: number;
  /** Named in messages: `gates`, `fields`. */
  readonly noun: string;
}

/** A list of sections. */
export interface EntriesRow<K extends Kinds> extends Omit<FileOnly, 'flag' | 'isCommon'> {
  readonly kind: 'entries';
  readonly kinds: K;
  /** As with other rows, where one value can stand for the list; else ''. */
  readonly flag: string | undefined;
  readonly isCommon: boolean;
  readonly single: Single | undefined;
}

/** One value in place of a list: an entry that has it under `key`, and nothing else. */
interface Single {
  readonly key: string;
  readonly row: Row<unknown>;
}

/** Keys of the operator's own, with values of one form. Becomes a `Map`. */
export interface MappingRow<V> extends FileOnly {
  readonly kind: 'mapping';
  readonly parseKey: (raw: unknown) => Parsed<string>;
  readonly parse: (raw: unknown) => Parsed<V>;
}

interface Words {
  readonly noun: string;
  readonly countMin?: 0 | 1;
  readonly countMax: number;
  readonly doc: string;
  readonly why: string;
}

/** Up to `countMax` sections that look alike. */
export function entries<const S extends Section>(
  words: Words & { readonly of: S },
): EntriesRow<{ readonly '': S }> {
  const allowed = `up to ${words.countMax} ${words.noun}`;
  const kinds = { '': words.of };
  return { ...fileOnly(words, allowed), kind: 'entries', kinds, single: undefined };
}

/**
 * Up to `countMax` sections that look alike, or one value for the row `key` of the only one. That row
 * says what is meant where nothing is set.
 */
export function entriesOrOne<const S extends Section>(
  words: Words & { readonly of: S; readonly key: keyof S & string; readonly row: Row<unknown> },
): EntriesRow<{ readonly '': S }> {
  const { key, row } = words;
  const { flag, isCommon, fallbackText } = row;
  const allowed = `${row.allowed}; or up to ${words.countMax} ${words.noun}`;
  return {
    ...fileOnly(words, allowed),
    flag,
    isCommon,
    fallbackText,
    kind: 'entries',
    kinds: { '': words.of },
    single: { key, row },
  };
}

/** A section that may be left out. */
export function part<const S extends Section>(of: S): Part<S> {
  return { kind: 'part', of };
}

/** Up to `countMax` sections; `kind` says what else stands in one. */
export function entriesOfKinds<const K extends Kinds>(
  words: Words & { readonly kinds: K },
): EntriesRow<K> {
  const names = Object.keys(words.kinds).join(', ');
  const allowed = `up to ${words.countMax} ${words.noun}, each with its kind: ${names}`;
  const { kinds } = words;
  return { ...fileOnly(words, allowed), kind: 'entries', kinds, single: undefined };
}

/** Up to `countMax` keys, each checked as `parseKey` says and its value as `parse` does. */
export function mapping<V>(
  words: Words & {
    readonly allowed: string;
    readonly parseKey: MappingRow<V>['parseKey'];
    readonly parse: MappingRow<V>['parse'];
    readonly json?: MappingRow<V>['json'];
  },
): MappingRow<V> {
  const allowed = `up to ${words.countMax} of ${words.allowed}`;
  const { parseKey, parse, json = { type: 'string' } } = words;
  return { ...fileOnly(words, allowed), kind: 'mapping', parseKey, parse, json };
}

function fileOnly(words: Words, allowed: string): FileOnly {
  const { noun, countMin = 0, countMax, doc, why } = words;
  return {
    fallbackText: countMin === 1 ? MUST_BE_SET : 'none',
    allowed,
    doc,
    why,
    flag: '',
    isCommon: false,
    isSecret: false,
    countMin,
    json: {},
    countMax,
    noun,
  };
}

// The table of settings as a strict zod schema, and as a flat list for flags and docs.
// It knows nothing of files, lines and variables: it turns raw data into values and issues.

import { z } from 'zod';
import type { Issue, Path } from '../relations/draft.ts';
import { relationIssues } from '../relations/relations.ts';
import type { AnyRow, EntriesRow, Kinds, MappingRow, Part, Section } from '../kinds/entries-row.ts';
import type { ListRow, Row } from '../kinds/row.ts';
import { SERVICE_SETTINGS, SERVICES_MAX } from '../table/service-settings.ts';
import { SETTINGS } from '../table/settings.ts';
import { assert, unreachable } from '../../../base/assert.ts';
import { describe, type Parsed } from '../../../base/parsed.ts';
import { nearest } from '../../values/suggest.ts';
import { isPart, isRow, sectionIn } from '../table/settings-list.ts';
import { homeOf } from '../table/setting-home.ts';

export type ValueOf<T> =
  T extends EntriesRow<infer K>
    ? readonly EntryOf<K>[]
    : T extends MappingRow<infer V>
      ? ReadonlyMap<string, V>
      : T extends ListRow<infer V>
        ? readonly V[]
        : T extends Row<infer V>
          ? V
          : T extends Part<infer S>
            ? ValueOf<S> | undefined
            : { readonly [K in keyof T]: ValueOf<T[K]> };

/** One entry of a list of sections; `kind` tells what it has, where there are kinds. */
type EntryOf<K extends Kinds> = {
  readonly [P in keyof K]: P extends '' ? ValueOf<K[P]> : { readonly kind: P } & ValueOf<K[P]>;
}[keyof K];

/** What the file becomes: every setting has its value, in the shape of the file. */
export type Values = ValueOf<typeof SETTINGS> & { readonly services: readonly ServiceValues[] };
export type ServiceValues = ValueOf<typeof SERVICE_SETTINGS>;

export type Checked =
  | { readonly ok: true; readonly values: Values }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/** Checks each setting of `raw` for itself. */
export function checkSettings(raw: unknown): readonly Issue[] {
  const result = shape.safeParse(raw, { reportInput: true });
  return result.success ? [] : issuesOf(result.error, hintFor);
}

/** Checks each setting of `raw`, and how the settings go together. */
export function checkAll(raw: unknown): Checked {
  const result = whole.safeParse(raw, { reportInput: true });
  // The one cast from outside data: the schema is made from the same rows as the type.
  if (result.success) return { ok: true, values: result.data as Values };
  return { ok: false, issues: issuesOf(result.error, hintFor) };
}

/** Returns the JSON Schema of the file, for editors. */
export function jsonSchema(): object {
  // Draft 7, because that is what the YAML plugins of editors know.
  return z.toJSONSchema(shape, {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema: said }) => {
      const single = singles.get(zodSchema);
      if (single === undefined) return;
      const { description, ...list } = said;
      for (const key of Object.keys(said)) delete said[key];
      Object.assign(said, { description, anyOf: [single, list] });
    },
  });
}

/** Lists that one value can stand for, and what JSON Schema can say of it. */
const singles = new WeakMap<object, Row<unknown>['json']>();

const shape = sectionSchema(SETTINGS, {
  services: z
    .array(sectionSchema(SERVICE_SETTINGS, {}))
    .min(1)
    .max(SERVICES_MAX)
    .prefault([{}])
    .meta({ description: 'The routed applications. Left out: one that is called default.' }),
});
// Runs on what could be read even where other parts are wrong, so that all faults come at once.
const whole = shape.superRefine(
  (values, context) => {
    const draft = withoutMisfits(values, context.issues);
    if (!isMapping(draft)) return;
    for (const { path, message } of relationIssues(draft)) {
      context.addIssue({ code: 'custom', path: [...path], message });
    }
  },
  { when: () => true },
);

/**
 * Takes out of `values` what is of the wrong shape: zod leaves it there as it came. A row that
 * is wrong is `undefined` already.
 */
function withoutMisfits(values: unknown, issues: readonly z.core.$ZodRawIssue[]): unknown {
  const misfits = issues.flatMap(({ code, path = [] }) => {
    if (code === 'invalid_type') return [path];
    // The kind of an entry is not known, and so nothing of it is.
    return code === 'invalid_union' ? [path.slice(0, -1)] : [];
  });
  for (const path of misfits) {
    let parent = values;
    for (const key of path.slice(0, -1)) parent = isMapping(parent) ? parent[key] : undefined;
    if (isMapping(parent)) parent[path.at(-1)!] = undefined;
  }
  return misfits.some((path) => path.length === 0) ? undefined : values;
}

function isMapping(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Returns the schema of a part of a table, with `more` beside its rows. */
export function sectionSchema(section: Section, more: Record<string, z.ZodType>): z.ZodObject {
  const entries = Object.entries(section).map(([key, part]): [string, z.ZodType] => {
    if (isRow(part)) return [key, schemaOf(part)];
    const inner = sectionSchema(sectionIn(part), {});
    return [key, isPart(part) ? inner.optional() : inner.prefault({})];
  });
  return z.strictObject({ ...Object.fromEntries(entries), ...more });
}

function schemaOf(row: AnyRow): z.ZodType {
  switch (row.kind) {
    case 'row':
      return leaf(row);
    case 'list':
      return listOf(row);
    case 'mapping':
      return mappingOf(row);
    case 'entries':
      return entriesOf(row);
    default:
      return unreachable(row);
  }
}

function leaf(row: Row<unknown>): z.ZodType {
  const words = { ...row.json, description: `${row.doc} Allowed: ${row.allowed}.` };
  const checked = checkedBy(row.parse, words);
  if (row.isRequired === true) return checked;
  return row.fallback === undefined ? checked.optional() : checked.prefault(row.fallback);
}

function listOf(row: ListRow<unknown>): z.ZodType {
  return counted(row, checkedBy(row.parse, row.json)).meta({
    description: `${row.doc} Allowed: ${row.allowed}.`,
  });
}

function mappingOf(row: MappingRow<unknown>): z.ZodType {
  const key = z
    .string()
    .transform((raw, context) => parsedOr(row.parseKey(raw), context) as string);
  return z
    .record(key, checkedBy(row.parse, row.json))
    .prefault({})
    .meta({ description: `${row.doc} Allowed: ${row.allowed}.` })
    .superRefine((record, context) => {
      if (Object.keys(record).length <= row.countMax) return;
      context.addIssue({ code: 'custom', message: tooMany(row.countMax) });
    })
    .transform((record) => new Map(Object.entries(record)));
}

function entriesOf(row: EntriesRow<Kinds>): z.ZodType {
  const sections = Object.entries(row.kinds).map(([kind, section]) =>
    sectionSchema(section, kind === '' ? {} : { kind: z.literal(kind) }),
  );
  const [first, ...rest] = sections;
  assert(first !== undefined, 'a list of sections has at least one kind');
  const one = Object.hasOwn(row.kinds, '') ? first : z.discriminatedUnion('kind', [first, ...rest]);
  const list = counted(row, one).meta({ description: `${row.doc} Allowed: ${row.allowed}.` });
  return row.single === undefined ? list : orOne(list, row.single);
}

/** Takes one value, too, in place of a list with one entry. */
function orOne(list: z.ZodType, { key, row }: NonNullable<EntriesRow<Kinds>['single']>): z.ZodType {
  const schema = z.preprocess((raw, context) => {
    if (typeof raw === 'object' && raw !== null) return raw;
    const isGood = parsedOr(row.parse(raw), context) !== undefined;
    return isGood ? [{ [key]: raw }] : undefined;
  }, list);
  singles.set(schema, row.json);
  return row.fallback === undefined ? schema : schema.prefault(row.fallback);
}

function counted({ countMin, countMax }: ListRow<unknown> | EntriesRow<Kinds>, one: z.ZodType) {
  const list = z.array(one).min(countMin).max(countMax);
  return countMin === 0 ? list.prefault([]) : list;
}

function checkedBy(parse: Row<unknown>['parse'], json: Row<unknown>['json']): z.ZodType {
  return z
    .unknown()
    .meta({ ...json })
    .transform((raw, context) => parsedOr(parse(raw), context));
}

/** Returns the value, or tells `context` what is wrong with it. */
function parsedOr(parsed: Parsed<unknown>, context: z.core.$RefinementCtx): unknown {
  if (parsed.ok) return parsed.value;
  context.issues.push({ code: 'custom', message: parsed.problem, input: undefined });
  return undefined;
}

/** Returns what is wrong; `hint` goes on where a key is not known at a path: what may have been meant. */
export function issuesOf(error: z.ZodError, hint: (key: string, path: Path) => string): Issue[] {
  return error.issues.flatMap((issue): Issue[] => {
    const path = issue.path.map((key) => (typeof key === 'number' ? key : String(key)));
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: `unknown setting${hint(key, path)}`,
        at: 'key',
      }));
    }
    return [{ path, message: messageOf(issue), at: 'value' }];
  });
}

function messageOf(issue: z.core.$ZodIssue): string {
  // The schema has mappings, lists with a bound, and rows; rows bring their own words.
  if (issue.code === 'invalid_type') {
    const expected = issue.expected === 'array' ? 'a list' : 'a mapping';
    return `expected ${expected}, got ${describe(issue.input)}`;
  }
  if (issue.code === 'too_small') return `expected at least ${issue.minimum} of them, got none`;
  if (issue.code === 'too_big') return tooMany(Number(issue.maximum));
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  if (issue.code === 'invalid_union') return kindProblem(issue);
  return issue.message;
}

function tooMany(countMax: number): string {
  return `expected at most ${countMax} of them, got more`;
}

/** The only unions are lists of sections of several kinds. */
function kindProblem(issue: z.core.$ZodIssueInvalidUnion): string {
  const options = 'options' in issue ? (issue.options ?? []) : [];
  const kind = isMapping(issue.input) ? issue.input['kind'] : undefined;
  return `expected one of ${options.map(String).join(', ')}, got ${describe(kind)}`;
}

/** A slip of the pen, or a setting that stands elsewhere in the file. */
function hintFor(key: string, path: Path): string {
  const near = nearest(key, keysAt(path));
  const home = near === '' ? homeOf(key, path) : '';
  return home === '' ? near : `: did you mean ${home}?`;
}

function keysAt(path: Path): readonly string[] {
  if (path[0] === 'services') return keysIn(SERVICE_SETTINGS, path.slice(2));
  const keys = keysIn(SETTINGS, path);
  return path.length === 0 ? [...keys, 'services'] : keys;
}

/** Returns the keys that a table has at `path`; in a list of sections, those of any kind. */
export function keysIn(root: Section, path: Path): readonly string[] {
  let sections: readonly Section[] = [root];
  for (const key of path) {
    // The number of an entry: its sections were found with the list.
    if (typeof key === 'number') continue;
    sections = sections.flatMap((section) => {
      const next = section[key];
      if (next === undefined) return [];
      if (!isRow(next)) return [sectionIn(next)];
      return next.kind === 'entries' ? Object.values(next.kinds) : [];
    });
  }
  return [...new Set(sections.flatMap((section) => Object.keys(section)))];
}

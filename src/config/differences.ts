// What differs between two configurations, setting by setting, as a person wrote it.

import { isDeepStrictEqual } from 'node:util';
import type { Said } from './build.ts';
import { quote } from '../base/parsed.ts';
import type { AnyRow, EntriesRow, Kinds } from './settings/kinds/entries-row.ts';
import { MUST_BE_SET } from './settings/kinds/row.ts';
import {
  allSettings,
  rowsOf,
  sectionOfKind,
  type Setting,
} from './settings/table/settings-list.ts';

export interface Difference {
  /** `client.headSize`, `services.shop.drain.requests`, or `services.shop` where all of it is new. */
  readonly setting: string;
  readonly from: string;
  readonly to: string;
}

const SETTINGS = allSettings();

/** Returns every setting whose value differs; services are told apart by name. */
export function differences(before: Said, after: Said): Difference[] {
  const own = SETTINGS.filter(({ scope }) => scope === 'global').flatMap((setting) =>
    differenceIn(setting, setting.name, [before.values, before.raw], [after.values, after.raw]),
  );
  const [old, next] = [servicesOf(before), servicesOf(after)];
  const names = [...new Set([...old.keys(), ...next.keys()])];
  return [
    ...own,
    ...names.flatMap((name) => serviceDifferences(name, old.get(name), next.get(name))),
  ];
}

/** A part of the values, and what was written of it. */
type Part = readonly [values: unknown, raw: unknown];

function servicesOf({ values, raw }: Said): ReadonlyMap<string, Part> {
  const written = at(raw, ['services']);
  const list: readonly unknown[] = Array.isArray(written) ? (written as unknown[]) : [];
  return new Map(values.services.map((service, index) => [service.name, [service, list[index]]]));
}

function serviceDifferences(
  name: string,
  old: Part | undefined,
  next: Part | undefined,
): Difference[] {
  const at = `services.${name}`;
  if (old === undefined) return [{ setting: at, from: 'none', to: 'added' }];
  if (next === undefined) return [{ setting: at, from: 'there', to: 'removed' }];
  return SETTINGS.filter(({ scope }) => scope === 'service').flatMap((setting) =>
    differenceIn(setting, `${at}.${setting.path.join('.')}`, old, next),
  );
}

function differenceIn(setting: Setting, name: string, old: Part, next: Part): Difference[] {
  const part = ([values, raw]: Part): Part => [at(values, setting.path), at(raw, setting.path)];
  return rowDifferences(setting.row, name, part(old), part(next));
}

function rowDifferences(row: AnyRow, name: string, old: Part, next: Part): Difference[] {
  if (isDeepStrictEqual(old[0], next[0])) return [];
  if (row.kind === 'entries') {
    const isList = [old[1], next[1]].some((raw) => Array.isArray(raw));
    if (row.single === undefined || isList) return entryDifferences(row, name, old, next);
  }
  const isLeftOut = old[0] === undefined || next[0] === undefined;
  // The section that it stands in is not there: then it has no value, but says as much.
  if (isLeftOut && written(row, old[1]) === written(row, next[1])) return [];
  if ('isSecret' in row && row.isSecret)
    return [{ setting: name, from: 'not shown', to: 'changed' }];
  return [{ setting: name, from: written(row, old[1]), to: written(row, next[1]) }];
}

/** Entries are told apart by name, or by their place where they have none. */
function entryDifferences(
  row: EntriesRow<Kinds>,
  name: string,
  old: Part,
  next: Part,
): Difference[] {
  const [before, after] = [entriesOf(row, old), entriesOf(row, next)];
  const keys = [...new Set([...before.keys(), ...after.keys()])];
  const found = keys.flatMap((key) =>
    changesOf(row, `${name}.${key}`, before.get(key), after.get(key)),
  );
  if (keys.length === 0) return [];
  // The same entries in another order: gates are asked in theirs.
  return found.length > 0
    ? found
    : [{ setting: name, from: keys.join(', '), to: [...after.keys()].join(', ') }];
}

function changesOf(
  row: EntriesRow<Kinds>,
  name: string,
  old: Part | undefined,
  next: Part | undefined,
): Difference[] {
  if (old === undefined) return [{ setting: name, from: 'none', to: 'added' }];
  if (next === undefined) return [{ setting: name, from: 'there', to: 'removed' }];
  const kinds = [at(old[0], ['kind']), at(next[0], ['kind'])] as const;
  if (kinds[0] !== kinds[1]) {
    return [{ setting: `${name}.kind`, from: String(kinds[0]), to: String(kinds[1]) }];
  }
  return rowsOf(sectionOfKind(row, kinds[0]) ?? {}, []).flatMap(([path, inner]) => {
    const part = ([values, raw]: Part): Part => [at(values, path), at(raw, path)];
    return rowDifferences(inner, [name, ...path].join('.'), part(old), part(next));
  });
}

function entriesOf(row: EntriesRow<Kinds>, [values, raw]: Part): ReadonlyMap<string, Part> {
  const list: readonly unknown[] = Array.isArray(values) ? values : [];
  const single = row.single && raw !== undefined ? [{ [row.single.key]: raw }] : [];
  const texts: readonly unknown[] = Array.isArray(raw) ? raw : single;
  return new Map(
    list.map((entry, index) => {
      const name = at(entry, ['name']);
      return [typeof name === 'string' ? name : String(index), [entry, texts[index]]];
    }),
  );
}

/** Returns a value as it was written; what was not written is the default. */
function written(row: AnyRow, value: unknown): string {
  if (value === undefined || value === null) {
    return row.fallbackText === MUST_BE_SET ? 'none' : row.fallbackText;
  }
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(textOf).join(', ');
  return textOf(value);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return /^[\w.:/@-]+$/.test(value) ? value : quote(value);
  return JSON.stringify(value);
}

function at(value: unknown, path: readonly string[]): unknown {
  let part = value;
  for (const key of path) {
    if (typeof part !== 'object' || part === null || !Object.hasOwn(part, key)) return undefined;
    part = (part as Record<string, unknown>)[key];
  }
  return part;
}

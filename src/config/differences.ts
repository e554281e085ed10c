// What differs between two configurations, setting by setting, as a person wrote it.

import { isDeepStrictEqual } from 'node:util';
import type { Said } from './load.ts';
import { quote } from '../base/parsed.ts';
import { allSettings, type Setting } from './settings/settings-list.ts';

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
  if (isDeepStrictEqual(at(old[0], setting.path), at(next[0], setting.path))) return [];
  return [{ setting: name, from: written(setting, old[1]), to: written(setting, next[1]) }];
}

/** Returns a value as it was written; what was not written is the default. */
function written({ path, row }: Setting, raw: unknown): string {
  const value = at(raw, path);
  if (value === undefined || value === null) return row.fallbackText;
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

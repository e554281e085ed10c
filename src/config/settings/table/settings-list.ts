// The table of settings as a flat list: where each stands in the file, its flag, its variable.
// Free of the validator, so that the command line can name its flags without loading it.

import type { AnyRow, EntriesRow, Kinds, Part, Section } from '../kinds/entries-row.ts';
import { SERVICE_SETTINGS } from './service-settings.ts';
import { SETTINGS } from './settings.ts';

/** A row and where it stands. */
export interface Setting {
  /** As a person writes it: `client.headSize`, `services[].health.path`. */
  readonly name: string;
  /** `service`: belongs to each service; the path starts inside of it. */
  readonly scope: 'global' | 'service';
  readonly path: readonly string[];
  readonly row: AnyRow;
  /** Without dashes; empty where there is none. */
  readonly flag: string;
  /** Environment variable; empty where there is none. */
  readonly variable: string;
}

/** Returns all settings in the order of the table. */
export function allSettings(): readonly Setting[] {
  return [...flatten(SETTINGS, 'global', []), ...flatten(SERVICE_SETTINGS, 'service', [])];
}

/** A row in a list of sections. */
export interface EntrySetting {
  /** `services[].rollout.gates[]`, and the kind where there are kinds. */
  readonly list: string;
  readonly kind: string;
  /** `services[].rollout.gates[].url`. */
  readonly name: string;
  readonly row: AnyRow;
}

/** Returns the rows that stand in `settings` whose rows are lists of sections, and in those below them. */
export function entrySettings(settings: readonly Pick<Setting, 'name' | 'row'>[]): EntrySetting[] {
  return settings.flatMap(({ name, row }) => {
    if (row.kind !== 'entries') return [];
    const list = `${name}[]`;
    return Object.entries(row.kinds).flatMap(([kind, section]) => {
      const rows = rowsOf(section, []).map(([path, inner]) => {
        return { list, kind, name: [list, ...path].join('.'), row: inner };
      });
      return [...rows, ...entrySettings(rows)];
    });
  });
}

/** Returns what an entry of `kind` has; undefined: there is no such kind. */
export function sectionOfKind({ kinds }: EntriesRow<Kinds>, kind: unknown): Section | undefined {
  if (Object.hasOwn(kinds, '')) return kinds[''];
  return typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
}

/** Returns the rows of `section` and where in it they stand. */
export function rowsOf(
  section: Section,
  at: readonly string[],
): (readonly [path: readonly string[], row: AnyRow])[] {
  return Object.entries(section).flatMap(([key, part]) => {
    const path = [...at, key];
    if (isRow(part)) return [[path, part] as const];
    return rowsOf(sectionIn(part), path);
  });
}

function flatten(section: Section, scope: Setting['scope'], at: readonly string[]): Setting[] {
  return rowsOf(section, at).map(([path, row]) => {
    const flag = row.flag ?? kebab(path);
    const variable = flag === '' ? '' : `TURNOUT_${flag.toUpperCase().replaceAll('-', '_')}`;
    const name = (scope === 'service' ? ['services[]', ...path] : path).join('.');
    return { name, scope, path, row, flag, variable };
  });
}

function kebab(path: readonly string[]): string {
  return path.map((key) => key.replace(/[A-Z]/g, (big) => `-${big.toLowerCase()}`)).join('-');
}

/** Tells a row from a section. */
export function isRow(part: Section[string]): part is AnyRow {
  return typeof part['kind'] === 'string' && part['kind'] !== 'part';
}

/** Tells a section that may be left out from others. */
export function isPart(part: Section[string]): part is Part<Section> {
  return part['kind'] === 'part';
}

/** Returns the section that `part` is, or stands for. */
export function sectionIn(part: Part<Section> | Section): Section {
  return isPart(part) ? part.of : part;
}

// The table of settings as a flat list: where each stands in the file, its flag, its variable.
// Free of the validator, so that the command line can name its flags without loading it.

import type { ListRow, Row } from './row.ts';
import { SERVICE_SETTINGS } from './service-settings.ts';
import { SETTINGS } from './settings.ts';

/** A part of the table: sections hold rows and further sections. */
export interface Section {
  readonly [key: string]: Row<unknown> | ListRow<unknown> | Section;
}

/** A row and where it stands. */
export interface Setting {
  /** As a person writes it: `client.headSize`, `services[].health.path`. */
  readonly name: string;
  /** `service`: belongs to each service; the path starts inside of it. */
  readonly scope: 'global' | 'service';
  readonly path: readonly string[];
  readonly row: Row<unknown> | ListRow<unknown>;
  /** Without dashes; empty where there is none. */
  readonly flag: string;
  /** Environment variable; empty where there is none. */
  readonly variable: string;
}

/** Returns all settings in the order of the table. */
export function allSettings(): readonly Setting[] {
  return [...flatten(SETTINGS, 'global', []), ...flatten(SERVICE_SETTINGS, 'service', [])];
}

function flatten(section: Section, scope: Setting['scope'], at: readonly string[]): Setting[] {
  return Object.entries(section).flatMap(([key, part]) => {
    const path = [...at, key];
    if (!isRow(part)) return flatten(part, scope, path);
    const flag = part.flag ?? kebab(path);
    const variable = flag === '' ? '' : `TURNOUT_${flag.toUpperCase().replaceAll('-', '_')}`;
    const name = (scope === 'service' ? ['services[]', ...path] : path).join('.');
    return [{ name, scope, path, row: part, flag, variable }];
  });
}

function kebab(path: readonly string[]): string {
  return path.map((key) => key.replace(/[A-Z]/g, (big) => `-${big.toLowerCase()}`)).join('-');
}

/** Tells a row from a section. */
export function isRow(part: Section[string]): part is Row<unknown> | ListRow<unknown> {
  return part['kind'] === 'row' || part['kind'] === 'list';
}

// Where a setting stands that was written at the wrong place: many keys have only one place in the file.

import { allSettings, entrySettings } from './settings-list.ts';

/**
 * Returns the place of `key` as a person writes it (`listen[].tls.certificates`); empty: it has none, or
 * several, and none of them alone below `path`, where it was found.
 */
export function homeOf(key: string, path: readonly (string | number)[]): string {
  const settings = allSettings();
  const homes = new Set<string>();
  for (const { name } of [...settings, ...entrySettings(settings)]) {
    const keys = name.split('.');
    const index = keys.findIndex((one) => withoutBrackets(one) === key);
    if (index !== -1) homes.add(withoutBrackets(keys.slice(0, index + 1).join('.')));
  }
  const below = [...homes].filter((home) => home.startsWith(placeOf(path)));
  const [first = '', second] = below.length > 0 ? below : homes;
  return second === undefined ? first : '';
}

/** The path of a section, as the names of settings in it begin. */
function placeOf(path: readonly (string | number)[]): string {
  const keys = path.map((key) => (typeof key === 'number' ? '[]' : `.${key}`));
  return keys.join('').slice(1);
}

function withoutBrackets(name: string): string {
  return name.endsWith('[]') ? name.slice(0, -2) : name;
}

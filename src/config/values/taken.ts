// What is taken from the answer to one request and used in a later one: `${token}`.

import { accept, refuse, type Parsed } from '../../base/parsed.ts';
import { parseFieldName } from './field-name.ts';
import { parseJsonPath, type JsonPath } from './json-path.ts';

/** Where in an answer a value stands. */
export type Taken =
  | { readonly from: 'json'; readonly path: JsonPath }
  | { readonly from: 'field'; readonly name: string };

const USED = /\$\{([^}]*)\}/g;
const NAME = /^[a-z][a-z0-9_]{0,31}$/i;

/** Returns the name of a value. */
export function parseTakenName(raw: unknown): Parsed<string> {
  const fits = typeof raw === 'string' && NAME.test(raw);
  return fits ? accept(raw) : refuse('a name such as token', raw);
}

/** Returns where `json:$.path` or `field:name` leads. */
export function parseTaken(raw: unknown): Parsed<Taken> {
  const expected = 'json:$.path or field:name';
  if (typeof raw !== 'string') return refuse(expected, raw);
  if (raw.startsWith('json:')) {
    const path = parseJsonPath(raw.slice('json:'.length));
    return path.ok ? accept({ from: 'json', path: path.value }) : path;
  }
  if (!raw.startsWith('field:')) return refuse(expected, raw);
  const name = parseFieldName(raw.slice('field:'.length));
  return name.ok ? accept({ from: 'field', name: name.value }) : name;
}

/** Returns the names of the values that `text` uses. */
export function usedIn(text: string): string[] {
  return [...text.matchAll(USED)].map(([, name]) => name!);
}

/** Returns `text` with each `${name}` replaced; a name without a value stays as it is. */
export function filledIn(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(USED, (whole, name: string) => values.get(name) ?? whole);
}

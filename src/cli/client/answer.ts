// Reads answers of the admin API. They come from another process, perhaps of another version:
// what is missing is printed as `-`, never taken for granted.

import { plain } from '../terminal/print.ts';

/** Returns the part of `value` at `path`, or `undefined`. */
export function partOf(value: unknown, ...path: readonly (string | number)[]): unknown {
  let part = value;
  for (const key of path) {
    if (typeof part !== 'object' || part === null || !Object.hasOwn(part, key)) return undefined;
    part = (part as Record<string | number, unknown>)[key];
  }
  return part;
}

/** Returns the part at `path` as text for a person; `-` where there is none. */
export function textOf(value: unknown, ...path: readonly (string | number)[]): string {
  const part = partOf(value, ...path);
  if (typeof part === 'number' || typeof part === 'boolean') return String(part);
  return typeof part === 'string' && part !== '' ? plain(part) : '-';
}

/** Returns a target as a person writes it; of a name, one of its addresses behind it. */
export function targetText(target: unknown): string {
  const url = textOf(target, 'url');
  const address = textOf(target, 'address');
  return address === '-' ? url : `${url} (${address})`;
}

/** Returns the list at `path`; empty where there is none. */
export function listOf(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const part = partOf(value, ...path);
  return Array.isArray(part) ? (part as unknown[]) : [];
}

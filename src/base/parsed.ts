// What every small parser of text returns: a value, or a sentence about what was expected and what
// came. What came is described here, once, so that nothing secret leaks.

import { visibleText } from './visible-text.ts';

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string };

/** Returns `value` as a success. */
export function accept<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

/** Returns the fault `expected …, got …`; `because` adds a reason in a few words. */
export function refuse(expected: string, raw: unknown, because = ''): Parsed<never> {
  const reason = because === '' ? '' : ` (${because})`;
  return { ok: false, problem: `expected ${expected}, got ${describe(raw)}${reason}` };
}

/** Characters of a value that a message shows: enough to find it, too few to flood a terminal. */
const SHOWN_CHARS_MAX = 60;

/**
 * Returns `raw` in a few words for a message: short, on one line, and without what may be a
 * credential (all before an `@`, all after a `?`).
 */
export function describe(raw: unknown): string {
  if (raw === undefined || raw === null) return 'nothing';
  if (Array.isArray(raw)) return 'a list';
  if (typeof raw === 'number' || typeof raw === 'boolean' || typeof raw === 'bigint') {
    return String(raw);
  }
  if (typeof raw !== 'string') return 'a mapping';
  return quote(hideSecrets(raw));
}

/** Returns `text` in quotes, cut to a readable length, hidden characters escaped. */
export function quote(text: string): string {
  const shown = text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}...` : text;
  return visibleText(JSON.stringify(shown));
}

function hideSecrets(text: string): string {
  const question = text.indexOf('?');
  const open = question === -1 ? text : `${text.slice(0, question)}?***`;
  const at = open.lastIndexOf('@');
  if (at === -1) return open;
  const scheme = open.indexOf('://');
  const kept = scheme !== -1 && scheme < at ? open.slice(0, scheme + 3) : '';
  return `${kept}***@${open.slice(at + 1)}`;
}

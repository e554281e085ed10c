// Texts with `*` for anything: what a body or a field must hold. Not a regular expression, because one of
// those can take minutes for a short text, and the target that sends the text must not be able to stop
// the control plane. Each part is looked for once, from left to right: linear, whatever comes.

import { accept, refuse, type Parsed } from '../../base/parsed.ts';

const CHARS_MAX = 1_024;
/** Parts between stars; each is one search over what is left. */
const PARTS_MAX = 32;

export interface TextPattern {
  /** As it was written. */
  readonly text: string;
  /** What must stand there in this order, with anything between. */
  readonly parts: readonly string[];
}

/** Returns a pattern; `\*` is a star, `\\` a backslash. */
export function parseTextPattern(raw: unknown): Parsed<TextPattern> {
  const expected = `a text of at most ${CHARS_MAX} characters, with * for anything`;
  const text = typeof raw === 'number' ? String(raw) : raw;
  if (typeof text !== 'string' || text === '' || text.length > CHARS_MAX) {
    return refuse(expected, raw);
  }
  if (/^\*+$/.test(text)) return refuse(expected, raw, '* alone says nothing');
  const parts = partsOf(text);
  if (parts.length > PARTS_MAX) return refuse(expected, raw, `at most ${PARTS_MAX - 1} *`);
  return accept({ text, parts });
}

function partsOf(text: string): string[] {
  const parts = [''];
  for (const [token] of text.matchAll(/\\[\\*]|[^]/g)) {
    if (token === '*') parts.push('');
    else parts[parts.length - 1] += token.length === 2 && token[0] === '\\' ? token[1]! : token;
  }
  return parts.filter((part) => part !== '');
}

/** Tells whether `text` holds the pattern somewhere. */
export function holds(text: string, { parts }: TextPattern): boolean {
  let from = 0;
  for (const part of parts) {
    const at = text.indexOf(part, from);
    if (at === -1) return false;
    from = at + part.length;
  }
  return true;
}

// Text that a gate got from elsewhere, as its result shows it: short, on one line, and harmless for a terminal.

import { visibleText } from '../../base/visible-text.ts';

/** Of an answer that was not as expected. */
const SHOWN_CHARS_MAX = 200;

/** Returns the first characters of `text`. */
export function shownText(text: string, charsMax = SHOWN_CHARS_MAX): string {
  // Cut first: what came may be 64 KiB of spaces.
  const flat = text
    .slice(0, charsMax * 4)
    .replace(/\s+/g, ' ')
    .trim();
  const cut = flat.length > charsMax ? `${flat.slice(0, charsMax)}…` : flat;
  return visibleText(cut);
}

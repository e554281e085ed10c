// Text in lines that fit a window: facts side by side while there is room, below each other where
// there is none. Nothing is left out.

import { beginning, widthOf } from './width.ts';

export interface Folding {
  /** Cells of a line; Infinity: everything is one line. */
  readonly columns: number;
  /** Spaces before every line but the first. */
  readonly indent: number;
  /** Between two facts of one line. */
  readonly gap: string;
}

/** What is left of a line where its indent takes nearly all: fewer cells show no words. */
const ROOM_MIN = 8;

/** Cells. */
const WIDEST_LETTER = 2;

/** Not between a number and its unit. */
const BREAK = / (?!(?:ms|s|min|h|d)\b|%)/;

/**
 * Returns `facts` in lines of at most `columns` cells. A fact stays whole where a line has room for
 * it, else its words do; a longer word without styles goes on in the next line.
 */
export function fold(facts: readonly string[], { columns, indent, gap }: Folding): string[] {
  const margin = ' '.repeat(Math.max(0, Math.min(indent, columns - ROOM_MIN)));
  const lines: string[] = [];
  let line = '';
  let isFresh = true;
  const fits = (text: string): boolean => widthOf(text) <= columns;
  const breakLine = (): void => {
    lines.push(line);
    line = margin;
    isFresh = true;
  };
  const put = (part: string, before: string): void => {
    const joined = isFresh ? line + part : line + before + part;
    if (fits(joined)) {
      line = joined;
      isFresh = false;
      return;
    }
    const [word = '', ...more] = part.split(BREAK);
    if (more.length > 0 && !fits(margin + part)) {
      put(word, before);
      for (const one of more) put(one, ' ');
    } else if (!isFresh) {
      breakLine();
      put(part, before);
    } else {
      const room = columns - widthOf(line);
      // One letter at least: a line that is too narrow for it is left as it is.
      const begun = beginning(part, room) || beginning(part, WIDEST_LETTER) || part;
      const shown = part.includes('\u001B') ? part : begun;
      line += shown;
      isFresh = false;
      if (shown.length < part.length) {
        breakLine();
        put(part.slice(shown.length), before);
      }
    }
  };
  for (const fact of facts) put(fact.replaceAll('\n', ' '), gap);
  return [...lines, line];
}

/** Returns the words of `text` in lines of at most `columns` cells; all but the first indented. */
export function foldText(text: string, columns: number, indent: number): string[] {
  return fold([text], { columns, indent, gap: ' ' });
}

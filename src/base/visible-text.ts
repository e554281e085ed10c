// Text from outside, made safe for a terminal and for a line of a log. Characters that steer a terminal,
// end a line, turn the direction of writing or take no room are shown by their numbers, so that no text
// looks like another one or like lines of ours. Stored text stays as it was typed.

// Controls (C0, C1), format characters (bidirectional, zero-width, tags), what is drawn as nothing,
// separators of lines, and half surrogate pairs. Not the selectors that make an emoji of a character.
const HIDDEN = String.raw`[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]--[\u{FE00}-\u{FE0F}]]`;

const HIDDEN_CHARACTER = new RegExp(HIDDEN, 'gv');
const HIDDEN_OR_OURS = new RegExp(String.raw`\n|\u{1B}\[[\d;]*m|${HIDDEN}`, 'gv');

/** Returns `text` on one line, each hidden character as `\u{…}` with its number in hex. */
export function visibleText(text: string): string {
  return text.replace(HIDDEN_CHARACTER, escaped);
}

/** The same for text of our own that has lines and styles (SGR), which stay. */
export function visibleLines(text: string): string {
  return text.replace(HIDDEN_OR_OURS, (found) =>
    found === '\n' || found.length > 2 ? found : escaped(found),
  );
}

/** Returns a document of JSON on one line that reads as the same values, without hidden characters. */
export function visibleJson(json: string): string {
  return json.replace(HIDDEN_CHARACTER, (found) =>
    Array.from({ length: found.length }, (_, index) => {
      const unit = found.charCodeAt(index).toString(16);
      return `\\u${unit.padStart(4, '0')}`;
    }).join(''),
  );
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

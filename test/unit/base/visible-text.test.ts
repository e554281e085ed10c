import * as fc from 'fast-check';
import t from 'tap';
import { visibleJson, visibleLines, visibleText } from '../../../src/base/visible-text.ts';

/** Characters that must never get to a terminal, by what they would do there. */
const HIDDEN: Readonly<Record<string, string>> = {
  NUL: '\0',
  bell: '\u0007',
  tab: '\t',
  'line feed': '\n',
  'carriage return': '\r',
  escape: '\u001b',
  delete: '\u007f',
  'next line (C1)': '\u0085',
  'control sequence (C1)': '\u009b',
  'soft hyphen': '\u00ad',
  'combining grapheme joiner': '\u034f',
  'Arabic letter mark': '\u061c',
  'Hangul filler': '\u3164',
  'zero-width space': '\u200b',
  'zero-width joiner': '\u200d',
  'left-to-right mark': '\u200e',
  'right-to-left mark': '\u200f',
  'line separator': '\u2028',
  'paragraph separator': '\u2029',
  'left-to-right embedding': '\u202a',
  'right-to-left override': '\u202e',
  'word joiner': '\u2060',
  'left-to-right isolate': '\u2066',
  'end of an isolate': '\u2069',
  'byte order mark': '\ufeff',
  'interlinear annotation': '\ufff9',
  'half a pair, first': '\ud83d',
  'half a pair, second': '\udc00',
  tag: '\u{e0041}',
  'variation selector 17': '\u{e0100}',
};

await t.test('hidden characters are shown by their numbers', async (t) => {
  for (const [what, character] of Object.entries(HIDDEN)) {
    const shown = `\\u{${character.codePointAt(0)!.toString(16)}}`;
    t.equal(visibleText(`a${character}b`), `a${shown}b`, what);
  }
  t.equal(visibleText('\u001b[31mred'), String.raw`\u{1b}[31mred`);
});

await t.test('what people write stays as it is', async (t) => {
  for (const text of [
    '',
    'plain',
    'Grüße an 東京',
    'שלום',
    'a\u0301',
    '👍🏽',
    '❤️',
    'a\\u{a}b',
    '\u00a0',
  ]) {
    t.equal(visibleText(text), text);
    t.equal(visibleLines(text), text);
  }
});

await t.test('lines and styles of our own stay, and nothing else does', async (t) => {
  t.equal(visibleLines('a\n\u001b[1;31mb\u001b[0m'), 'a\n\u001b[1;31mb\u001b[0m');
  t.equal(visibleLines('\u001b[2J\r\u009b1m'), String.raw`\u{1b}[2J\u{d}\u{9b}1m`);
});

/** Any text, with many hidden characters in it. */
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...Object.values(HIDDEN)), fc.string({ unit: 'binary' })))
  .map((parts) => parts.join(''));

/** What the rule promises, said in another way. */
function isHidden(character: string): boolean {
  const code = character.codePointAt(0)!;
  return (
    code < 0x20 ||
    (code >= 0x7f && code < 0xa0) ||
    (code >= 0xd800 && code < 0xe000) ||
    [0xad, 0x61c, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2060, 0xfeff].includes(code) ||
    (code >= 0x2028 && code <= 0x202e) ||
    (code >= 0x2066 && code <= 0x2069) ||
    (code >= 0xe0000 && code < 0xe1000)
  );
}

/** Text with the characters that escapes stand for. */
function readBack(text: string): string {
  return text.replaceAll(/\\u\{([\da-f]+)\}/g, (_, hex: string) =>
    String.fromCodePoint(Number.parseInt(hex, 16)),
  );
}

await t.test('whatever the text, nothing hidden is left, and nothing is lost', async () => {
  const holds = fc.property(hostile, (text) => {
    const shown = visibleText(text);
    const isClean = !Array.from(shown).some(isHidden) && visibleText(shown) === shown;
    return isClean && readBack(shown) === readBack(text);
  });
  fc.assert(holds, { numRuns: 1_000 });
});

await t.test('a document of JSON reads as the same values', async () => {
  const holds = fc.property(fc.jsonValue({ stringUnit: 'binary' }), hostile, (value, text) => {
    const document = JSON.stringify({ value, text });
    const shown = visibleJson(document);
    const isSame = JSON.stringify(JSON.parse(shown)) === JSON.stringify(JSON.parse(document));
    return isSame && !Array.from(shown).some(isHidden);
  });
  fc.assert(holds, { numRuns: 1_000 });
});

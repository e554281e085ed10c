// The path of a request as a report groups it: without its query, and with `*` for what names one person
// or thing. So a report has few rows, and no secret of a link that was sent by mail.

/** A report has to fit on a screen. */
const PATH_CHARS_MAX = 120;
/** Words are shorter; what is longer is a key, a token or a hash. */
const WORD_CHARS_MAX = 32;
/** A short segment with a digit in it is a name, such as `v2` or `page3`. */
const NAME_CHARS_MAX = 7;
const DIGITS = '0123456789';

/** Returns `path` (no query) as it is told. */
export function plainPath(path: string): string {
  const plain = path.split('/').map(plainSegment).join('/');
  return plain.length <= PATH_CHARS_MAX ? plain : `${plain.slice(0, PATH_CHARS_MAX)}…`;
}

function plainSegment(segment: string): string {
  if (segment.length > WORD_CHARS_MAX) return '*';
  const digits = digitsIn(segment);
  const isNumber = digits > 0 && digits === segment.length;
  return isNumber || (digits > 0 && segment.length > NAME_CHARS_MAX) ? '*' : segment;
}

function digitsIn(segment: string): number {
  let count = 0;
  for (const char of segment) if (DIGITS.includes(char)) count++;
  return count;
}

// How many of something, and the first of many, in words for people.

/** Returns `1 session`, `2 sessions`: `word` alone for one, else its plural. */
export function countText(
  count: number | string,
  word: string,
  plural: string = `${word}s`,
): string {
  return `${count} ${String(count) === '1' ? word : plural}`;
}

/** Returns the first `max` of `texts` and how many are left: `a, b and 3 more`. */
export function someText(texts: readonly string[], max: number, separator = ', '): string {
  const named = texts.slice(0, max).join(separator);
  return texts.length > max ? `${named} and ${texts.length - max} more` : named;
}

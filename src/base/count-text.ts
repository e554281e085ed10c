// How many of something, in words for people.

/** Returns `1 session`, `2 sessions`: `word` alone for one, else its plural. */
export function countText(
  count: number | string,
  word: string,
  plural: string = `${word}s`,
): string {
  return `${count} ${String(count) === '1' ? word : plural}`;
}

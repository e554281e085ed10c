// What is left of a head when cookies and fields are taken out of it, worked out plainly with
// strings and regular expressions: a second reading for src/http/forward/cookies.ts and copy-head.ts.

export interface TakenCookie {
  readonly name: string;
  readonly value: string;
}

/** Tells whether a cookie is one to be taken out. */
export type IsOwn = (cookie: TakenCookie) => boolean;

/** Returns the cookies of one Cookie value that are own, in order. */
export function cookiesIn(value: string, isOwn: IsOwn): TakenCookie[] {
  return value.split(';').flatMap((pair) => {
    const [, name, ofCookie] = /^[ \t]*([^=]*?)[ \t]*=(.*)$/s.exec(pair) ?? [];
    if (name === undefined || ofCookie === undefined) return [];
    const cookie = { name, value: ofCookie };
    return isOwn(cookie) ? [cookie] : [];
  });
}

/** Returns the value without those cookies; undefined when no other is left. */
export function withoutCookies(value: string, isOwn: IsOwn): string | undefined {
  // Each pair with the separator behind it.
  const pairs = value.match(/[^;]*;[ \t]*|[^;]+$/g) ?? [];
  const isOurs = (pair: string): boolean =>
    cookiesIn(pair.replace(/;[ \t]*$/, ''), isOwn).length > 0;
  const kept = pairs.filter((pair) => !isOurs(pair));
  if (kept.length === pairs.length) return value;
  if (kept.length === 0) return undefined;
  // When the last one goes, the separator before it goes too.
  return isOurs(pairs.at(-1)!) ? kept.join('').replace(/;[ \t]*$/, '') : kept.join('');
}

/** Returns the lines of a head that stay, whole with their line ends. */
export function naiveCopy(
  lines: readonly string[],
  rules: { readonly isOwn: IsOwn; readonly isDropped: (name: string) => boolean },
): string {
  const named = lines
    .filter((line) => nameOf(line) === 'connection')
    .flatMap((line) => line.slice(line.indexOf(':') + 1).split(','))
    .map((option) => option.trim().toLowerCase());
  let copied = '';
  for (const line of lines) {
    const name = nameOf(line);
    if (rules.isDropped(name) || named.includes(name)) continue;
    if (name !== 'cookie') {
      copied += `${line}\r\n`;
      continue;
    }
    const [, before = '', value = '', after = ''] =
      /^([^:]+:[ \t]*)(.*?)([ \t]*)$/s.exec(line) ?? [];
    const rest = withoutCookies(value, rules.isOwn);
    if (rest !== undefined) copied += `${before}${rest}${after}\r\n`;
  }
  return copied;
}

function nameOf(line: string): string {
  return line.slice(0, line.indexOf(':')).toLowerCase();
}

// What is told to people of a request, read from the text of its head: `METHOD SP target SP …` and field
// lines. Queries hold secrets, so they are told only where a setting asks for them, and masked then.

/** Returns the path in the request line, without its query. */
export function pathIn(requestHead: string): string {
  return withoutQuery(targetIn(requestHead));
}

/** Returns `target` up to its query. */
export function withoutQuery(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}

/** Returns the query of `target` without its `?`, with secrets masked; undefined: it has none. */
export function queryOf(target: string): string | undefined {
  const start = target.indexOf('?');
  if (start === -1) return undefined;
  return target
    .slice(start + 1)
    .split('&')
    .map(masked)
    .join('&');
}

/** Returns the target in the request line. */
export function targetIn(requestHead: string): string {
  const start = requestHead.indexOf(' ') + 1;
  return requestHead.slice(start, requestHead.indexOf(' ', start));
}

/** Returns the value of the first field `name`, which is in small letters; undefined: there is none. */
export function fieldIn(requestHead: string, name: string): string | undefined {
  let at = requestHead.indexOf('\r\n');
  while (at !== -1) {
    const start = at + 2;
    const colon = start + name.length;
    at = requestHead.indexOf('\r\n', start);
    if (requestHead[colon] !== ':') continue;
    if (requestHead.slice(start, colon).toLowerCase() !== name) continue;
    return requestHead.slice(colon + 1, at === -1 ? undefined : at).trim();
  }
  return undefined;
}

/** Parts of the names of parameters that hold secrets in links, logins and signed addresses. */
const SECRET_PARTS = [
  'token',
  'secret',
  'passw',
  'passphrase',
  'auth',
  'session',
  'credential',
  'signature',
  'assertion',
  'ticket',
  'invite',
  'jwt',
  'pwd',
  'key',
];
const SECRET_NAMES: ReadonlySet<string> = new Set([
  'code',
  'sig',
  'sid',
  'otp',
  'pin',
  'state',
  'nonce',
]);
const MASK = '***';

function masked(pair: string): string {
  const equals = pair.indexOf('=');
  if (equals === -1) return pair;
  const name = pair.slice(0, equals).toLowerCase();
  const isSecret = SECRET_NAMES.has(name) || SECRET_PARTS.some((part) => name.includes(part));
  return isSecret ? `${pair.slice(0, equals)}=${MASK}` : pair;
}

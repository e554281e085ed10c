// Names of HTTP fields in settings (RFC 9110 §5.1).

import { accept, refuse, type Parsed } from '../../base/parsed.ts';

/** What Turnout itself reads of a request, or writes anew: without these it would be another one. */
const READ_HERE: ReadonlySet<string> = new Set(
  (
    'host connection content-length transfer-encoding keep-alive proxy-connection te upgrade ' +
    'http2-settings trailer expect via cookie content-type content-encoding cache-control expires ' +
    'cdn-cache-control surrogate-control x-deployment-id sec-fetch-dest sec-fetch-site forwarded ' +
    'x-forwarded-for x-forwarded-proto x-forwarded-host x-turnout-hops'
  ).split(' '),
);

/** Returns a field name in lower case; `*` at its end stands for the rest of any name. */
export function parseStrippedName(raw: unknown): Parsed<string> {
  const expected = 'the name of a field such as X-Auth-User or X-Auth-*';
  if (typeof raw !== 'string' || !/^[!#$%&'+.^_`|~\w-]{3,63}\*?$/.test(raw)) {
    return refuse(expected, raw);
  }
  const name = raw.toLowerCase();
  if (READ_HERE.has(name)) return refuse(expected, raw, 'Turnout itself reads this field');
  return accept(name);
}

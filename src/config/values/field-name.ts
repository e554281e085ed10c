// Names of HTTP fields in settings (RFC 9110 §5.1).

import { accept, refuse, type Parsed } from '../../base/parsed.ts';

/** What Turnout itself reads of a request, or writes anew: without these it would be another one. */
const READ_HERE: ReadonlySet<string> = new Set(
  (
    'host connection content-length transfer-encoding keep-alive proxy-connection te upgrade ' +
    'http2-settings trailer expect via cookie content-type content-encoding cache-control expires ' +
    'cdn-cache-control surrogate-control x-deployment-id sec-fetch-dest sec-fetch-site forwarded ' +
    'x-forwarded-for x-forwarded-proto x-forwarded-host x-turnout-hops ' +
    'x-request-id traceparent tracestate'
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

/** Returns the name of the field that holds the id of a request; empty for `off`. */
export function parseIdField(raw: unknown): Parsed<string> {
  if (raw === 'off') return accept('');
  const expected = 'the name of a field that ends in -id, in small letters, or off';
  if (typeof raw !== 'string' || !/^[a-z0-9]+(-[a-z0-9]+)*-id$/.test(raw) || raw.length > 63) {
    return refuse(expected, raw);
  }
  const isTaken = READ_HERE.has(raw) && raw !== 'x-request-id';
  if (isTaken || raw.startsWith('x-turnout-')) {
    return refuse(expected, raw, 'that field means something else to Turnout');
  }
  return accept(raw);
}

/** What a request says of its own connection and framing, and what Turnout alone says. */
const NOT_TO_BE_SET =
  /^(?:connection|content-length|transfer-encoding|keep-alive|te|trailer|upgrade|expect|x-turnout-.*)$/;

/** Returns the name of a field of a request or answer in lower case. */
export function parseFieldName(raw: unknown): Parsed<string> {
  const expected = 'the name of a field such as content-type';
  if (typeof raw !== 'string' || !/^[!#$%&'*+.^_`|~\w-]{1,64}$/.test(raw))
    return refuse(expected, raw);
  return accept(raw.toLowerCase());
}

/** As `parseFieldName`, for a request that Turnout makes. */
export function parseOwnFieldName(raw: unknown): Parsed<string> {
  const name = parseFieldName(raw);
  if (!name.ok || !NOT_TO_BE_SET.test(name.value)) return name;
  return refuse('a field of the request', raw, 'Turnout itself sets this field');
}

/** Returns the value of a field (RFC 9110 §5.5), in ASCII. */
export function parseFieldValue(raw: unknown): Parsed<string> {
  const text = typeof raw === 'number' ? String(raw) : raw;
  const fits = typeof text === 'string' && /^(?:[!-~](?:[ -~]{0,4094}[!-~])?)?$/.test(text);
  return fits ? accept(text) : refuse('a value of at most 4096 characters of ASCII', raw);
}

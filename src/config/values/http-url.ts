// Addresses that Turnout itself calls: webhooks, Prometheus. What proves the caller stands in a file, not
// in the address, which is shown and logged.

import { accept, refuse, type Parsed } from '../../base/parsed.ts';

const CHARS_MAX = 2_048;

/** Returns an `http:` or `https:` URL in normal form, without user and fragment. */
export function parseHttpUrl(raw: unknown): Parsed<string> {
  const expected = 'a URL such as https://hooks.example.com/turnout';
  if (typeof raw !== 'string' || raw.length > CHARS_MAX || !/^https?:\/\/[!-~]+$/i.test(raw)) {
    return refuse(expected, raw);
  }
  const url = URL.parse(raw);
  if (url === null || url.hostname === '') return refuse(expected, raw);
  if (url.username !== '' || url.password !== '') {
    return refuse(expected, raw, 'a user or password stands in secretFile');
  }
  if (url.hash !== '') return refuse(expected, raw, 'a fragment is never sent');
  return accept(url.href);
}

/** As `parseHttpUrl`, for what must not be read or changed on its way. */
export function parseHttpsUrl(raw: unknown): Parsed<string> {
  const parsed = parseHttpUrl(raw);
  if (!parsed.ok || parsed.value.startsWith('https:')) return parsed;
  return refuse('an https: URL', raw);
}

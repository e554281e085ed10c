// What a response must say to caches when it gets a cookie: a shared cache that kept it would give
// the cookie of one client to others (RFC 9111 §3, §7.3).

import { FIELD } from '../grammar/field-kind.ts';
import type { ResponseHead } from './response-head.ts';
import { text } from '../grammar/text.ts';

/** Statuses that a cache may keep without being told for how long (RFC 9110 §15.1). */
const HEURISTIC = new Set([200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501]);

/** Fields that the line of `privateControl` replaces. */
export const CACHE_FIELDS = [FIELD.cacheControl, FIELD.cdnCacheControl, FIELD.surrogateControl];

/**
 * Returns the Cache-Control line that keeps `head` out of shared caches; it replaces all
 * CACHE_FIELDS. Empty when such caches do not keep the response anyway. `isRead`: the method of the
 * request is safe, as GET is.
 */
export function privateControl(head: ResponseHead, isRead: boolean): string {
  if (CACHE_FIELDS.every((kind) => head.lines.find(kind, 0) === -1)) {
    const hasExpires = head.lines.find(FIELD.expires, 0) !== -1;
    return hasExpires || (isRead && HEURISTIC.has(head.status)) ? 'Cache-Control: private\r\n' : '';
  }
  const given = directives(head);
  const names = given.map(nameOf);
  // With names of fields, `private` is about those alone (RFC 9111 §5.2.2.7).
  const isPrivate = given.some((directive) => directive.toLowerCase() === 'private');
  if (isPrivate || names.includes('no-store')) return isTargeted(head) ? line(given) : '';
  const isExplicit =
    names.includes('public') || names.includes('max-age') || names.includes('s-maxage');
  const hasExpires = head.lines.find(FIELD.expires, 0) !== -1;
  const mayBeKept = isExplicit || hasExpires || (isRead && HEURISTIC.has(head.status));
  if (!mayBeKept && !isTargeted(head)) return '';
  const kept = given.filter((_, i) => names[i] !== 'public' && names[i] !== 's-maxage');
  return line(['private', ...kept]);
}

/** A field addresses caches of the operator, which obey it instead of Cache-Control. */
function isTargeted({ lines }: ResponseHead): boolean {
  return (
    lines.find(FIELD.cdnCacheControl, 0) !== -1 || lines.find(FIELD.surrogateControl, 0) !== -1
  );
}

/** Returns the directives of all Cache-Control lines (RFC 9111 §5.2); a comma may be quoted. */
function directives({ bytes, lines }: ResponseHead): string[] {
  const found: string[] = [];
  for (let i = lines.find(FIELD.cacheControl, 0); i !== -1;) {
    const value = text(bytes, lines.valueStart(i), lines.valueEnd(i));
    let isQuoted = false;
    let from = 0;
    for (let p = 0; p <= value.length; p++) {
      // RFC 9110 §5.6.4: what follows a backslash in quotes is only itself.
      if (isQuoted && value[p] === '\\') p++;
      else if (value[p] === '"') isQuoted = !isQuoted;
      if (p < value.length && (isQuoted || value[p] !== ',')) continue;
      const directive = value.slice(from, p).trim();
      if (directive !== '') found.push(directive);
      from = p + 1;
    }
    i = lines.find(FIELD.cacheControl, i + 1);
  }
  return found;
}

function nameOf(directive: string): string {
  const equals = directive.indexOf('=');
  return (equals === -1 ? directive : directive.slice(0, equals)).trim().toLowerCase();
}

function line(directives: readonly string[]): string {
  return `Cache-Control: ${directives.join(', ')}\r\n`;
}

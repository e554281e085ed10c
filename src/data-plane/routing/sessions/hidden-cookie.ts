// Requests with which a browser does not send the session cookie that it has (RFC 6265 §5.4, RFC
// 6265bis §5.8.3). A new cookie in the response would take the place of that one, and the session
// would be lost by a request that has nothing to do with it.

import { FIELD } from '../../../http/grammar/field-kind.ts';
import type { RequestHead } from '../../../http/heads/request-head.ts';
import { text } from '../../../http/grammar/text.ts';
import type { Affinity } from '../tokens/affinity.ts';
import { pathOf } from '../table/route-table.ts';

/** Tells whether the browser may have a session cookie that it keeps back from this request. */
export function mayHideCookie(
  { cookiePath, sameSite }: Pick<Affinity, 'cookiePath' | 'sameSite'>,
  head: RequestHead,
): boolean {
  if (cookiePath !== '/' && !isUnder(cookiePath, pathOf(head))) return true;
  if (sameSite === 'none' || (sameSite === 'lax' && head.method!.isSafe)) return false;
  return isFromOtherSite(head);
}

/** The path of a request matches that of a cookie (RFC 6265 §5.1.4). */
function isUnder(cookiePath: string, path: string): boolean {
  if (!path.startsWith(cookiePath)) return false;
  return (
    path.length === cookiePath.length || cookiePath.endsWith('/') || path[cookiePath.length] === '/'
  );
}

/** Another site has sent the browser here (W3C Fetch Metadata §2.3). */
function isFromOtherSite({ bytes, lines }: RequestHead): boolean {
  const line = lines.find(FIELD.secFetchSite, 0);
  return line !== -1 && text(bytes, lines.valueStart(line), lines.valueEnd(line)) === 'cross-site';
}

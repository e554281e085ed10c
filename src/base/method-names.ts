// The request methods that are registered (IANA, RFC 9110 §16.1.1), by what may be done with them. Both
// the parser of requests and the setting that adds further methods go by these lists.

/** The client asks for no change (RFC 9110 §9.2.1). */
export const SAFE_METHODS: readonly string[] =
  'GET HEAD OPTIONS TRACE QUERY PROPFIND REPORT SEARCH'.split(' ');

/** They ask for a change; doing it twice is the same as doing it once (RFC 9110 §9.2.2). */
export const IDEMPOTENT_METHODS: readonly string[] = (
  'PUT DELETE PROPPATCH MKCOL COPY MOVE UNLOCK ACL BIND UNBIND REBIND LINK UNLINK CHECKOUT MERGE ' +
  'MKACTIVITY MKCALENDAR BASELINE-CONTROL CHECKIN LABEL MKREDIRECTREF MKWORKSPACE ORDERPATCH ' +
  'UNCHECKOUT UPDATE UPDATEREDIRECTREF VERSION-CONTROL'
).split(' ');

export const OTHER_METHODS: readonly string[] =
  'POST PATCH LOCK NOTIFY SUBSCRIBE UNSUBSCRIBE M-SEARCH PURGE SOURCE'.split(' ');

/** Characters of a method at most; more without a space is no request line. */
export const METHOD_CHARS_MAX = 32;

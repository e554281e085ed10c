// Request methods and what may be done with them (RFC 9110 §9, the IANA method registry).

import { text } from './text.ts';

export interface Method {
  readonly name: string;
  /** The client asks for no change (RFC 9110 §9.2.1). */
  readonly isSafe: boolean;
  /** Doing it twice is the same as doing it once (RFC 9110 §9.2.2). */
  readonly isIdempotent: boolean;
}

const SAFE = 'GET HEAD OPTIONS TRACE QUERY PROPFIND REPORT SEARCH'.split(' ');
const IDEMPOTENT = (
  'PUT DELETE PROPPATCH MKCOL COPY MOVE UNLOCK ACL BIND UNBIND REBIND LINK UNLINK CHECKOUT MERGE ' +
  'MKACTIVITY MKCALENDAR BASELINE-CONTROL CHECKIN LABEL MKREDIRECTREF MKWORKSPACE ORDERPATCH ' +
  'UNCHECKOUT UPDATE UPDATEREDIRECTREF VERSION-CONTROL'
).split(' ');
const OTHER = 'POST PATCH LOCK NOTIFY SUBSCRIBE UNSUBSCRIBE M-SEARCH PURGE SOURCE'.split(' ');

const METHODS: ReadonlyMap<string, Method> = new Map(
  [...SAFE, ...IDEMPOTENT, ...OTHER].map((name) => [
    name,
    { name, isSafe: SAFE.includes(name), isIdempotent: !OTHER.includes(name) },
  ]),
);

const GET = METHODS.get('GET')!;
const POST = METHODS.get('POST')!;

/**
 * Returns the method in `bytes[start, end)`, or undefined when it is none we know. CONNECT is
 * left out on purpose: a reverse proxy opens no tunnel to an address that the client chooses.
 */
export function methodOf(bytes: Buffer, start: number, end: number): Method | undefined {
  const length = end - start;
  if (
    length === 3 &&
    bytes[start] === 0x47 &&
    bytes[start + 1] === 0x45 &&
    bytes[start + 2] === 0x54
  ) {
    return GET;
  }
  if (
    length === 4 &&
    bytes[start] === 0x50 &&
    bytes[start + 1] === 0x4f &&
    bytes[start + 2] === 0x53
  ) {
    if (bytes[start + 3] === 0x54) return POST;
  }
  return METHODS.get(text(bytes, start, end));
}

// What can be wrong with bytes that claim to be HTTP. Parsers return the negative number of a
// fault, so that the path without one allocates nothing; the table says it in words.

import type { FailureCode } from '../../base/failures.ts';

/** Parsers return this when the bytes so far are fine and more are needed. */
export const INCOMPLETE = 0;

interface Fault {
  /** What a client is told when its request has the fault. */
  readonly failure: FailureCode;
  readonly detail: string;
}

const FAULT_ROWS = {
  METHOD: { failure: 'BAD_REQUEST', detail: 'the method is not a token followed by one space' },
  METHOD_UNKNOWN: { failure: 'NOT_IMPLEMENTED', detail: 'the method is not known' },
  TARGET: { failure: 'BAD_REQUEST', detail: 'the request target is malformed' },
  TARGET_LENGTH: { failure: 'TARGET_TOO_LONG', detail: 'the request target is over the limit' },
  VERSION: { failure: 'BAD_REQUEST', detail: 'the HTTP version is malformed' },
  VERSION_UNSUPPORTED: {
    failure: 'VERSION_NOT_SUPPORTED',
    detail: 'only HTTP/1.1 and HTTP/1.0 are spoken',
  },
  LINE_END: { failure: 'BAD_REQUEST', detail: 'a line does not end in CR LF' },
  FIELD_NAME: { failure: 'BAD_REQUEST', detail: 'a field name is not a token followed by a colon' },
  FIELD_VALUE: { failure: 'BAD_REQUEST', detail: 'a field value holds a control character' },
  HEAD_BYTES: { failure: 'HEAD_TOO_LARGE', detail: 'the head has too many bytes' },
  HEAD_FIELDS: { failure: 'HEAD_TOO_LARGE', detail: 'the head has too many fields' },
  HOST_MISSING: { failure: 'BAD_REQUEST', detail: 'Host is missing' },
  HOST_REPEATED: { failure: 'BAD_REQUEST', detail: 'Host is given twice' },
  HOST: { failure: 'BAD_REQUEST', detail: 'Host is not a name or address with an optional port' },
  HOST_DIFFERS: { failure: 'BAD_REQUEST', detail: 'Host differs from the authority of the target' },
  LENGTH: { failure: 'BAD_REQUEST', detail: 'Content-Length is not one plain decimal number' },
  LENGTH_AND_CODING: {
    failure: 'BAD_REQUEST',
    detail: 'Content-Length and Transfer-Encoding exclude each other',
  },
  CODING: { failure: 'BAD_REQUEST', detail: 'Transfer-Encoding is not one final "chunked"' },
  CODING_UNKNOWN: { failure: 'NOT_IMPLEMENTED', detail: 'the transfer coding is not known' },
  CODING_VERSION: { failure: 'BAD_REQUEST', detail: 'Transfer-Encoding needs HTTP/1.1' },
  CONNECTION: {
    failure: 'BAD_REQUEST',
    detail: 'Connection is not a list of tokens, or names a field it may not',
  },
  STATUS: { failure: 'UPSTREAM_BAD_RESPONSE', detail: 'the status line is malformed' },
  CHUNK_SIZE: { failure: 'BAD_REQUEST_BODY', detail: 'a chunk size is not a hexadecimal number' },
  CHUNK_EXTENSION: {
    failure: 'BAD_REQUEST_BODY',
    detail: 'the chunk extensions are malformed or too long',
  },
  CHUNK_END: { failure: 'BAD_REQUEST_BODY', detail: 'chunk data does not end in CR LF' },
  TRAILER: {
    failure: 'BAD_REQUEST_BODY',
    detail: 'the trailer section is malformed or holds a forbidden field',
  },
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof FAULT_ROWS;

const FAULT_NAMES = Object.keys(FAULT_ROWS) as FaultName[];

/** Below every other negative number that a parser may return. */
const FIRST = -100;

/** Name → the negative number that parsers return. */
export const FAULT = Object.fromEntries(
  FAULT_NAMES.map((name, index) => [name, FIRST - index]),
) as Readonly<Record<FaultName, number>>;

/** Returns the row of a negative parser result. */
export function faultRow(fault: number): Fault {
  return FAULT_ROWS[FAULT_NAMES[FIRST - fault]!];
}

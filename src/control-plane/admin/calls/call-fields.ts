// Pure: the request fields that every change may have: `If-Match` and `Idempotency-Key`.

import { IDEMPOTENCY_KEY_CHARS_MAX } from '../../../api/api-limits.ts';
import { OperatorError } from '../../base/problems.ts';

/**
 * Returns the generations of an `If-Match`, or undefined where any will do.
 * RFC 9110 §13.1.1: `*` or a list of entity tags; weak ones never match, so none is taken.
 */
export function parseIfMatch(field: string | undefined): number[] | undefined {
  if (field === undefined || field.trim() === '*') return undefined;
  const tags = field.split(',').map((tag) => /^"(\d{1,15})"$/.exec(tag.trim())?.[1]);
  if (tags.every((tag) => tag !== undefined)) return tags.map(Number);
  throw new OperatorError('if-match-malformed', 'expected a generation in quotes, as in "12"');
}

/** Returns the key of an `Idempotency-Key`, or undefined where there is none. */
export function parseIdempotencyKey(
  field: string | readonly string[] | undefined,
): string | undefined {
  if (field === undefined) return undefined;
  const isKey = typeof field === 'string' && /^[!-~]+$/.test(field);
  if (isKey && field.length <= IDEMPOTENCY_KEY_CHARS_MAX) return field;
  throw new OperatorError(
    'idempotency-key-malformed',
    `expected 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} printable ASCII characters without spaces, such as a UUID`,
  );
}

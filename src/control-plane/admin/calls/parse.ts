// Outside data → what a schema makes of it, or a problem that names every fault.

import type { z } from 'zod';
import type { ProblemCode } from '../../../api/problem-codes.ts';
import { OperatorError } from '../../base/problems.ts';

/** Returns `value` as `schema` says; throws `code` with all that is wrong. */
export function parse<T extends z.ZodType>(
  schema: T,
  value: unknown,
  code: ProblemCode,
): z.infer<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map(({ path, message }) => ({
    field: path.join('.'),
    message,
  }));
  const detail = errors.map(({ field, message }) => (field ? `${field}: ${message}` : message));
  throw new OperatorError(code, detail.join('; '), { members: { errors } });
}

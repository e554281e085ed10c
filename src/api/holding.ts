// What is said to let requests of a service wait or to turn them away: holds and maintenance.

import { z } from 'zod';
import { HOLD_MAX_MS, REASON_CHARS_MAX } from './api-limits.ts';
import { duration, reason, service } from './shared-fields.ts';

export const holdBody = z.strictObject({
  service,
  reason,
  for: duration(HOLD_MAX_MS).prefault('10s').describe('Then requests go on by themselves.'),
  methods: z
    .enum(['all', 'writes'])
    .default('all')
    .describe('"writes": only unsafe methods wait (RFC 9110 §9.2.1).'),
});

export const resumeBody = z.strictObject({ service, reason });

export const maintenanceBody = z.strictObject({
  on: z.boolean(),
  message: z
    .string()
    .max(REASON_CHARS_MAX)
    .regex(/^[\x20-\x7e]*$/, 'expected one line of ASCII')
    .default('')
    .describe('One line for people; empty: the usual one.'),
  retryAfter: duration(86_400_000).prefault('60s').describe('Sent as Retry-After.'),
  service,
  reason,
});

// The fields that several calls of the admin API have in common. Knows no call by name.

import { z } from 'zod';
import { durationText, parseDuration } from '../base/duration.ts';
import { COLORS } from '../contract/table.ts';
import { REASON_CHARS_MAX, SERVICES_AT_ONCE_MAX } from './api-limits.ts';

export const color = z.enum(COLORS);
export const generation = z.int().min(0).describe('Number of a decision; it only grows.');
export const deployment = z.int().min(0).describe('Number of a deployment; none is given twice.');

/** What traffic can be moved to. */
export const destination = z.union([
  z.string().min(1).max(128).describe('A color, a release id, or the number of a deployment.'),
  z.int().min(1).describe('The number of a deployment.'),
]);
export const at = z.iso.datetime().describe('Time in UTC.');
export const serviceName = z.string().min(1).max(200);

export const service = serviceName
  .optional()
  .describe('Name of the service; may be left out where there is one.');
export const services = z
  .array(serviceName)
  .min(1)
  .max(SERVICES_AT_ONCE_MAX)
  .refine((names) => new Set(names).size === names.length, 'expected each service once')
  .optional()
  .describe('Instead of "service": all of them in one step, or none.');
export const force = z
  .boolean()
  .default(false)
  .describe(
    'Goes ahead although targets do not pass their checks, or do not answer when they are asked once ' +
      'more, or another release runs at the address by now. With a rollback, also while switching is ' +
      'frozen. Needs a reason; lifts no lock-out.',
  );
export const reason = z
  .string()
  .max(REASON_CHARS_MAX)
  .default('')
  .describe('Goes into history and log; needed with "force".');

export const dryRun = z
  .boolean()
  .default(false)
  .describe('Makes all checks, tells what would be done, and changes nothing.');
export const isDryRun = z
  .boolean()
  .optional()
  .describe('Nothing was done: the answer tells what would be.');

/** A time such as `10s`; the value is in milliseconds. */
export const duration = (maxMs: number) =>
  z
    .string()
    .describe('A time with its unit: 500ms, 10s, 1m30s.')
    .transform((text, context) => {
      const parsed = parseDuration(text);
      if (parsed.ok && parsed.value <= maxMs) return parsed.value;
      const message = parsed.ok ? `expected at most ${durationText(maxMs)}` : parsed.problem;
      context.issues.push({ code: 'custom', message, input: text });
      return z.NEVER;
    });

export const serviceQuery = z.strictObject({ service });
export const noQuery = z.strictObject({});
export const noBody = z.strictObject({});

export const calledOff = z
  .array(z.string())
  .optional()
  .describe('Changes that only prepared or held requests, and were called off for this one.');

/** What became of a change that is no switch. */
export const changeAnswer = z.strictObject({
  generation,
  service: serviceName,
  changed: z.boolean().describe('False when all was so already.'),
  calledOff,
  dryRun: isDryRun,
});
export type ChangeAnswer = z.infer<typeof changeAnswer>;

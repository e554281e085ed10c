// What is wrong with a running Turnout, the worst first: told by the status, and in short by a check.

import { z } from 'zod';
import { serviceName } from './shared-fields.ts';

const alarm = z.strictObject({
  severity: z
    .enum(['critical', 'warning'])
    .describe('"critical": clients get no answer of a target; "warning": it can come to that.'),
  service: serviceName.nullable().describe('Null: it is about the whole process.'),
  text: z.string().describe('For people.'),
  command: z
    .string()
    .nullable()
    .describe('A command that would mend it and is not refused as things are; null: none.'),
});
export type Alarm = z.infer<typeof alarm>;

export const alarms = z
  .array(alarm)
  .describe('The worst first, at most one of each service and what is wrong with the process.');

export const checkAnswer = z.strictObject({
  severity: z.enum(['ok', 'warning', 'critical']).describe('That of the worst alarm.'),
  services: z.int().describe('How many were looked at.'),
  alarms,
});
export type CheckAnswer = z.infer<typeof checkAnswer>;

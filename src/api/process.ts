// What is said and heard of the process as a whole: reload, upgrade, readiness, the description of
// this API, and the problem document that every refusal is.

import { z } from 'zod';
import { generation, reason } from './shared-fields.ts';

export const upgradeAnswer = z.strictObject({
  pid: z.int().describe('Process that is in charge now.'),
  version: z.string(),
  tookMs: z.number(),
});

export const reloadBody = z.strictObject({
  dryRun: z.boolean().default(false).describe('Tells what would change, and changes nothing.'),
  reason,
});

export const reloadAnswer = z.strictObject({
  changed: z.boolean(),
  generation,
  differences: z
    .array(z.strictObject({ setting: z.string(), from: z.string(), to: z.string() }))
    .describe('What differs from the configuration in force.'),
  warnings: z.array(z.string()),
});
export type ReloadAnswer = z.infer<typeof reloadAnswer>;

export const liveAnswer = z.strictObject({ status: z.literal('ok') });

export const readyAnswer = z.strictObject({
  status: z.literal('ok').describe('This process takes traffic; its targets may be down.'),
  warning: z
    .string()
    .nullable()
    .describe(
      'What an operator must look at: changes are refused, no target answers; null: nothing.',
    ),
});
export type ReadyAnswer = z.infer<typeof readyAnswer>;

export const openApiAnswer = z
  .looseObject({
    openapi: z.string(),
    info: z.looseObject({ title: z.string(), version: z.string() }),
    paths: z.record(z.string(), z.unknown()),
  })
  .describe('An OpenAPI 3.1 document.');

export const problemAnswer = z
  .looseObject({
    type: z.string().describe('Address of what the documents say about this code.'),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().describe('Stable; scripts may match it.'),
  })
  .describe('RFC 9457 problem document.');
export type ProblemAnswer = z.infer<typeof problemAnswer>;

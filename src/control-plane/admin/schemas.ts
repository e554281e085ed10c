// The shapes that cross the admin API. Validation, types and the OpenAPI document all
// come from here.

import { z } from 'zod';
import { HISTORY_LIMIT_DEFAULT, HISTORY_LIMIT_MAX, REASON_CHARS_MAX } from '../limits.ts';

const color = z.enum(['blue', 'green']);
const generation = z.int().min(0).describe('Number of a routing table; it only grows.');
const at = z.iso.datetime().describe('Time in UTC.');
const serviceName = z.string().min(1).max(200);

const service = serviceName
  .optional()
  .describe('Name of the service; may be left out where there is one.');
const force = z.boolean().default(false).describe('Overrides health, nothing else.');
const reason = z
  .string()
  .max(REASON_CHARS_MAX)
  .default('')
  .describe('Goes into history and log; needed with "force".');

export const switchBody = z.strictObject({
  to: color.optional().describe('Left out: the color that is not active.'),
  service,
  force,
  reason,
});

export const rollbackBody = z.strictObject({ service, force, reason });

export const serviceQuery = z.strictObject({ service });

export const historyQuery = z.strictObject({
  service: serviceName.optional(),
  limit: z.coerce.number().int().min(1).max(HISTORY_LIMIT_MAX).default(HISTORY_LIMIT_DEFAULT),
});

export const noQuery = z.strictObject({});

export const switchAnswer = z.strictObject({
  generation,
  service: serviceName,
  from: color,
  to: color,
  release: z.string().describe('Release id of the color that is active now; may be empty.'),
  publishedAt: at,
  tookMs: z.number().min(0),
  changed: z.boolean().describe('False when the color was active already.'),
});

const switchEntry = z.strictObject({
  generation,
  service: serviceName,
  from: color,
  to: color,
  release: z.string(),
  at,
  tookMs: z.number().nullable(),
  outcome: z.enum(['switched', 'rolled-back']),
  forced: z.boolean(),
  reason: z.string(),
  actor: z.string().describe('Where the request came from: an address or "unix".'),
});

export const historyAnswer = z.strictObject({
  switches: z.array(switchEntry).describe('The latest first.'),
});

const health = z.enum(['up', 'down', 'unknown']);

const target = z.strictObject({
  url: z.string(),
  health,
  reason: z.string().describe('Why the last check failed; empty when it passed.'),
  changedAt: at.describe('When the health last changed.'),
});

const side = z.strictObject({
  release: z.string(),
  health: z
    .enum(['up', 'partly', 'down', 'unknown', 'empty'])
    .describe('Of all targets together; "empty": it has none.'),
  traffic: z.strictObject({
    inflight: z.int(),
    tunnels: z.int(),
    requests: z.int().describe('Answered since the start.'),
  }),
  targets: z.array(target),
});

const serviceStatus = z.strictObject({
  name: serviceName,
  active: color,
  since: z.strictObject({ generation, at }),
  blue: side,
  green: side,
  previous: switchEntry.nullable().describe('The last switch of this service.'),
});

export const statusAnswer = z.strictObject({
  version: z.string(),
  generation,
  ready: z.boolean(),
  uptimeSeconds: z.int(),
  listen: z.string(),
  workers: z.strictObject({ count: z.int(), listening: z.int(), restarts: z.int() }),
  state: z.strictObject({
    dir: z.string(),
    warning: z.string().nullable().describe('What an operator must look at; null: all is well.'),
  }),
  services: z.array(serviceStatus),
});

export const liveAnswer = z.strictObject({ status: z.literal('ok') });

export const problemAnswer = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().describe('Stable; scripts may match it.'),
  })
  .describe('RFC 9457 problem document.');

export type SwitchAnswerView = z.infer<typeof switchAnswer>;
export type SwitchEntryView = z.infer<typeof switchEntry>;
export type StatusView = z.infer<typeof statusAnswer>;
export type SideView = z.infer<typeof side>;

// What is said to let requests of a service wait or to turn them away: holds and maintenance.

import { z } from 'zod';
import { HOLD_MAX_MS, REASON_CHARS_MAX, RUNNING_WAIT_MAX_MS } from './api-limits.ts';
import { at, changeAnswer, duration, reason, service } from './shared-fields.ts';

const wait = duration(RUNNING_WAIT_MAX_MS)
  .prefault('0s')
  .describe('Answers when nothing runs any more, or after this long.');
const close = z
  .boolean()
  .default(false)
  .describe('Tunnels, event streams and uploads are closed; other requests finish.');

export const holdBody = z.strictObject({
  service,
  reason,
  for: duration(HOLD_MAX_MS).prefault('10s').describe('Then requests go on by themselves.'),
  methods: z
    .enum(['all', 'writes'])
    .default('all')
    .describe('"writes": only unsafe methods wait (RFC 9110 §9.2.1).'),
  wait,
  close,
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
  wait,
  close,
  service,
  reason,
});

export const runningRequest = z.strictObject({
  client: z.string().describe('Address of its connection.'),
  ageMs: z.int().min(0),
  method: z.string(),
  path: z.string().describe('Without its query.'),
  waitsFor: z
    .enum(['upload', 'reader', 'target', 'tunnel', 'stream'])
    .describe(
      '"upload": its client has to send the rest; "reader": its client has to read; "target": the ' +
        'target has the word; a tunnel or event stream goes on until it is closed.',
    ),
});
export type RunningRequestJson = z.infer<typeof runningRequest>;

const running = z.strictObject({
  requests: z.int().describe('Event streams left out.'),
  tunnels: z.int().describe('Open WebSockets and other upgraded connections.'),
  streams: z.int().describe('Open event streams.'),
  leftBehind: z
    .int()
    .nullable()
    .describe('Connections that the process before an upgrade finishes; null: not known yet.'),
  oldest: z.array(runningRequest).describe('The oldest of it; the list is bounded.'),
});

/** What became of a hold or of maintenance, and what still runs beside it. */
export const gateAnswer = changeAnswer.extend({
  until: at.nullable().describe('When it ends by itself at the latest; null: it does not.'),
  isOn: z.boolean().describe('False when it has ended already, as by another call meanwhile.'),
  running: running.describe('What runs since before, and may still write.'),
});
export type GateAnswer = z.infer<typeof gateAnswer>;

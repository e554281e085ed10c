// What is said and heard of drains: what is left on a release that was switched away from.

import { z } from 'zod';
import { DRAIN_WAIT_MAX_MS } from './api-limits.ts';
import {
  at,
  color,
  deployment,
  duration,
  generation,
  reason,
  service,
  serviceName,
} from './shared-fields.ts';

export const drainQuery = z.strictObject({
  service,
  deployment: z.coerce.number().int().min(1).optional(),
  generation: z.coerce.number().int().min(0).optional(),
  wait: duration(DRAIN_WAIT_MAX_MS)
    .prefault('0s')
    .describe('Answers when nothing drains any more, or after this long.'),
});

export const drainBody = z.strictObject({
  service,
  deployment: deployment.optional().describe('Left out: every deployment that drains.'),
  generation: generation.optional().describe('Instead: that in which it last became active.'),
  reason,
});

const drainTarget = {
  service: serviceName,
  deployment,
  scope: z
    .enum(['deployment', 'targets'])
    .describe('"targets": these were taken from the deployment, which goes on without them.'),
  generation: generation.describe('In which it last became active.'),
  color,
  release: z.string(),
  targets: z.array(z.string()),
  startedAt: at,
};

export const drain = z.strictObject({
  ...drainTarget,
  requests: z.int().describe('Running now, event streams left out.'),
  tunnels: z.int().describe('Open WebSockets and other upgraded connections.'),
  streams: z.int().describe('Open event streams.'),
  sessions: z.strictObject({
    seen: z.int().describe('About how many were seen within the idle time of a session.'),
    standardError: z.number().describe('Of "seen", relative to it, up to 100,000 sessions.'),
  }),
  deadlines: z.strictObject({
    sessions: at.describe('Then sessions move over, and their connections close.'),
    end: at.describe('Then what is left is cut.'),
  }),
  safeToStop: z.boolean().describe('True once it has ended: then nothing is sent there any more.'),
  reasons: z.array(z.string()).describe('Why not yet.'),
});
export type Drain = z.infer<typeof drain>;

const endedDrain = z.strictObject({
  ...drainTarget,
  endedAt: at,
  how: z
    .enum(['drained', 'deadline', 'resumed'])
    .describe('Nothing was left; the rest was cut; it is in use again.'),
});
export type EndedDrain = z.infer<typeof endedDrain>;

export const drainAnswer = z.strictObject({
  safeToStop: z
    .boolean()
    .describe('Nothing drains any more, and nothing is sent to what has drained.'),
  draining: z.array(drain),
  ended: z
    .array(endedDrain)
    .describe('The latest that have ended while this process runs, the last one first.'),
});
export type DrainAnswer = z.infer<typeof drainAnswer>;

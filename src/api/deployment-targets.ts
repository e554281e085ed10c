// What is said and heard to give a deployment other targets while it serves.

import { z } from 'zod';
import { deployment, generation, reason, service, serviceName } from './shared-fields.ts';

export const targetsBody = z.strictObject({
  targets: z
    .array(z.string().max(300))
    .min(1)
    .max(64)
    .describe('All that it shall have; at least one of those that it has must be among them.'),
  service,
  reason,
});

export const targetsAnswer = z.strictObject({
  generation,
  service: serviceName,
  deployment,
  added: z.array(z.string()).describe('Get traffic once they have passed a check.'),
  removed: z.array(z.string()).describe('Get no new request; what runs there drains.'),
  changed: z.boolean().describe('False when it had these targets already.'),
});
export type TargetsAnswer = z.infer<typeof targetsAnswer>;

// What is said and heard to register a release, and to see one before it gets traffic.

import { z } from 'zod';
import { METADATA_MAX, PREVIEW_LIFE_MAX_MS } from './api-limits.ts';
import { at, color, deployment, duration, reason, service, serviceName } from './shared-fields.ts';

export const releaseBody = z.strictObject({
  release: z
    .string()
    .regex(/^[\w.+:@/-]{1,128}$/, 'expected letters, digits and . _ + : @ / - (at most 128)')
    .describe('A version or a commit.'),
  targets: z.array(z.string().max(300)).min(1).max(64),
  evict: z
    .boolean()
    .default(false)
    .describe('Ends what another release, idle or draining, has at one of the addresses.'),
  unlock: z
    .boolean()
    .default(false)
    .describe('The release may be switched to again although a rollback has locked it out.'),
  metadata: z
    .record(z.string().regex(/^[\w.-]{1,64}$/), z.string().max(256))
    .refine((all) => Object.keys(all).length <= METADATA_MAX)
    .default({})
    .describe('What else is known of it, such as "digest" or "schema"; at most 16 entries.'),
  service,
  reason,
});

export const previewBody = z.strictObject({
  service,
  for: duration(PREVIEW_LIFE_MAX_MS).prefault('1h').describe('Life of the token.'),
});

export const previewAnswer = z.strictObject({
  service: serviceName,
  color,
  release: z.string(),
  deployment,
  token: z.string(),
  expiresAt: at,
  field: z.string().describe('Request field that carries the token.'),
  cookie: z.string().describe('Cookie that carries it; over TLS with the prefix __Host-.'),
  listen: z.string().nullable().describe('Where no token is needed; null: nowhere.'),
});
export type PreviewAnswer = z.infer<typeof previewAnswer>;

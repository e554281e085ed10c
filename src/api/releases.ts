// What is said and heard to register a release, and to see one before it gets traffic.

import { z } from 'zod';
import { PREVIEW_LIFE_MAX_MS } from './api-limits.ts';
import { at, color, duration, reason, service, serviceName } from './shared-fields.ts';

export const releaseBody = z.strictObject({
  release: z
    .string()
    .regex(/^[\w.+:@/-]{1,128}$/, 'expected letters, digits and . _ + : @ / - (at most 128)')
    .describe('A version or a commit.'),
  targets: z.array(z.string().max(300)).min(1).max(64),
  evict: z.boolean().default(false).describe('Ends drains that use one of the addresses.'),
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
  token: z.string(),
  expiresAt: at,
  field: z.string().describe('Request field that carries the token.'),
  cookie: z.string().describe('Cookie that carries it; over TLS with the prefix __Host-.'),
  listen: z.string().nullable().describe('Where no token is needed; null: nowhere.'),
});
export type PreviewAnswer = z.infer<typeof previewAnswer>;

// What is said and heard of the tokens of this API.

import { z } from 'zod';
import { REASON_CHARS_MAX, TOKEN_LIFE_MAX_MS } from './api-limits.ts';
import { at, duration, serviceName } from './shared-fields.ts';
import { ROLES } from './roles.ts';

const name = z
  .string()
  .regex(/^[\w.@+-]{1,64}$/, 'expected letters, digits and . _ @ + - (at most 64)')
  .describe('Stands in the audit log.');
const reason = z.string().max(REASON_CHARS_MAX).default('');

export const tokenBody = z.strictObject({
  name,
  role: z.enum(ROLES).describe('"read" sees, "switch" changes traffic, "admin" everything.'),
  services: z
    .array(serviceName)
    .max(64)
    .default([])
    .describe('Good for these alone; empty: for all.'),
  targets: z
    .array(z.string().min(1).max(300))
    .max(64)
    .default([])
    .describe(
      'Where targets may lead that are registered with it: ranges (10.0.0.0/8), names ' +
        '(*.shop.internal), unix:/folder; empty: anywhere.',
    ),
  life: duration(TOKEN_LIFE_MAX_MS).optional().describe('Left out: until it is revoked.'),
  reason,
});

export const revokeBody = z.strictObject({
  id: z.string().min(1).max(64).describe('Id or name of the token.'),
  reason,
});

export const token = z.strictObject({
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  services: z.array(z.string()).describe('Empty: all.'),
  targets: z.array(z.string()).describe('Where its targets may lead; empty: anywhere.'),
  createdAt: at,
  expiresAt: at.nullable(),
  revokedAt: at.nullable(),
  lastUsedAt: at.nullable().describe('Within a minute.'),
});

export const tokenAnswer = token.extend({
  token: z
    .string()
    .nullable()
    .describe('Shown this once, and kept nowhere; null in the answer to a repeated call.'),
});

export const tokensAnswer = z.strictObject({
  tokens: z.array(token).describe('The oldest first.'),
});
export type TokensAnswer = z.infer<typeof tokensAnswer>;
export type Token = z.infer<typeof token>;

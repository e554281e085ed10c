// What is said and heard to register a release, and to see one before it gets traffic.

import { z } from 'zod';
import { METADATA_MAX, PREVIEW_LIFE_MAX_MS, SCHEMA_MAX } from './api-limits.ts';
import {
  at,
  changeAnswer,
  color,
  deployment,
  destination,
  dryRun,
  duration,
  generation,
  reason,
  service,
  serviceName,
} from './shared-fields.ts';

const level = z.int().min(0).max(SCHEMA_MAX);

/** What a release says of the schema of the data. */
const releaseSchema = z
  .strictObject({
    provides: level.describe('What its migrations bring.'),
    requires: z
      .tuple([level, level])
      .refine(([least, most]) => least <= most, 'expected the lower end first')
      .describe('What its code can work with, both ends included.'),
  })
  .refine(
    ({ provides, requires: [least, most] }) => provides >= least && provides <= most,
    'expected "requires" to include what it provides',
  );

/** A release as it comes to a color. */
export const registeredRelease = {
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
    .describe('What else is known of it, such as "digest"; at most 16 entries.'),
  schema: releaseSchema
    .optional()
    .describe(
      'A switch or rollback to it is refused while the data do not fit. Left out: none is.',
    ),
};

export const releaseBody = z.strictObject({
  ...registeredRelease,
  schema: releaseSchema
    .optional()
    .describe(
      'A switch or rollback to it is refused while the data do not fit. Left out: none is.',
    ),
  service,
  reason,
  dryRun,
});

export const releaseAnswer = z.strictObject({
  ...changeAnswer.shape,
  obstacles: z
    .array(z.strictObject({ code: z.string(), detail: z.string() }))
    .describe('What a switch to it would be refused for, as far as that is known already.'),
});

export const previewBody = z.strictObject({
  service,
  of: destination.optional().describe('What it opens; left out: what is on the idle color.'),
  for: duration(PREVIEW_LIFE_MAX_MS).prefault('1h').describe('Life of the token.'),
  lasting: z
    .boolean()
    .default(false)
    .describe('It is good until it is revoked; "for" is not used.'),
  reason,
});

export const previewAnswer = z.strictObject({
  service: serviceName,
  color: color.nullable().describe('null: it is on none.'),
  release: z.string(),
  deployment,
  token: z.string().nullable().describe('null: a repeated call, only the first is told.'),
  expiresAt: at.nullable().describe('null: never.'),
  field: z.string().describe('Request field that carries the token.'),
  cookie: z.string().describe('Cookie that carries it; over TLS with the prefix __Host-.'),
  listen: z.string().nullable().describe('Where no token is needed; null: nowhere.'),
});
export type PreviewAnswer = z.infer<typeof previewAnswer>;

export const previewRevokeBody = z.strictObject({
  service,
  of: destination.describe('The deployment whose tokens open nothing any more.'),
  reason,
});

/** What a release has said of the schema of the data. */
export const toldSchema = z
  .strictObject({
    provides: z.int(),
    requires: z.array(z.int()).describe('The lowest and the highest.'),
  })
  .nullable()
  .describe('null: it says nothing of it.');

const keptDeployment = z.strictObject({
  deployment,
  service: serviceName,
  color: color.nullable().describe('The one that has it; null: none has.'),
  release: z.string(),
  targets: z.array(z.string()),
  metadata: z.record(z.string(), z.string()),
  schema: toldSchema,
  registeredAt: at,
  actor: z.string().describe('What registered it.'),
  use: z
    .enum(['active', 'canary', 'idle', 'draining', 'previewed', 'kept'])
    .describe('"kept": it can be gone back to, and nothing leads there.'),
  generation: generation.nullable().describe('In which it last became active; null: it never was.'),
  obstacle: z
    .string()
    .nullable()
    .describe('Why no switch goes there as things are; null: nothing that is known.'),
});
export type KeptDeployment = z.infer<typeof keptDeployment>;

export const deploymentsAnswer = z.strictObject({
  generation,
  deployments: z.array(keptDeployment).describe('The latest first.'),
});
export type DeploymentsAnswer = z.infer<typeof deploymentsAnswer>;

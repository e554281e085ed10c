// What is asked and heard of the audit log.

import { z } from 'zod';
import { AUDIT_LIMIT_DEFAULT, AUDIT_LIMIT_MAX } from './api-limits.ts';
import { at, serviceName } from './shared-fields.ts';

const seq = z.int().describe('Number of an entry; it only grows.');
const hash = z.string().describe('SHA-256 of the hash before and of the entry.');

/** Number and hash of an entry. */
const HEAD = /^\d{1,15}:[0-9a-f]{64}$/i;

export const auditQuery = z.strictObject({
  service: serviceName.optional(),
  limit: z.coerce.number().int().min(1).max(AUDIT_LIMIT_MAX).default(AUDIT_LIMIT_DEFAULT),
  before: z.coerce.number().int().min(1).optional().describe('Entries with a smaller number.'),
  verify: z
    .enum(['true', 'false'])
    .default('false')
    .describe('Follows the whole chain and tells where it is broken.'),
  head: z
    .string()
    .regex(HEAD)
    .optional()
    .describe(
      'A head that was noted earlier, SEQ:HASH: verifies, and tells whether the chain still leads ' +
        'from it to the head of today.',
    ),
});

/** Returns the entry that the text of a head names. */
export function linkOf(head: string): { readonly seq: number; readonly hash: string } {
  const [seq = '', digest = ''] = head.split(':');
  return { seq: Number(seq), hash: digest.toLowerCase() };
}

const auditEntry = z.strictObject({
  seq,
  at,
  actor: z
    .string()
    .describe(
      'A token; "cert:" and a client certificate; "loopback", "unix"; "shell": a command without ' +
        'a server; "turnout", "failover", "file", "SIGHUP": the process itself; "nobody": it is ' +
        'not known.',
    ),
  address: z.string().describe('Where the call came from; empty for the process itself.'),
  action: z.string().describe('Method and path, or what the process did.'),
  service: z.string().describe('Empty: none, or it is not known.'),
  request: z.string().describe('The body as JSON, without secrets.'),
  reason: z.string(),
  outcome: z.enum(['done', 'refused', 'failed', 'unchanged']),
  code: z.string().describe('Of the problem; empty: there was none.'),
  detail: z.string(),
  status: z.int().describe('Of the answer; 0: there was none.'),
  generation: z.int().describe('Of the routing table afterwards.'),
  count: z.int().describe('More than 1: so many calls alike, the last one at this time.'),
  hash,
});

export const auditAnswer = z.strictObject({
  entries: z.array(auditEntry).describe('The latest first.'),
  chain: z
    .strictObject({
      state: z.enum(['ok', 'broken']),
      checked: z.int().describe('Entries that were checked.'),
      head: z
        .strictObject({ seq, hash })
        .describe('The latest entry: note it elsewhere as SEQ:HASH.'),
      noted: z
        .enum(['found', 'missing', 'trimmed'])
        .nullable()
        .describe(
          'What became of the head in the query; trimmed: it is older than what the log keeps, so ' +
            'it cannot be told. Null: none was given, or the chain is broken before it is found.',
        ),
      brokenAt: seq.nullable(),
      fault: z.string().nullable(),
    })
    .nullable()
    .describe('Null: not asked for.'),
});
export type AuditEntry = z.infer<typeof auditEntry>;
export type AuditAnswer = z.infer<typeof auditAnswer>;

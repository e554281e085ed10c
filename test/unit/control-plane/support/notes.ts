// What is written down about calls, as short as a test wants it.

import type { AuditDraft } from '../../../../src/control-plane/store/audit-chain.ts';
import type { CallNotes } from '../../../../src/control-plane/store/store.ts';

/** Returns the entry of a switch. */
export function draft(changes: Partial<AuditDraft> = {}): AuditDraft {
  return {
    atMs: 1_000,
    actor: 'test',
    address: '127.0.0.1',
    action: 'POST /v1/switch',
    service: 'default',
    request: '{"to":"green"}',
    reason: '',
    outcome: 'done',
    code: '',
    detail: '',
    status: 200,
    generation: 2,
    count: 1,
    ...changes,
  };
}

/** Returns an entry, and the answer under `key` where one is given. */
export function notes({ key, ...changes }: Partial<AuditDraft> & { key?: string } = {}): CallNotes {
  const audit = draft(changes);
  const { atMs, status, generation } = audit;
  const answer =
    key === undefined
      ? undefined
      : {
          key,
          digest: `digest of ${key}`,
          actor: audit.actor,
          atMs,
          status,
          generation,
          body: `answer to ${key}`,
        };
  return { audit, answer };
}

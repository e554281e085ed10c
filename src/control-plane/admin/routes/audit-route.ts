// The audit log for its readers.

import {
  auditAnswer,
  auditQuery,
  linkOf,
  type AuditAnswer,
  type AuditEntry as AuditEntryView,
} from '../../../api/audit-answer.ts';
import type { AuditEntry } from '../../store/audit-chain.ts';
import type { ChainVerdict } from '../../audit/verify-chain.ts';
import { json, route, type Route } from './route.ts';
import { timeText } from '../../base/time-text.ts';

export const AUDIT_ROUTE: Route = route({
  method: 'GET',
  path: '/v1/audit',
  doc: 'Lists every call that would change something, also those that were refused.',
  role: 'read',
  scope: 'services',
  query: auditQuery,
  body: undefined,
  answer: json(auditAnswer),
  problems: ['query-invalid'],
  async handle({ query: { service, limit, before, verify, head }, only }, { audit }) {
    const services = service === undefined ? only : [service];
    const latest = await audit.latest({ services, limit, before });
    const entries = latest.map(entryView);
    const noted = head === undefined ? undefined : linkOf(head);
    const isAsked = verify === 'true' || noted !== undefined;
    const chain = isAsked ? chainView(await audit.verify(noted)) : null;
    return { body: { entries, chain } };
  },
});

function entryView({ atMs, ...entry }: AuditEntry): AuditEntryView {
  return { ...entry, at: timeText(atMs) };
}

function chainView(verdict: ChainVerdict): AuditAnswer['chain'] {
  const { state, checked, head, noted = null } = verdict;
  const isBroken = verdict.state === 'broken';
  const brokenAt = isBroken ? verdict.seq : null;
  return { state, checked, head, noted, brokenAt, fault: isBroken ? verdict.fault : null };
}

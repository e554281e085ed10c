// What workers are given: all certificates, and which of them each listener presents. Pure.

import type { Certificate, DoorTerms } from '../../contract/certificates.ts';
import { presentedOf } from '../../contract/presented.ts';

/** What one listener with TLS presents, the first certificate being its default. */
export interface DoorParts {
  /** `keyOfListener`. */
  readonly listener: string;
  readonly certificates: readonly Certificate[];
  /** PEM; empty: no client is asked for a certificate. */
  readonly clientAuthorities: string;
}

/** Returns each certificate once, and the doors. */
export function setOf(parts: readonly DoorParts[]): {
  readonly certificates: Certificate[];
  readonly doors: DoorTerms[];
} {
  const certificates = new Map<string, Certificate>();
  const doors: DoorTerms[] = [];
  for (const { listener, clientAuthorities, certificates: own } of parts) {
    // As long as an authority has issued none, there is nothing to present.
    if (own.length === 0) continue;
    for (const one of own) certificates.set(one.id, one);
    const ids = [...new Set(own.map(({ id }) => id))];
    doors.push({ listener, certificates: ids, clientAuthorities });
  }
  return { certificates: [...certificates.values()], doors };
}

/**
 * Returns doors that do for the listeners before and after a reload, while it is not decided which
 * are in force: what a listener had comes first, and no client that may come in either way is refused.
 */
export function bothOf(before: readonly DoorParts[], after: readonly DoorParts[]): DoorParts[] {
  const next = new Map(after.map((door) => [door.listener, door]));
  const both = before.map((old) => {
    const { listener } = old;
    const fresh = next.get(listener);
    next.delete(listener);
    if (fresh === undefined) return old;
    const authorities = new Set([old.clientAuthorities, fresh.clientAuthorities]);
    return {
      listener,
      certificates: [...old.certificates, ...fresh.certificates],
      clientAuthorities: [...authorities].join(''),
    };
  });
  return [...both, ...next.values()];
}

/** Returns what is odd about a door: certificates that no client gets, or gets instead of another. */
export function oddities({ listener, certificates }: DoorParts): string[] {
  const presented = presentedOf(certificates);
  if (presented === undefined) return [];
  const seen = new Set([presented.fallback, ...presented.byName.values()].flat());
  return [...certificates.entries()].flatMap(([index, certificate]) => {
    const { names, source } = certificate;
    if (seen.has(certificate)) return [];
    const list = names.join(', ');
    if (source === 'acme') {
      return `${listener}: no client gets the certificate that ACME has for ${list}, because a file is for all of its names: take them out of acme.domains, or the file away`;
    }
    const why =
      names.length === 0
        ? 'it names no DNS host'
        : 'certificates before it have all of its names, and the same kind of key';
    return `${listener}: no client gets certificate ${index + 1} (${list}), because ${why}`;
  });
}

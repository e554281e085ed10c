// Policies of a service for tests: sessions off, so that a case that says nothing about them sees
// none; everything else as the product has it.

import type { ServicePolicy } from '../../src/contract/service-policy.ts';
import type { SigningKeys } from '../../src/contract/signing.ts';

/** Parts of a policy by group; each group is laid over the one that tests start from. */
export type PolicyPatch = {
  readonly [K in keyof ServicePolicy]?: ServicePolicy[K] extends object
    ? Partial<ServicePolicy[K]>
    : ServicePolicy[K];
};

export function testPolicy(patch: PolicyPatch = {}): ServicePolicy {
  return {
    affinity: {
      mode: 'off',
      cookieName: 'turnout',
      cookiePath: '/',
      sameSite: 'lax',
      idleMs: 1_800_000,
      lifeMs: 86_400_000,
      ...patch.affinity,
    },
    drain: {
      sessionsMs: 1_800_000,
      requestsMs: 30_000,
      streamsMs: 60_000,
      longLived: 'spread',
      closesPerSecond: 500,
      ...patch.drain,
    },
    skew: { isOn: false, rescue: [], ...patch.skew },
    retry: { isOn: false, budgetPercent: 20, ...patch.retry },
    hold: { requestsMax: 1_000, bytesMax: 16_777_216, ...patch.hold },
    maintenance: { page: '', ...patch.maintenance },
    errors: { page: '', pages: { 502: '', 503: '', 504: '' }, ...patch.errors },
    edge: { canonicalHost: '', stripPrefix: false, hstsMs: 0, ...patch.edge },
    guard: { badStatuses: [{ min: 500, max: 599 }], ignorePaths: [], ...patch.guard },
    healthPath: patch.healthPath ?? '/healthz',
  };
}

/** What stands in the names of cookies that have none of their own. */
export const TEST_INSTANCE = 'test';

/** Keys of which nothing is secret. */
export const TEST_KEYS: SigningKeys = {
  signing: new Uint8Array(32).fill(1),
  accepted: [new Uint8Array(32).fill(1)],
  previews: new Uint8Array(32).fill(4),
};

// A switch and a drain as edits of a state want them, and a service that keeps more deployments.

import type {
  ServiceState,
  StoredDrain,
} from '../../../../src/control-plane/store/service-state.ts';
import { type SwitchTerms } from '../../../../src/control-plane/deployments/state-edit.ts';
import { testPolicy } from '../../../support/policy.ts';
import { deployment, SERVICE, serviceState } from './stored.ts';

export const NOW_MS = 1_000_000;

export const STICKY = testPolicy({ affinity: { mode: 'drain' } });

/** A switch to the deployment 2, which is on green, at NOW_MS in the epoch 9. */
export function terms(changes: Partial<SwitchTerms> = {}): SwitchTerms {
  return {
    to: 2,
    movesSessions: false,
    lockOut: undefined,
    epoch: 9,
    nowMs: NOW_MS,
    policy: STICKY,
    outcome: 'switched',
    actor: 'ann',
    longLivedCount: 0,
    ...changes,
  };
}

/** Returns a drain of the deployment `number`, whose sessions stay for another second. */
export function drain(number: number, changes: Partial<StoredDrain> = {}): StoredDrain {
  return {
    deployment: number,
    startedAtMs: 1_000,
    sessionsUntilMs: NOW_MS + 1_000,
    endsAtMs: NOW_MS + 500_000,
    longLived: 'spread',
    ...changes,
  };
}

/** Returns a service that keeps two deployments more, 3 and 4, which have served. */
export function withKept(changes: Partial<ServiceState> = {}): ServiceState {
  const more = [deployment(3, { servedSince: 2 }), deployment(4, { servedSince: 3 })];
  return serviceState({ deployments: [...SERVICE.deployments, ...more], ...changes });
}

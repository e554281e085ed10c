// What a store holds, for tests to which it does not matter what it says.

import {
  emptyState,
  type ServiceState,
  type StoredDeployment,
} from '../../../../src/control-plane/store/service-state.ts';
import type { StoredToken, SwitchRecord } from '../../../../src/control-plane/store/store.ts';

/** Returns the deployment `number`, of the release `vNUMBER` at the port 3000 + NUMBER, on blue. */
export function deployment(
  number: number,
  changes: Partial<StoredDeployment> = {},
): StoredDeployment {
  return {
    number,
    color: 'blue',
    release: `v${number}`,
    urls: [`http://127.0.0.1:${3_000 + number}`],
    metadata: {},
    actor: 'test',
    atMs: number,
    servedSince: 0,
    previewSeries: 0,
    takenOver: undefined,
    ...changes,
  };
}

/** A service whose blue has the deployment 1, which is active, and whose green has the deployment 2. */
export const SERVICE: ServiceState = {
  ...emptyState('default', 'blue', 500),
  blue: { deployment: 1, configured: '' },
  green: { deployment: 2, configured: '' },
  deployments: [deployment(1, { servedSince: 1 }), deployment(2, { color: 'green' })],
};

/** Returns that service with `changes`. */
export function serviceState(changes: Partial<ServiceState> = {}): ServiceState {
  return { ...SERVICE, ...changes };
}

export const TOKEN: StoredToken = {
  id: 'id',
  name: 'ci',
  role: 'switch',
  services: [],
  targets: [],
  hash: 'hash',
  createdAtMs: 1,
  expiresAtMs: undefined,
  revokedAtMs: undefined,
  lastUsedAtMs: undefined,
};

/** Returns the switch to green that began `epoch`, as it is remembered. */
export function switchOf(epoch: number, changes: Partial<SwitchRecord> = {}): SwitchRecord {
  return {
    epoch,
    service: 'default',
    from: 'blue',
    to: 'green',
    release: 'v2',
    deployment: 2,
    left: 1,
    atMs: 1_000,
    outcome: 'switched',
    forced: false,
    reason: '',
    actor: '127.0.0.1',
    ...changes,
  };
}

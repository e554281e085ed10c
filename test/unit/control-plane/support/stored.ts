// Rows of the store, for tests to which it does not matter what they say.

import { NO_STATE } from '../../../../src/control-plane/store/service-state.ts';
import type { StoredService, StoredToken } from '../../../../src/control-plane/store/store.ts';

export const SERVICE: StoredService = {
  name: 'default',
  active: 'blue',
  since: 1,
  sinceAtMs: 500,
  state: NO_STATE,
};

export const TOKEN: StoredToken = {
  id: 'id',
  name: 'ci',
  role: 'switch',
  services: [],
  hash: 'hash',
  createdAtMs: 1,
  expiresAtMs: undefined,
  revokedAtMs: undefined,
  lastUsedAtMs: undefined,
};

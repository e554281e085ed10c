// An endpoint on this machine, for tests that look at its address and its slot.

import type { Endpoint } from '../../../../src/contract/table.ts';

export function endpoint(slot: number, port: number, deployment = 1): Endpoint {
  const url = `http://127.0.0.1:${port}`;
  return {
    slot,
    deployment,
    url,
    address: { kind: 'tcp', host: '127.0.0.1', port },
    authority: url,
  };
}

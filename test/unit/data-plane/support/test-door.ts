// The TLS of a test, made when it is first asked for.

import type { Listener, TlsPolicy } from '../../../../src/contract/worker-settings.ts';
import { Doors } from '../../../../src/data-plane/doorstep/doors.ts';
import type { TlsDoor } from '../../../../src/data-plane/doorstep/tls-door.ts';
import { testCertificates, TLS_TEST_POLICY } from '../../../support/test-certificates.ts';

/** Returns a listener for traffic on `port`, with the policy of most tests but for `changes`. */
export function tlsListener(port: number, changes: Partial<TlsPolicy> = {}): Listener {
  return {
    address: { kind: 'tcp', host: '127.0.0.1', port },
    use: 'traffic',
    redirectPort: 443,
    tls: { ...TLS_TEST_POLICY, ...changes },
    proxyFrom: [],
  };
}

let made: TlsDoor | undefined;

export function testDoor(): TlsDoor {
  made ??= new Doors(testCertificates()).of(tlsListener(0))!;
  return made;
}

// The TLS of a test, made when it is first asked for.

import { Doors } from '../../../../src/data-plane/doorstep/doors.ts';
import type { TlsDoor } from '../../../../src/data-plane/doorstep/tls-door.ts';
import {
  TEST_ADDRESS,
  testCertificates,
  TLS_TEST_POLICY,
} from '../../../support/test-certificates.ts';

let made: TlsDoor | undefined;

export function testDoor(): TlsDoor {
  made ??= new Doors(testCertificates()).of({
    address: TEST_ADDRESS,
    use: 'traffic',
    redirectPort: 443,
    tls: TLS_TEST_POLICY,
    proxyFrom: [],
  })!;
  return made;
}

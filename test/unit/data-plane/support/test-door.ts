// A door with a certificate that no one trusts, made by openssl when it is first asked for.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Doors } from '../../../../src/data-plane/doorstep/doors.ts';
import type { TlsDoor } from '../../../../src/data-plane/doorstep/tls-door.ts';
import { keyOfListener, type Listener } from '../../../../src/contract/worker-settings.ts';

const LISTENER: Listener = {
  address: { kind: 'tcp', host: '127.0.0.1', port: 443 },
  use: 'traffic',
  redirectPort: 443,
  tls: { minVersion: 'TLSv1.2', unknownNames: 'default', clients: 'none' },
  proxyFrom: [],
};

let made: TlsDoor | undefined;

export function testDoor(): TlsDoor {
  made ??= new Doors({
    version: 1,
    certificates: [{ id: 'test', names: ['localhost'], ...selfSigned() }],
    doors: [{ listener: keyOfListener(LISTENER), certificates: ['test'], clientAuthorities: '' }],
    ticketKeys: randomBytes(48),
    challenges: [],
  }).of(LISTENER)!;
  return made;
}

function selfSigned(): { readonly chain: string; readonly key: string } {
  const text = execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-days', '2', '-subj', '/CN=localhost', '-keyout', '-', '-out', '-'],
    ],
    { stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' },
  );
  const at = text.indexOf('-----BEGIN CERTIFICATE-----');
  return { chain: text.slice(at), key: text.slice(0, at) };
}

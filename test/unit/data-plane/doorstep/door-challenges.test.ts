// What an ACME authority sees that looks by TLS-ALPN-01: the certificate that it asked for, also where
// there is one for that name already, as at every renewal, and where unknown names are refused.

import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { connect, type SecureVersion } from 'node:tls';
import t from 'tap';
import { keyOfListener, type Listener } from '../../../../src/contract/worker-settings.ts';
import { Doors } from '../../../../src/data-plane/doorstep/doors.ts';
import { authority, pemsOf } from '../../../support/certificates.ts';
import { skipWithout } from '../../../support/installed.ts';

const skip = skipWithout('openssl');

for (const unknownNames of ['default', 'refuse'] as const) {
  await t.test(
    `a challenge is shown where unknown names are: ${unknownNames}`,
    { skip },
    async (t) => {
      const own = authority(t);
      const [site, proof] = [own.sign('site'), own.sign('proof')].map(pemsOf);
      const listener: Listener = {
        address: { kind: 'tcp', host: '127.0.0.1', port: 1 },
        use: 'traffic',
        redirectPort: 443,
        tls: { minVersion: 'TLSv1.2', unknownNames, clients: 'none' },
        proxyFrom: [],
      };
      const shown = { chain: proof!.cert, key: proof!.key };
      const doors = new Doors({
        version: 1,
        certificates: [
          {
            id: 'a',
            names: ['old.test'],
            chain: site!.cert,
            key: site!.key,
            keyKind: 'ec',
            source: 'file',
          },
        ],
        doors: [{ listener: keyOfListener(listener), certificates: ['a'], clientAuthorities: '' }],
        ticketKeys: new Uint8Array(48),
        upstreams: [],
        challenges: ['old.test', 'new.test'].map((name) => ({
          kind: 'tls-alpn-01',
          name,
          ...shown,
        })),
      });
      const server = net.createServer({ pauseOnConnect: true }, (socket) => {
        socket.on('error', () => {});
        doors.of(listener)!.receive(socket, {
          secured: (secure) => secure.on('error', () => {}).end(),
          failed: () => socket.destroy(),
        });
      });
      t.teardown(() => void server.close());
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const see = async (servername: string, protocol: string, version: SecureVersion) => {
        const socket = connect({
          host: '127.0.0.1',
          port,
          servername,
          ALPNProtocols: [protocol],
          minVersion: version,
          maxVersion: version,
          rejectUnauthorized: false,
        });
        await once(socket, 'secureConnect');
        const { CN } = socket.getPeerCertificate().subject;
        const { alpnProtocol } = socket;
        socket.destroy();
        return [CN, alpnProtocol];
      };
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        for (const name of ['old.test', 'new.test', 'OLD.test']) {
          t.same(
            await see(name, 'acme-tls/1', version),
            ['proof', 'acme-tls/1'],
            `${name} ${version}`,
          );
        }
        t.same(await see('old.test', 'http/1.1', version), ['site', 'http/1.1'], version);
        await t.rejects(see('other.test', 'acme-tls/1', version), 'a name without a challenge');
      }
    },
  );
}

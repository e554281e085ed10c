// Answers challenges of an ACME authority as listeners of workers do, and takes what is obtained: the
// keeper of certificates for tests of ACME alone.

import { once } from 'node:events';
import { createServer } from 'node:http';
import tls from 'node:tls';
import type { Test } from 'tap';
import type { AcmeChallenge } from '../../src/contract/certificates.ts';
import type { AcmeCertificate, AcmeKeeper } from '../../src/control-plane/acme/acme-types.ts';
import type { Pebble } from './pebble.ts';

export interface AcmeResponder extends AcmeKeeper {
  readonly challenges: readonly AcmeChallenge[];
  readonly certificates: readonly AcmeCertificate[];
  /** Who came, as `http-01 a.test` or `tls-alpn-01 a.test`. */
  readonly visits: readonly string[];
  /** It answers nothing, although it says so. */
  isAstray: boolean;
  /** Resolves when what is presented satisfies `wanted`. */
  until(wanted: (certificates: readonly AcmeCertificate[]) => boolean): Promise<void>;
}

interface Presenting {
  setKeyCert(context: tls.SecureContext): void;
}

/** Listens where Pebble looks. */
export async function acmeResponder(
  t: Test,
  { host, httpPort, tlsPort }: Pick<Pebble, 'host' | 'httpPort' | 'tlsPort'>,
): Promise<AcmeResponder> {
  let challenges: readonly AcmeChallenge[] = [];
  let certificates: readonly AcmeCertificate[] = [];
  const visits: string[] = [];
  const looks = new Set<() => void>();
  const http = createServer((request, response) => {
    const token = request.url?.split('/').at(-1);
    const found = challenges.find((one) => one.kind === 'http-01' && one.token === token);
    visits.push(`http-01 ${request.headers.host?.split(':')[0]}`);
    response.statusCode = found === undefined ? 404 : 200;
    response.end(found?.kind === 'http-01' ? found.answer : '');
  });
  const secure = tls.createServer({
    ALPNCallback({ servername, protocols }) {
      const found = challenges.find((one) => one.kind === 'tls-alpn-01' && one.name === servername);
      visits.push(`tls-alpn-01 ${servername}`);
      if (found?.kind !== 'tls-alpn-01' || protocols[0] !== 'acme-tls/1') return undefined;
      const { key, chain: cert } = found;
      (this as unknown as Presenting).setKeyCert(tls.createSecureContext({ key, cert }));
      return 'acme-tls/1';
    },
  });
  secure.on('tlsClientError', () => {});
  for (const [server, port] of [[http, httpPort] as const, [secure, tlsPort] as const]) {
    server.listen(port, host);
    await once(server, 'listening');
    t.teardown(() => server.close());
  }
  const responder: AcmeResponder = {
    faultOf: () => undefined,
    get challenges() {
      return challenges;
    },
    get certificates() {
      return certificates;
    },
    visits,
    isAstray: false,
    setChallenges: async (next) => {
      challenges = responder.isAstray ? [] : next;
    },
    setObtained: async (next) => {
      certificates = next;
      for (const look of looks) look();
    },
    until: async (wanted) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = (): void => {
        if (wanted(certificates)) resolve();
      };
      looks.add(look);
      look();
      await promise;
      looks.delete(look);
    },
  };
  return responder;
}

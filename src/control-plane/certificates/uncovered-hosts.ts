// The hosts of services that clients ask for by https although no certificate is for them. Pure.

import type { Config } from '../../config/config.ts';
import type { CertificateSet } from '../../contract/certificates.ts';

type Named = Pick<Config, 'tls' | 'acme' | 'dataPlane' | 'services'>;

/** Returns a sentence for each; none where traffic comes in without TLS, too. */
export function uncoveredHosts(
  { tls, acme, dataPlane, services }: Named,
  { certificates }: Pick<CertificateSet, 'certificates'>,
): string[] {
  const traffic = dataPlane.listeners.filter(({ use }) => use === 'traffic');
  if (traffic.length === 0 || traffic.some((listener) => listener.tls === undefined)) return [];
  const ordered = tls.some(({ usesAcme }) => usesAcme) ? (acme?.domains ?? []) : [];
  const names = new Set([...certificates.flatMap((one) => one.names), ...ordered]);
  const isCovered = (host: string): boolean =>
    names.has(host) || names.has(host.replace(/^[^.]*\./, '*.'));
  return services.flatMap(({ name, hosts }) =>
    hosts
      .filter((host) => !isCovered(host.toLowerCase()))
      .map(
        (host) =>
          `no certificate is for ${host} of service ${name}: clients that ask for it by https refuse what they get`,
      ),
  );
}

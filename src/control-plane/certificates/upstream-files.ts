// What services say of TLS to their targets: authorities, and what Turnout shows to those that ask for a
// certificate. Read from files and followed, as what listeners present is. Knows no target.

import type { UpstreamSource } from '../../config/settings/built/build-upstream.ts';
import type { UpstreamTerms } from '../../contract/certificates.ts';
import { TargetTls } from '../../contract/target-tls.ts';
import {
  CertificateFiles,
  idOf,
  type CertificateFilesParts,
  type FileReport,
  type ReadFiles,
} from './certificate-files.ts';

/** What a configuration says, and what its files hold. */
export interface KnownUpstreams {
  readonly sources: readonly UpstreamSource[];
  readonly read: ReadFiles;
}

export const NO_FILES: ReadFiles = { pairs: new Map(), authorities: new Map() };
export const NO_UPSTREAMS: KnownUpstreams = { sources: [], read: NO_FILES };

export class UpstreamFiles {
  readonly #files: CertificateFiles;
  #known: KnownUpstreams = NO_UPSTREAMS;
  /** For connections of the control plane, such as health checks. */
  readonly targetTls = new TargetTls({ upstreams: [] });

  constructor(parts: Omit<CertificateFilesParts, 'mayLackHosts'>) {
    // It is a client that shows this certificate.
    this.#files = new CertificateFiles({ ...parts, mayLackHosts: true });
  }

  /** Rejects with CertificateFaults; see CertificateFiles. */
  async read(
    sources: readonly UpstreamSource[],
    { isStrict }: { readonly isStrict: boolean },
  ): Promise<KnownUpstreams> {
    const pairs = sources.flatMap(({ pair }) => pair ?? []);
    const authorities = sources.flatMap(({ ca }) => ca ?? []);
    return { sources, read: await this.#files.read({ pairs, authorities }, { isStrict }) };
  }

  use(known: KnownUpstreams): void {
    this.#known = known;
    this.#files.use(known.read);
  }

  start(): void {
    this.#files.start();
  }

  stop(): void {
    this.#files.stop();
  }

  async look(): Promise<void> {
    await this.#files.look(true);
  }

  report(): FileReport[] {
    return this.#files.report();
  }

  /** Returns the terms of all services; `beside` counts for those that the configuration in force lacks. */
  terms(beside: Iterable<KnownUpstreams>): UpstreamTerms[] {
    const terms = new Map<string, UpstreamTerms>();
    for (const { sources, read } of [this.#known, ...beside]) {
      for (const source of sources) {
        if (!terms.has(source.service)) terms.set(source.service, termsOf(source, read));
      }
    }
    const upstreams = [...terms.values()];
    this.targetTls.renew({ upstreams });
    return upstreams;
  }
}

function termsOf(
  { service, ca, pair, serverName }: UpstreamSource,
  read: ReadFiles,
): UpstreamTerms {
  const shown = pair && read.pairs.get(idOf(pair))!.current.certificate;
  return {
    service,
    authorities: ca === undefined ? '' : read.authorities.get(ca)!.current.text,
    chain: shown?.chain ?? '',
    key: shown?.key ?? '',
    serverName,
  };
}

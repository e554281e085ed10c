// Reads all files of certificates, keys and authorities that a configuration names, and says what is wrong
// in the words of a start; for a check that starts nothing. What a start refuses is a fault, but for a file
// that is not there: a check may run on another machine than the one that has it.

import type { Config } from '../../config/config.ts';
import { epochMs } from '../../base/clock.ts';
import type { Log } from '../base/log.ts';
import { timers } from '../base/timers.ts';
import { StartError } from '../base/problems.ts';
import { CertificateFaults, CertificateFiles } from './certificate-files.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import { uncoveredHosts } from './uncovered-hosts.ts';

interface CheckedFiles {
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
}

type Named = Pick<Config, 'tls' | 'upstreamTls' | 'acme' | 'admin' | 'dataPlane' | 'services'>;

export async function checkCertificateFiles(config: Named): Promise<CheckedFiles> {
  const faults: string[] = [];
  const warnings: string[] = [];
  const warn = (_fields: object, text: string): number => warnings.push(text);
  const log: Log = { debug: () => {}, info: () => {}, warn, error: warn };
  const take = (error: unknown): void => {
    const found = error instanceof StartError ? error.cause : error;
    if (!(found instanceof CertificateFaults)) throw error;
    warnings.push(...found.missing);
    faults.push(...found.problems.filter((text) => !found.missing.includes(text)));
  };
  const keeper = new CertificateKeeper({ log, nowMs: epochMs, timers });
  try {
    await keeper.load(config.tls, config.upstreamTls);
    warnings.push(...uncoveredHosts(config, keeper.set));
  } catch (error) {
    take(error);
  }
  const { tls } = config.admin;
  const pairs = tls === undefined ? [] : [tls];
  const authorities = [tls?.clientCa, config.acme?.caFile].filter((path) => path !== undefined);
  const parts = { log, nowMs: epochMs, mayLackHosts: true, onChange: async () => {} };
  const files = new CertificateFiles(parts);
  await files.read({ pairs, authorities }, { isStrict: false }).catch(take);
  return { faults: [...new Set(faults)], warnings: [...new Set(warnings)] };
}

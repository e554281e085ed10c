// Series about certificates: when each ends, and whether a newer file is not used.

import type { FileReport } from '../certificates/certificate-files.ts';
import { family, type Family } from './prometheus.ts';

/** Returns the families of certificates and of authorities of clients. */
export function certificateFamilies(reports: readonly FileReport[]): Family[] {
  const ends = family(
    'gauge',
    'turnout_certificate_expiry_timestamp_seconds',
    'When a certificate ends, or the last of some authorities, in seconds since the epoch.',
  );
  const refused = family(
    'gauge',
    'turnout_certificate_refused',
    'Whether what lies in the file now is not used because something is wrong with it, 1 or 0.',
  );
  // Two listeners may use one file, and no series may come twice.
  const seen = new Set<string>();
  for (const { name, source, endsAtMs, problem } of reports) {
    const id = JSON.stringify([name, source]);
    if (seen.has(id)) continue;
    seen.add(id);
    ends.add({ name, source }, endsAtMs / 1_000);
    refused.add({ name, source }, problem === '' ? 0 : 1);
  }
  return [ends, refused];
}

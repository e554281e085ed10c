// What an operator should know of certificates: which end soon, and which files are not used because
// what lies there is wrong. Pure.

import { spanText } from '../../base/span-text.ts';
import { CERTIFICATE_WARNING_MS, SHORT_CERTIFICATE_MS } from '../base/control-limits.ts';
import type { FileReport } from './certificate-files.ts';

type Told = Omit<FileReport, 'names'>;

export interface CertificateNotice {
  /** It has ended: clients refuse it. */
  readonly isOver: boolean;
  readonly text: string;
}

/** Returns them, a sentence each. */
export function noticesOf(reports: readonly Told[], nowMs: number): CertificateNotice[] {
  const notices = reports.flatMap((report) => {
    const end = endNotice(report, nowMs);
    const { source, problem } = report;
    const unused = `${source} has changed, but what was in use stays: ${problem}`;
    const wrong = problem === '' ? [] : [{ isOver: false, text: unused }];
    return [...(end === undefined ? [] : [end]), ...wrong];
  });
  // Two listeners may use one file.
  const texts = notices.map(({ text }) => text);
  return notices.filter(({ text }, index) => texts.indexOf(text) === index);
}

function endNotice(report: Told, nowMs: number): CertificateNotice | undefined {
  const { name, source, beginsAtMs, endsAtMs } = report;
  const leftMs = endsAtMs - nowMs;
  const what = `the certificate of ${name} (${source})`;
  if (leftMs <= 0) {
    return { isOver: true, text: `${what} has ended ${spanText(-leftMs)} ago: renew it` };
  }
  if (leftMs > warningMs(endsAtMs - beginsAtMs)) return undefined;
  return { isOver: false, text: `${what} ends in ${spanText(leftMs)}: renew it` };
}

function warningMs(lifeMs: number): number {
  return lifeMs < SHORT_CERTIFICATE_MS ? lifeMs / 4 : CERTIFICATE_WARNING_MS;
}

// What a shadow gate answers: its verdict, one line for the operator, and numbers for the view. Pure.

import type { ShadowGateSettings } from '../../config/settings/rollout/rollout-settings.ts';
import type { ShadowedPath } from '../../contract/shadow-rules.ts';
import type { ShadowCounts } from '../memory/shadow-counts.ts';
import type { GateResult } from './asked-gate.ts';
import { evidenceAgainst, verdictOf, type ShadowEvidence } from './shadow-evidence.ts';

/** What came since the question was asked first. */
export type ShadowSums = Omit<ShadowCounts, 'life'>;

/** What a question has shown so far. */
export interface Shown {
  readonly evidence: ShadowEvidence;
  readonly sums: ShadowSums;
  /** The worst first. */
  readonly worst: readonly ShadowedPath[];
}

export function resultOf(
  shown: Shown,
  { mismatch, minimum }: Pick<ShadowGateSettings, 'mismatch' | 'minimum'>,
): GateResult {
  const verdict = verdictOf(shown.evidence, minimum);
  const { judged, bad } = shown.evidence;
  const facts = factsOf(shown, mismatch);
  const said = `${counted(judged)} compared, ${counted(bad)} differ`;
  const tolerated = `tolerated: ${percent(mismatch)}`;
  if (verdict === 'ok') return { verdict, detail: `${said} (${tolerated})`, facts };
  const where = whereOf(shown);
  if (verdict === 'later') {
    const why = judged > 0 ? tolerated : nothingYet(shown.sums);
    return { verdict, detail: `${said} so far (${why})${where}`, facts };
  }
  const why = `${percent(facts.mismatch)}; ${tolerated}; evidence ${counted(facts.evidence)} : 1`;
  return { verdict, detail: `${said} (${why})${where}`, facts };
}

function factsOf({ evidence, sums, worst }: Shown, tolerated: number) {
  const { judged, bad } = evidence;
  const { sent, same, differed, failed, unpaired, dropped, liveMs, copiedMs } = sums;
  const timed = Math.max(1, same + differed);
  return {
    compared: judged,
    differed,
    failed,
    sent,
    unpaired,
    dropped,
    mismatch: judged === 0 ? 0 : bad / judged,
    tolerated,
    evidence: evidenceAgainst(evidence),
    // Means of the time to the head of a response.
    liveMs: liveMs / timed,
    copiedMs: copiedMs / timed,
    worst,
  };
}

function whereOf({ worst: [first] }: Shown): string {
  return first === undefined ? '' : `; most of ${first.method} ${first.path}`;
}

function nothingYet({ dropped, sent }: ShadowSums): string {
  if (sent > 0) return 'no comparison is over';
  return dropped > 0
    ? 'no target of the new release is up, or none has room'
    : 'no request to copy';
}

function counted(number: number): string {
  return Math.round(number).toLocaleString('en-US');
}

/** Two digits that count. */
function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}

// Pure: what is kept of a guard → what the API tells of it.

import type { GuardView } from '../../../api/rollout-views.ts';
import { guardView } from '../../guard/guard-view.ts';
import { stateOf } from '../watching/guard-watch.ts';
import type { Rollout } from '../machine/rollout-record.ts';

const COMPARISON = {
  'side by side': 'side-by-side',
  'before/after': 'before-after',
  'nothing to compare with': null,
} as const;

/** Of several services: the first of these that one of them has. */
const VERDICTS = ['fail', 'blind', 'none yet', 'inconclusive', 'pass'] as const;

/** Returns what the guard of a rollout shows; undefined: it has not looked yet, or never will. */
export function guardBrief(rollout: Rollout): Omit<GuardView, 'mode'> | undefined {
  const state = stateOf(rollout);
  if (state === undefined) return undefined;
  const views = state.legs.map(({ service, guard }) => ({ service, view: guardView(guard) }));
  const worst = views.toSorted((one, other) => other.view.evidence - one.view.evidence)[0]!.view;
  const verdict = VERDICTS.find((one) => views.some(({ view }) => view.verdict === one));
  return {
    verdict: verdict === undefined || verdict === 'none yet' ? null : verdict,
    detail: [rollout.segment.reason, ...worst.notes].filter((one) => one !== '').join('; '),
    evidence: worst.evidence,
    limit: worst.limit,
    comparison: COMPARISON[worst.comparison],
    recent: [...state.recent],
    signals: views.flatMap(({ service, view }) =>
      view.signals.map(({ name, old, new: fresh, tolerated, evidence }) => ({
        service,
        name,
        old: { judged: old.judged, bad: old.bad },
        new: { judged: fresh.judged, bad: fresh.bad },
        tolerated,
        evidence,
      })),
    ),
    clients: { bad: worst.clients.bad, needed: worst.clients.needed },
    verdicts: state.verdicts.map(({ atMs, stage, share, verdict: said, detail }) => ({
      at: new Date(atMs).toISOString(),
      stage,
      share: share / 100,
      verdict: said,
      detail,
    })),
  };
}

// Pure: a rollout → what is told of its gates: what each has said, which are still open, and of what
// the operator is warned because it went on without them. Asks no gate.

import type { GateView } from '../../../api/rollout-views.ts';
import type { GateRun, GateTerms, Rollout } from '../machine/rollout-record.ts';
import { timeText } from '../../base/time-text.ts';

/** Returns the gates of this moment that have not let it pass yet. */
export function openGates(
  { terms, gates, skipped, step, isForced }: Rollout,
  at: GateTerms['at'],
): string[] {
  if (isForced) return [];
  return terms.gates
    .filter((gate) => gate.at === at && !skipped.includes(gate.name))
    .filter((gate) => {
      const verdict = runOf(gates, gate, at === 'step' ? step : 0)?.verdict;
      const isWarned = verdict !== undefined && gate.onFail === 'warn' && gate.kind !== 'approve';
      return verdict !== 'ok' && !isWarned;
    })
    .map(({ name }) => `gate ${name}`);
}

function runOf(
  runs: readonly GateRun[],
  { service, name, at }: GateTerms,
  step: number,
): GateRun | undefined {
  return runs.find(
    (run) => run.service === service && run.name === name && run.at === at && run.step === step,
  );
}

export function gatesView({ terms, gates, skipped }: Rollout): GateView[] {
  return terms.gates.map((gate): GateView => {
    const { name, kind, at } = gate;
    const run = gates.findLast(
      (one) => one.service === gate.service && one.name === name && one.at === at,
    );
    if (run === undefined) {
      const verdict = skipped.includes(name) ? 'skipped' : null;
      return {
        name,
        kind,
        at,
        verdict,
        isOver: verdict !== null,
        tries: 0,
        tookMs: null,
        until: null,
        detail: '',
        facts: null,
      };
    }
    const { verdict, tries, startedAtMs, endedAtMs, deadlineMs, detail, retryAtMs } = run;
    const isOver = verdict !== undefined;
    return {
      name,
      kind,
      at,
      verdict: verdict ?? (retryAtMs === undefined ? null : 'later'),
      isOver,
      tries,
      tookMs: isOver ? Math.max(0, (endedAtMs ?? startedAtMs) - startedAtMs) : null,
      until: isOver ? null : timeText(deadlineMs),
      detail,
      facts: factsOf(run.facts),
    };
  });
}

function factsOf(facts: unknown): Record<string, unknown> | null {
  return typeof facts === 'object' && facts !== null && !Array.isArray(facts) ? { ...facts } : null;
}

export function warningsOf({ gates, terms, isForced, isWarm }: Rollout): string[] {
  const warned = gates
    .filter(({ verdict }) => verdict === 'fail' || verdict === 'timeout' || verdict === 'error')
    .filter((run) =>
      terms.gates.some(
        ({ service, name, onFail }) =>
          service === run.service && name === run.name && onFail === 'warn',
      ),
    )
    .map(({ name, detail }) => `gate ${name}: ${detail}`);
  return [
    ...(isForced
      ? ['it was forced: health and gates were not asked, and the guard only watches']
      : []),
    ...(isWarm === false ? ['not all was warmed up'] : []),
    ...warned,
  ];
}

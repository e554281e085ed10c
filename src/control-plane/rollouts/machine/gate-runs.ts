// The gates of one moment of a rollout, one after the other: which is asked next, when it is asked
// again, and what becomes of the rollout when one of them says no. Pure.

import type { GateRun, GateTerms, Rollout, Waiting, WayBack } from './rollout-record.ts';
import { tell, wayBack, type Transition } from './transition.ts';

/** What one try of a gate has said. */
export interface GateAnswer {
  readonly verdict: 'ok' | 'fail' | 'later' | 'error';
  readonly detail: string;
  readonly retryAfterMs?: number | undefined;
  readonly facts?: unknown;
}

/** What is to be done for the gates of one moment; `over`: they all have let it pass. */
export type GatesNext =
  | { readonly kind: 'over' }
  | { readonly kind: 'pending' }
  /** One has said no. */
  | { readonly kind: 'refused'; readonly back: WayBack }
  | { readonly kind: 'due'; readonly transition: Transition };

const LATER_MS = 5_000;
const BACKOFF_MS = 1_000;
const BACKOFF_MAX_MS = 60_000;

/** Looks at the gates `at` this moment; `isApproval`: only those that a person answers, or only others. */
export function gatesNext(
  rollout: Rollout,
  at: GateTerms['at'],
  { nowMs, isApproval }: { readonly nowMs: number; readonly isApproval?: boolean },
): GatesNext {
  const terms = rollout.terms.gates.filter(
    (gate) =>
      gate.at === at &&
      !rollout.skipped.includes(gate.name) &&
      (isApproval === undefined || (gate.kind === 'approve') === isApproval),
  );
  const step = at === 'step' ? rollout.step : 0;
  for (const gate of terms) {
    const run = rollout.gates.find((one) => isOf(one, gate, step));
    if (run === undefined)
      return { kind: 'due', transition: begun(rollout, gate, { step, nowMs }) };
    if (run.verdict === undefined) return runNext(rollout, run, { gate, nowMs });
    const back = refusal(rollout, gate, run);
    if (back !== undefined) return { kind: 'refused', back };
  }
  return { kind: 'over' };
}

function isOf(run: GateRun, { service, name, at }: GateTerms, step: number): boolean {
  return run.service === service && run.name === name && run.at === at && run.step === step;
}

function begun(
  rollout: Rollout,
  gate: GateTerms,
  { step, nowMs }: { readonly step: number; readonly nowMs: number },
): Transition {
  const { service, name, at, timeoutMs } = gate;
  const isApproval = gate.kind === 'approve';
  const run: GateRun = {
    attempt: `${rollout.id}.${rollout.gates.length + 1}`,
    service,
    name,
    at,
    step,
    tries: isApproval ? 0 : 1,
    verdict: undefined,
    detail: '',
    startedAtMs: nowMs,
    deadlineMs: nowMs + timeoutMs,
    retryAtMs: undefined,
  };
  const to = {
    ...rollout,
    gates: [...rollout.gates, run],
    transitions: rollout.transitions + 1,
  };
  if (!isApproval) return { to, effects: [{ kind: 'ask', attempt: run.attempt }], told: [] };
  const waiting: Waiting = {
    for: 'approval',
    gate: name,
    by: gate.by,
    sinceMs: nowMs,
    untilMs: run.deadlineMs,
    onTimeout: gate.onTimeout,
  };
  const waits = { ...to, waiting };
  return {
    to: waits,
    effects: [],
    told: [tell(waits, 'rollout.waiting', { for: 'approval', gate: name })],
  };
}

function runNext(
  rollout: Rollout,
  run: GateRun,
  { gate, nowMs }: { readonly gate: GateTerms; readonly nowMs: number },
): GatesNext {
  if (nowMs >= run.deadlineMs) {
    const isLetPass = gate.kind === 'approve' && gate.onTimeout === 'proceed';
    const detail =
      gate.kind === 'approve'
        ? `it was not approved in time${isLetPass ? '; it goes on, as configured' : ''}`
        : `no verdict in time${run.detail === '' ? '' : `; the last try: ${run.detail}`}`;
    const verdict = isLetPass ? 'ok' : 'timeout';
    const transition = over(rollout, run, { verdict, detail, nowMs });
    // Its last try may still run.
    return { kind: 'due', transition: { ...transition, effects: [{ kind: 'cancel' }] } };
  }
  if (run.retryAtMs === undefined || nowMs < run.retryAtMs) return { kind: 'pending' };
  const again = { ...run, tries: run.tries + 1, retryAtMs: undefined };
  const to = withRun(rollout, again);
  const effects = [{ kind: 'ask', attempt: run.attempt }] as const;
  return { kind: 'due', transition: { to, effects, told: [] } };
}

/** Returns the rollout once a try of a gate has answered; undefined: no gate waits for that answer. */
export function answered(
  rollout: Rollout,
  attempt: string,
  answer: GateAnswer,
  nowMs: number,
): Transition | undefined {
  const run = rollout.gates.find((one) => one.attempt === attempt);
  if (run === undefined || run.verdict !== undefined) return undefined;
  const { verdict, detail, facts, retryAfterMs } = answer;
  const seen = { ...run, detail, ...(facts === undefined ? {} : { facts }) };
  if (verdict === 'ok' || verdict === 'fail')
    return over(rollout, seen, { verdict, detail, nowMs });
  const backoffMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** Math.min(run.tries, 10));
  const waitMs = verdict === 'later' ? (retryAfterMs ?? LATER_MS) : backoffMs;
  const to = withRun(rollout, { ...seen, retryAtMs: nowMs + Math.max(BACKOFF_MS, waitMs) });
  return { to, effects: [], told: [] };
}

/** Returns the rollout once a person has answered for `gate`. */
export function approved(
  rollout: Rollout,
  { gate, isYes, actor, reason }: ApprovalAnswer,
  nowMs: number,
): Transition {
  const run = rollout.gates.find((one) => one.name === gate && one.verdict === undefined)!;
  const said = reason === '' ? '' : `: ${JSON.stringify(reason)}`;
  const detail = `${isYes ? 'approved' : 'rejected'} by ${actor}${said}`;
  const transition = over(rollout, run, { verdict: isYes ? 'ok' : 'fail', detail, nowMs });
  return { ...transition, to: { ...transition.to, waiting: undefined } };
}

interface ApprovalAnswer {
  readonly gate: string;
  readonly isYes: boolean;
  readonly actor: string;
  readonly reason: string;
}

/** Returns the rollout with every open question asked again: no call does after a restart. */
export function askedAgain(rollout: Rollout): Transition['effects'] {
  return rollout.gates
    .filter((run) => run.verdict === undefined && run.retryAtMs === undefined && run.tries > 0)
    .map(({ attempt }) => ({ kind: 'ask', attempt }));
}

/** Returns the rollout with every open question closed: it is over. */
export function cancelled(rollout: Rollout, nowMs: number): Rollout {
  const gates = rollout.gates.map((run): GateRun =>
    run.verdict === undefined
      ? { ...run, verdict: 'cancelled', retryAtMs: undefined, endedAtMs: nowMs }
      : run,
  );
  return { ...rollout, gates };
}

function over(
  rollout: Rollout,
  run: GateRun,
  {
    verdict,
    detail,
    nowMs,
  }: {
    readonly verdict: 'ok' | 'fail' | 'timeout';
    readonly detail: string;
    readonly nowMs: number;
  },
): Transition {
  const done: GateRun = { ...run, verdict, detail, retryAtMs: undefined, endedAtMs: nowMs };
  const to = {
    ...withRun(rollout, done),
    transitions: rollout.transitions + 1,
    waiting: rollout.waiting?.gate === run.name ? undefined : rollout.waiting,
  };
  const { name: gate, service, at, tries } = done;
  return {
    to,
    effects: [],
    told: [tell(to, 'gate.result', { gate, of: service, at, verdict, detail, tries })],
  };
}

function withRun(rollout: Rollout, run: GateRun): Rollout {
  const gates = rollout.gates.map((one) => (one.attempt === run.attempt ? run : one));
  return { ...rollout, gates };
}

/** Returns why it has to go back by this gate; undefined: it may go on. */
function refusal(rollout: Rollout, gate: GateTerms, run: GateRun): WayBack | undefined {
  if (run.verdict === 'ok') return undefined;
  if (gate.kind === 'approve') return wayBack(rollout, 'approval', `${gate.name}: ${run.detail}`);
  if (gate.onFail === 'warn') return undefined;
  return wayBack(rollout, 'gate', `gate ${gate.name}: ${run.detail}`);
}

// What operators want of a rollout that runs, and what that makes of it, or why it can't be. Pure.

import { unreachable } from '../../../base/assert.ts';
import { approved } from './gate-runs.ts';
import { STAGES_BEFORE_TRAFFIC, type Rollout, type WayBack } from './rollout-record.ts';
import { tell, wayBack, type Transition } from './transition.ts';

/** What an operator wants of a rollout that runs. */
export type Verb =
  | { readonly kind: 'approve'; readonly gate: string | undefined }
  | { readonly kind: 'reject'; readonly gate: string | undefined }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'skip' }
  | { readonly kind: 'promote' }
  | {
      readonly kind: 'abort';
      /** What is left out is as the settings say. */
      readonly restick?: WayBack['restick'] | undefined;
      readonly rampMs?: number | undefined;
      readonly lockOut?: boolean | undefined;
    }
  | { readonly kind: 'point-of-no-return'; readonly on: boolean };

export interface VerbEvent {
  readonly kind: 'verb';
  readonly verb: Verb;
  readonly actor: string;
  readonly reason: string;
  readonly isForced: boolean;
}

/** Why an operator's verb does nothing. */
export class VerbRefusal extends Error {
  override readonly name = 'VerbRefusal';
  readonly code:
    | 'rollout-over'
    | 'not-waiting'
    | 'gate-unknown'
    | 'approval-by-same-actor'
    | 'point-of-no-return'
    | 'reason-required';

  constructor(code: VerbRefusal['code'], detail: string) {
    super(detail);
    this.code = code;
  }
}

/** Returns what a verb makes of a rollout that is not over. Throws VerbRefusal. */
export function obeyed(before: Rollout, event: VerbEvent, nowMs: number): Transition {
  const { verb, actor, reason } = event;
  // What it was refused is tried at once: the operator may have mended it.
  const rollout = { ...before, blocked: undefined };
  switch (verb.kind) {
    case 'approve':
    case 'reject':
      return answeredByPerson(rollout, event, nowMs);
    case 'pause':
      return pausedBy(rollout, { by: actor, reason, atMs: nowMs });
    case 'resume':
      return resumedBy(rollout, actor);
    case 'skip':
    case 'promote':
      return hurried(rollout, event);
    case 'abort':
      return abortedBy(rollout, event);
    case 'point-of-no-return': {
      const pointOfNoReturn = verb.on ? { actor, reason, atMs: nowMs } : undefined;
      // It does not try again what was refused: that would be said of this verb.
      const to = { ...before, pointOfNoReturn, transitions: rollout.transitions + 1 };
      // Before, the old deployment is the active one: the bar comes with the rest of the traffic.
      const isMoved = rollout.stage === 'baking' || rollout.stage === 'draining';
      return {
        to,
        ...(isMoved ? { edit: { kind: 'bar' } } : {}),
        effects: [],
        told: [tell(to, 'rollout.point-of-no-return', { on: verb.on, by: actor, reason })],
      };
    }
    default:
      return unreachable(verb);
  }
}

function answeredByPerson(
  rollout: Rollout,
  { verb, actor, reason, isForced }: VerbEvent,
  nowMs: number,
): Transition {
  const { waiting, actor: starter, terms } = rollout;
  const named = verb.kind === 'approve' || verb.kind === 'reject' ? verb.gate : undefined;
  const isYes = verb.kind === 'approve';
  if (named !== undefined && !terms.gates.some(({ name }) => name === named)) {
    const known = terms.gates.filter(({ kind }) => kind === 'approve').map(({ name }) => name);
    const hint =
      known.length === 0 ? 'it has no gate for approvals' : `expected ${known.join(' or ')}`;
    throw new VerbRefusal('gate-unknown', `${rollout.id} has no gate ${named}: ${hint}`);
  }
  if (waiting === undefined || (named !== undefined && waiting.gate !== named)) {
    throw new VerbRefusal(
      'not-waiting',
      `${rollout.id} does not wait for ${named ?? 'an approval'}: ${standsText(rollout)}`,
    );
  }
  if (isYes && waiting.by === 'others' && actor === starter && !isForced) {
    const detail = `${waiting.gate}: ${actor} has started ${rollout.id}, so another operator has to approve it`;
    throw new VerbRefusal('approval-by-same-actor', detail);
  }
  if (!isYes && !isForced) checkMayReturn(rollout);
  const { gate } = waiting;
  const answer = gate === '' ? undefined : approved(rollout, { gate, isYes, actor, reason }, nowMs);
  if (isYes) return answer ?? wentOn(rollout, 'rollout.approved', { by: actor, reason });
  const said = `rejected by ${actor}${reason === '' ? '' : `: ${JSON.stringify(reason)}`}`;
  const back = wayBack(rollout, 'approval', gate === '' ? said : `${gate}: ${said}`, actor);
  const { to, told, effects } = answer ?? stays(rollout);
  return { to: { ...to, paused: undefined, waiting: undefined, back }, told, effects };
}

/** Whatever was awaited at the end of this step is there. */
function wentOn(
  rollout: Rollout,
  kind: string,
  data: Readonly<Record<string, unknown>>,
): Transition {
  const to = {
    ...rollout,
    waiting: undefined,
    segment: {
      ...rollout.segment,
      isSettled: true,
      // That the guard cannot tell is no answer to what the plan asks for.
      isAnswered: rollout.waiting?.for !== 'inconclusive',
    },
    transitions: rollout.transitions + 1,
  };
  return { to, effects: [], told: [tell(to, kind, data)] };
}

function pausedBy(rollout: Rollout, paused: NonNullable<Rollout['paused']>): Transition {
  if (rollout.stage === 'draining') {
    throw new VerbRefusal(
      'rollout-over',
      `${rollout.id} has moved all traffic: nothing is left to pause`,
    );
  }
  if (rollout.rampEndsAtMs !== undefined) {
    throw new VerbRefusal('not-waiting', `${rollout.id} is on its way back: that does not stand`);
  }
  if (rollout.paused !== undefined) return stays(rollout);
  const to = { ...rollout, paused, transitions: rollout.transitions + 1 };
  return {
    to,
    effects: [],
    told: [tell(to, 'rollout.paused', { by: paused.by, reason: paused.reason })],
  };
}

function resumedBy(rollout: Rollout, actor: string): Transition {
  const { paused, waiting } = rollout;
  if (paused !== undefined) {
    const to = { ...rollout, paused: undefined, transitions: rollout.transitions + 1 };
    return { to, effects: [], told: [tell(to, 'rollout.resumed', { by: actor })] };
  }
  if (waiting?.for === 'plan' || waiting?.for === 'inconclusive') {
    return wentOn(rollout, 'rollout.resumed', { by: actor });
  }
  throw new VerbRefusal('not-waiting', `${rollout.id} is not paused: ${standsText(rollout)}`);
}

function hurried(rollout: Rollout, { verb, actor, reason }: VerbEvent): Transition {
  const hurry = verb.kind === 'promote' ? 'promote' : 'skip';
  if (
    rollout.rampEndsAtMs !== undefined ||
    (rollout.stage !== 'shifting' && rollout.stage !== 'baking')
  ) {
    const hint = STAGES_BEFORE_TRAFFIC.has(rollout.stage)
      ? 'no traffic has moved yet; approve its gates, or abort it and switch with force'
      : 'all traffic has moved';
    throw new VerbRefusal('not-waiting', `${rollout.id} has no step to leave: ${hint}`);
  }
  if (hurry === 'promote' && reason.trim() === '') {
    throw new VerbRefusal(
      'reason-required',
      'promote leaves out steps and their guard; say why in "reason"',
    );
  }
  const to: Rollout = { ...rollout, hurry, paused: undefined, waiting: undefined, back: undefined };
  const data = { what: hurry, by: actor, reason };
  return { to, effects: [], told: [tell(to, 'rollout.hurried', data)] };
}

function abortedBy(rollout: Rollout, { verb, actor, reason, isForced }: VerbEvent): Transition {
  if (verb.kind !== 'abort') return stays(rollout);
  if (rollout.stage === 'draining') {
    const hint = `${rollout.id} has moved all traffic; use rollback`;
    throw new VerbRefusal('rollout-over', hint);
  }
  if (!isForced) checkMayReturn(rollout);
  const { restick, rampMs, lockOut } = verb;
  const usual = wayBack(rollout, 'operator', reason === '' ? `aborted by ${actor}` : reason, actor);
  const back = {
    ...usual,
    restick: restick ?? usual.restick,
    rampMs: rampMs ?? usual.rampMs,
    lockOut: lockOut ?? usual.lockOut,
  };
  // A ramp that runs is cut short where the new wish has none.
  const rampEndsAtMs =
    rollout.rampEndsAtMs !== undefined && back.rampMs === 0 ? 0 : rollout.rampEndsAtMs;
  return stays({
    ...rollout,
    paused: undefined,
    waiting: undefined,
    hurry: undefined,
    back,
    rampEndsAtMs,
  });
}

function checkMayReturn({ pointOfNoReturn, stage }: Rollout): void {
  if (pointOfNoReturn === undefined || STAGES_BEFORE_TRAFFIC.has(stage)) return;
  const { actor: by, reason: why } = pointOfNoReturn;
  throw new VerbRefusal(
    'point-of-no-return',
    `${by} has declared the point of no return: ${why}; say "force" with a reason`,
  );
}

/** Returns in a few words how it stands, for a refusal. */
function standsText({ stage, paused, waiting }: Rollout): string {
  if (paused !== undefined) return `it is paused by ${paused.by}`;
  if (waiting !== undefined)
    return `it waits for ${waiting.gate === '' ? waiting.for : waiting.gate}`;
  return `it is ${stage}`;
}

function stays(to: Rollout): Transition {
  return { to, effects: [], told: [] };
}

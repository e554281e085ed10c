// Pure: the edits of a state while a rollout shifts sessions to the idle color: it begins, its share
// moves, it is given up, or it is the way back. Its end is a usual switch (state-edit.ts). Whether the
// decision may be made is checked before.

import { assert } from '../../base/assert.ts';
import { mixed } from '../../base/hashes.ts';
import { SHARE_MAX } from '../../contract/split-share.ts';
import { otherColor, type LockOut, type Ramp, type Split } from '../../contract/table.ts';
import { LOCK_OUTS_MAX } from '../base/control-limits.ts';
import { activeNumber, deploymentOf } from '../store/service-state.ts';
import { schemaReached } from './schema-fit.ts';
import { drainOf, kept, switched, type Edit, type SwitchTerms } from './state-edit.ts';

/** How sessions are placed, from the beginning of a split to its end. */
type Placing = Pick<Split, 'sessions' | 'by'>;

export interface SplitTerms extends Placing, Pick<Split, 'share' | 'ramp'> {
  /** The epoch that the decision begins. */
  readonly epoch: number;
  readonly nowMs: number;
}

/** Sessions that begin go to the deployment on the idle color in a share, too. */
export function splitBegun({ share, ramp, sessions, by, epoch, nowMs }: SplitTerms): Edit {
  return (state) => {
    const { deployment } = state[otherColor(state.active)];
    assert(deployment !== 0, 'a split leads to a deployment');
    const schema = schemaReached(state.schema, deploymentOf(state, deployment));
    return {
      ...state,
      split: { deployment, ...drawn({ epoch, nowMs }), share, ramp, sessions, by },
      ...(schema === undefined ? {} : { schema }),
      // From now on it has served: its sessions hold this epoch, and pages of it are out there.
      deployments: state.deployments.map((one) =>
        one.number === deployment ? { ...one, servedSince: epoch } : one,
      ),
      // Sessions of it that were left stay where they are.
      draining: state.draining.filter((one) => one.deployment !== deployment),
    };
  };
}

function drawn({ epoch, nowMs }: Pick<SplitTerms, 'epoch' | 'nowMs'>) {
  return { salt: mixed(epoch), sinceS: Math.floor(nowMs / 1_000) };
}

/** The share is another; sessions stay where they are as far as its placing says so. */
export function splitMoved(share: number, ramp: Ramp | undefined): Edit {
  return (state) => {
    assert(state.split !== undefined, 'there is a split');
    return { ...state, split: { ...state.split, share, ramp } };
  };
}

export interface AbortTerms extends Pick<
  SwitchTerms,
  'epoch' | 'nowMs' | 'policy' | 'longLivedCount' | 'actor'
> {
  /** `all`: its sessions move to the active deployment with their next request; `new`: they may stay. */
  readonly restick: 'all' | 'new';
  /** Locks out the release of the canary; undefined: it stays as good as it was. */
  readonly lockOut: Pick<LockOut, 'reason' | 'actor'> | undefined;
}

/** Nothing new goes to the canary; it stays on its color and drains. */
export function splitAborted(terms: AbortTerms): Edit {
  const { restick, lockOut, actor, epoch, nowMs } = terms;
  return (state) => {
    assert(state.split !== undefined, 'there is a split');
    const canary = deploymentOf(state, state.split.deployment)!;
    const { release, number } = canary;
    const active = deploymentOf(state, activeNumber(state));
    const lockOuts = [...state.lockOuts];
    // Without a name, nothing tells the next release from this one; and the active one stays.
    if (lockOut !== undefined && release !== '' && release !== active?.release) {
      const others = lockOuts.filter((one) => one.release !== release);
      const added = { ...lockOut, release, deployment: number, atMs: nowMs, epoch };
      lockOuts.splice(0, Infinity, ...others, added);
    }
    return kept({
      ...state,
      split: undefined,
      draining: [
        ...state.draining,
        drainOf(canary, { ...terms, movesSessions: restick === 'all' }),
      ],
      lockOuts: lockOuts.slice(-LOCK_OUTS_MAX),
      // A rollback that is called again must not lead to the release before.
      lastSwitch: { from: number, outcome: 'rolled-back', actor },
    });
  };
}

/**
 * The deployment `terms.to` becomes active again, and what is left of the other goes over to it
 * evenly, during `ramp`: sessions as well. Then `splitAborted` follows.
 */
export function rolledBackBySplit(
  terms: SwitchTerms & Pick<Split, 'by'>,
  { startsAtMs, endsAtMs }: Omit<Ramp, 'from'>,
): Edit {
  const { by } = terms;
  return (state) => {
    const deployment = activeNumber(state);
    const after = switched(terms)(state);
    assert(after[otherColor(after.active)].deployment === deployment, 'it was on its own color');
    const ramp = { from: SHARE_MAX, startsAtMs, endsAtMs };
    const split = { deployment, ...drawn(terms), share: 0, ramp, sessions: 'all', by } as const;
    return {
      ...after,
      split,
      draining: after.draining.filter((one) => one.deployment !== deployment),
    };
  };
}

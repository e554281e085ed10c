// The eyes of the guard: reads once a second what every release was judged by, learns what is normal for
// the active ones, and hands the guard of each rollout its looks. What is kept of a rollout stands in the
// rollout itself; after a restart it goes on with a gap. Judges nothing.

import { shareAt, SHARE_MAX } from '../../../contract/split-share.ts';
import type { Deployment, RoutingTable } from '../../../contract/table.ts';
import type { ServiceConfig } from '../../../config/config.ts';
import { Baseline } from '../../guard/baseline.ts';
import {
  beginSegment,
  evidenceOf,
  gapIn,
  lookAt,
  newGuard,
  restoredGuard,
  verdictOf,
  type GuardState,
} from '../../guard/guard.ts';
import type { GuardSettings, Segment } from '../../guard/guard-types.ts';
import { judgedOf, type Judged } from '../../memory/judged.ts';
import type { Totals } from '../../memory/totals.ts';
import type { GuardEyes } from '../running/bring.ts';
import type { GuardSays } from '../machine/machine.ts';
import { judgedSince } from './judged-since.ts';
import { deploymentIn } from '../running/observe.ts';
import { isHalted, type Leg, type Rollout, type Side } from '../machine/rollout-record.ts';

export interface GuardWatchParts {
  readonly table: () => RoutingTable;
  readonly totals: Pick<Totals, 'blockSlot' | 'lifeOf' | 'clients'>;
  readonly configOf: (service: string) => Pick<ServiceConfig, 'rollout'> | undefined;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly epochMs: () => number;
}

/** What is kept of one service of a rollout, as JSON. */
interface Watched {
  readonly service: string;
  readonly guard: GuardState;
}

/** What is kept of a rollout, as JSON. */
export interface WatchState {
  readonly legs: readonly Watched[];
  /** The step, or the bake, that the looks belong to. */
  readonly segment: string;
  /** Evidence every ten seconds, the latest last. */
  readonly recent: readonly number[];
  readonly recentMs: number;
  /** What was said of segments that are over. */
  readonly verdicts: readonly SegmentVerdict[];
}

interface SegmentVerdict {
  readonly atMs: number;
  readonly stage: 'shifting' | 'baking';
  readonly share: number;
  readonly verdict: string;
  readonly detail: string;
}

/** The last look at both sides of one leg. */
interface Seen {
  readonly old: Judged;
  readonly new: Judged;
}

interface Learnt {
  life: number;
  last: Judged;
  baseline: Baseline;
}

const RECENT_EVERY_MS = 10_000;
const RECENT_MAX = 30;
const VERDICTS_MAX = 100;

export class GuardWatch implements GuardEyes {
  readonly #parts: GuardWatchParts;
  /** By number of the deployment, of those that are active. */
  readonly #learnt = new Map<number, Learnt>();
  #learntAtMs: number | undefined;
  /** By rollout and service. */
  readonly #seen = new Map<string, Seen>();

  constructor(parts: GuardWatchParts) {
    this.#parts = parts;
  }

  learn(): void {
    const { table, totals, now } = this.#parts;
    const nowMs = now();
    const elapsedMs = nowMs - (this.#learntAtMs ?? nowMs);
    this.#learntAtMs = nowMs;
    const active = new Set<number>();
    for (const service of table().services) {
      const { number, block } = service[service.active];
      if (number === 0) continue;
      active.add(number);
      const seen = judgedOf(totals, block);
      const known = this.#learnt.get(number);
      if (known === undefined || known.life !== seen.life) {
        this.#learnt.set(number, { life: seen.life, last: seen, baseline: new Baseline() });
        continue;
      }
      const since = judgedSince(known.last, seen);
      // While a rollout shifts, what is left on the old release is no longer its whole traffic.
      if (service.split === undefined && !since.isLost)
        known.baseline.add(elapsedMs, since.counts.all);
      known.last = since.seen;
    }
    for (const number of this.#learnt.keys()) if (!active.has(number)) this.#learnt.delete(number);
  }

  begin(rollout: Rollout): WatchState {
    const legs = rollout.legs.map((leg): Watched => {
      this.#note(rollout, leg);
      return { service: leg.service, guard: this.#newGuard(rollout, leg) };
    });
    return { legs, segment: segmentKey(rollout), recent: [], recentMs: 0, verdicts: [] };
  }

  look(
    rollout: Rollout,
    elapsedMs: number,
  ): { readonly state: WatchState; readonly says: GuardSays } {
    const known = stateOf(rollout) ?? this.begin(rollout);
    const before =
      known.segment === segmentKey(rollout) ? known : this.#nextSegment(rollout, known);
    const legs = rollout.legs.map((leg): Watched => {
      const kept = before.legs.find(({ service }) => service === leg.service)?.guard;
      const guard = kept ?? this.#newGuard(rollout, leg);
      return { service: leg.service, guard: this.#looked(rollout, leg, { guard, elapsedMs }) };
    });
    const recentMs = before.recentMs + elapsedMs;
    const evidence = Math.max(...legs.map(({ guard }) => evidenceOf(guard)));
    const isDue = recentMs >= RECENT_EVERY_MS;
    const state: WatchState = {
      ...before,
      legs,
      recentMs: isDue ? 0 : recentMs,
      recent: isDue ? [...before.recent, evidence].slice(-RECENT_MAX) : before.recent,
    };
    return { state, says: saysOf(legs) };
  }

  #nextSegment(rollout: Rollout, before: WatchState): WatchState {
    const segment = segmentOf(rollout);
    const { verdict, reason } = saysOf(before.legs);
    const over: SegmentVerdict = {
      atMs: this.#parts.epochMs(),
      stage: before.segment === 'bake' ? 'baking' : 'shifting',
      share: rollout.steps[Number(before.segment)]?.share ?? SHARE_MAX,
      verdict: verdict ?? 'unjudged',
      detail: reason,
    };
    return {
      ...before,
      segment: segmentKey(rollout),
      verdicts: [...before.verdicts, over].slice(-VERDICTS_MAX),
      legs: before.legs.map(({ service, guard }) => ({
        service,
        guard: beginSegment(guard, segment),
      })),
    };
  }

  #looked(
    rollout: Rollout,
    leg: Leg,
    { guard, elapsedMs }: { readonly guard: GuardState; readonly elapsedMs: number },
  ): GuardState {
    const { totals, epochMs, table } = this.#parts;
    const before = this.#seen.get(keyOf(rollout, leg));
    const seen = this.#note(rollout, leg);
    if (seen === undefined) return gapIn(guard, { elapsedMs, reason: 'a release is on no color' });
    if (before === undefined) {
      const gap = { elapsedMs, reason: 'Turnout was started again' };
      return restoredGuard(guard, gap) ?? this.#newGuard(rollout, leg);
    }
    if (before.old.life !== seen.old.life || before.new.life !== seen.new.life) {
      return gapIn(guard, { elapsedMs, reason: 'its counters began anew' });
    }
    const [old, fresh] = [judgedSince(before.old, seen.old), judgedSince(before.new, seen.new)];
    this.#keep(keyOf(rollout, leg), { old: old.seen, new: fresh.seen });
    const split = table().services.find(({ name }) => name === leg.service)?.split;
    const { block } = deploymentIn(table(), leg.service, leg.to.deployment)!;
    const nowMs = epochMs();
    return lookAt(guard, {
      elapsedMs,
      old: old.counts,
      new: fresh.counts,
      share:
        rollout.stage === 'shifting' && split !== undefined ? shareAt(split, nowMs) : SHARE_MAX,
      clients: totals.clients(block, Math.floor(nowMs / 1_000)),
      isPaused: isHalted(rollout),
    });
  }

  #note(rollout: Rollout, leg: Leg): Seen | undefined {
    const { table, totals } = this.#parts;
    const [old, next] = [leg.from, leg.to].map((side) =>
      deploymentIn(table(), leg.service, side.deployment),
    ) as [Deployment | undefined, Deployment | undefined];
    const key = keyOf(rollout, leg);
    if (old === undefined || next === undefined) {
      this.#seen.delete(key);
      return undefined;
    }
    const seen = { old: judgedOf(totals, old.block), new: judgedOf(totals, next.block) };
    this.#keep(key, seen);
    return seen;
  }

  #keep(key: string, seen: Seen): void {
    // The latest last: one that is over is looked at no more, and is forgotten before those that run.
    this.#seen.delete(key);
    this.#seen.set(key, seen);
    for (const known of this.#seen.keys()) {
      if (this.#seen.size > SEEN_MAX) this.#seen.delete(known);
    }
  }

  #newGuard(rollout: Rollout, { service, from, to }: Leg): GuardState {
    const { steps, terms, legs, stage } = rollout;
    const settings = this.#parts.configOf(service)?.rollout.guard ?? DEFAULTS;
    const shiftMs = steps.reduce((sum, { forMs }) => sum + forMs, 0);
    const isShifted = stage === 'shifting';
    return newGuard(
      {
        settings: { ...settings, alpha: settings.alpha / legs.length },
        names: { old: nameOf(from), new: nameOf(to) },
        baseline: this.#learnt.get(from.deployment)?.baseline.freeze(),
        shiftMs: isShifted ? shiftMs : undefined,
        bakeMs: terms.bakeMs === 0 ? undefined : terms.bakeMs,
      },
      segmentOf(rollout),
    );
  }
}

/** Rollouts that run at once: one of each service at most. */
const SEEN_MAX = 256;

/** Where a service is configured no more. */
const DEFAULTS: GuardSettings = {
  patience: 'normal',
  alpha: 0.001,
  clients: 3,
  errors: { ratio: 2, floor: 0.01, limit: 0.05 },
  latency: { mode: 'compare', ratio: 2, graceMs: 30_000, p99Ms: 0 },
};

/** Returns what is kept of a rollout; undefined: nothing that can be read. */
export function stateOf({ guard }: Pick<Rollout, 'guard'>): WatchState | undefined {
  const isState = typeof guard === 'object' && guard !== null && 'legs' in guard;
  return isState ? (guard as WatchState) : undefined;
}

/** Returns what several guards say together: one that fails is enough, and all have to be sure. */
function saysOf(legs: readonly Watched[]): GuardSays {
  const verdicts = legs.map(({ service, guard }) => ({ service, says: verdictOf(guard) }));
  const named = (service: string, reason: string): string =>
    legs.length === 1 ? reason : `${service}: ${reason}`;
  for (const { service, says } of verdicts) {
    if (says?.kind === 'fail') return { verdict: 'fail', reason: named(service, says.reason) };
  }
  if (verdicts.some(({ says }) => says === undefined || says.kind === 'blind')) return LOOKING;
  const unsure = verdicts.flatMap(({ service, says }) =>
    says?.kind === 'inconclusive' ? [named(service, says.reason)] : [],
  );
  if (unsure.length > 0) return { verdict: 'inconclusive', reason: unsure.join('; ') };
  return { verdict: 'pass', reason: '' };
}

const LOOKING: GuardSays = { verdict: undefined, reason: '' };

function segmentKey({ stage, step }: Rollout): string {
  return stage === 'shifting' ? String(step) : 'bake';
}

function segmentOf({ stage, step, steps, terms }: Rollout): Segment {
  return stage === 'shifting'
    ? { kind: 'step', lastsMs: steps[step]!.forMs }
    : { kind: 'bake', lastsMs: terms.bakeMs, baseline: undefined };
}

function keyOf({ id }: Rollout, { service }: Leg): string {
  return `${id} ${service}`;
}

function nameOf({ release, deployment, color }: Side): string {
  return release === '' ? `deployment ${deployment} on ${color}` : release;
}

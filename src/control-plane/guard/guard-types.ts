// The words of the guard: what it is told of one look, what it is set to, what it answers. All of it is
// plain JSON, so a guard can be stored at any moment and go on later. Knows no counter, clock or store.

import type { FrozenBaseline } from './baseline.ts';
import type { Tally } from './likelihood.ts';

/**
 * What one release did between two looks. A worker may count a request as bad between two reads: what is
 * more bad than judged is not believed, so the reader carries it over to the next look.
 */
export interface Counts {
  /** Requests that count for or against the release. */
  readonly judged: number;
  /** Those of them that went wrong by the fault of the release. */
  readonly bad: number;
  /** Requests by duration: one number for each of DURATION_EDGES_MS, and one for the rest. */
  readonly durations: readonly number[];
}

/** One release, once as a whole, and once only what the split placed. */
export interface SideCounts {
  readonly all: Counts;
  /** Requests with the decision `split`: the randomised cohort. All zero where nothing is split. */
  readonly split: Counts;
}

/** One look at both releases. A look at least every 10 s, best every second; more often does no harm. */
export interface Look {
  /** Since the look before, or since the segment began. */
  readonly elapsedMs: number;
  readonly old: SideCounts;
  readonly new: SideCounts;
  /** Share of the new release that is wanted now, of 10,000; in the bake 10,000. */
  readonly share: number;
  /** Distinct client addresses on the new release within the last minute. */
  readonly clients: ClientCounts;
  /** The rollout is paused or waits: evidence is gathered, but the time of the segment stands still. */
  readonly isPaused: boolean;
}

export interface ClientCounts {
  readonly seen: number;
  /** Those that got at least one bad answer. */
  readonly bad: number;
}

/** How soon the guard believes a burst: the most by which one second may multiply the evidence. */
export type Patience = 'calm' | 'normal' | 'quick';

/** Rates are fractions: 0.01 is 1 %. */
export interface GuardSettings {
  readonly patience: Patience;
  /** False rollbacks per rollout at the most; of several guards in one rollout, each gets its part. */
  readonly alpha: number;
  /** Distinct clients that need a bad answer before errors may fail a release. */
  readonly clients: number;
  readonly errors: {
    /** The new release may have so many times the errors of the old one. */
    readonly ratio: number;
    /** A rate of errors that is always tolerated. */
    readonly floor: number;
    /** What is tolerated where there is nothing to compare with. */
    readonly limit: number;
  };
  readonly latency: {
    readonly mode: 'compare' | 'off';
    readonly ratio: number;
    /** Latency is not judged for so long after the share has doubled, and after all traffic has moved. */
    readonly graceMs: number;
    /** At most 1 % of the requests may take longer; 0: no such rule. */
    readonly p99Ms: number;
  };
}

/** What is known when a rollout begins to move traffic. */
export interface GuardPlan {
  readonly settings: GuardSettings;
  /** Names for sentences: releases, or colors where a release has no name. */
  readonly names: { readonly old: string; readonly new: string };
  /** Of the old release, frozen before the first request moved; undefined: a first release. */
  readonly baseline: FrozenBaseline | undefined;
  /** Planned time of all steps together, pauses left out; undefined: all traffic moves at once. */
  readonly shiftMs: number | undefined;
  /** Planned time of the bake; undefined: there is none. */
  readonly bakeMs: number | undefined;
}

/** What gets a verdict of its own: one step of the shift, or the bake. */
export type Segment =
  | { readonly kind: 'step'; readonly lastsMs: number }
  | {
      readonly kind: 'bake';
      readonly lastsMs: number;
      /** A newer baseline of the old release; undefined: that of the plan. */
      readonly baseline: FrozenBaseline | undefined;
    };

/** What the guard says of a segment. Nothing else is possible: every `switch` over it has no default. */
export type Verdict =
  /** The release is worse than tolerated: go back now. Stays until the segment ends. */
  | { readonly kind: 'fail'; readonly reason: string }
  /** The time is over, and the release is shown to be no worse than tolerated. */
  | { readonly kind: 'pass' }
  /** The time and its extension are over, and there were too few requests to tell. */
  | { readonly kind: 'inconclusive'; readonly reason: string }
  /** The last look saw nothing that may be counted; the segment gets as much longer. */
  | { readonly kind: 'blind'; readonly reason: string };

/** One row of the view: a thing that is judged. */
export interface SignalView {
  /** `errors`, `slower than 100 ms (p90)`. */
  readonly name: string;
  readonly old: Tally;
  readonly new: Tally;
  /** For people: `2 x, at least 1 %`. */
  readonly tolerated: string;
  /** Evidence of this signal alone, before its weight. */
  readonly evidence: number;
}

export type Comparison = 'side by side' | 'before/after' | 'nothing to compare with';

/** The guard as JSON for people and programs. */
export interface GuardView {
  readonly verdict: Verdict['kind'] | 'none yet';
  /** To one. A fail needs `limit`. */
  readonly evidence: number;
  readonly limit: number;
  readonly comparison: Comparison;
  readonly signals: readonly SignalView[];
  /** `needed` is 0 where the rule is off. */
  readonly clients: ClientCounts & { readonly needed: number };
  readonly segment: {
    readonly observedMs: number;
    /** With the extension, once it has begun. */
    readonly lastsMs: number;
    readonly isExtended: boolean;
    /** Time for which nothing could be seen. */
    readonly blindMs: number;
  };
  /** Sentences: what limits this guard now. */
  readonly notes: readonly string[];
}

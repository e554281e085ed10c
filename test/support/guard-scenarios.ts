// The rows of the tables in docs/guard.md: rollouts in which nothing is wrong, and such in which something is.

import { SETTINGS, WITH_LATENCY } from './guard-looks.ts';
import {
  NORMAL_PACE,
  SCENARIO,
  type Bursts,
  type Pace,
  type Scenario,
} from './guard-simulation.ts';

/** Rollouts of a release that is as good as the old one. */
export interface NullRow {
  readonly name: string;
  readonly scenario: Scenario;
  /** Share of false rollbacks that is allowed here. */
  readonly falseMax: number;
}

const CANARY = { mode: 'side by side', share: 0.1 } as const;
const HALF = { mode: 'side by side', share: 0.5 } as const;
const BAKE = { mode: 'before/after' } as const;

/** Twelve an hour in which half of the requests fail. */
function bursts(on: Bursts['on'], meanS: number): Bursts {
  return { on, perHour: 12, meanS, bad: 0.5, pace: NORMAL_PACE };
}

function slowBursts(meanS: number): Bursts {
  return { on: 'new', perHour: 12, meanS, bad: 0.001, pace: { slower: 5, late: 0 } };
}

/** A rate of errors that both releases have. */
function normally(base: number): Partial<Scenario> {
  return { base, fresh: base };
}

function nullRow(name: string, change: Partial<Scenario>, falseMax = 0): NullRow {
  return { name, scenario: { ...SCENARIO, ...change }, falseMax };
}

/** A part of one-sided bursts is taken for a bad release, and no rule can avoid that. */
const WITH_BURSTS_MAX = 0.005;

/** Latency is judged from the first second: without grace, nothing else is. */
const AT_ONCE = { ...WITH_LATENCY, latency: { ...WITH_LATENCY.latency, graceMs: 0 } };

export const NULL_ROWS: readonly NullRow[] = [
  nullRow('half of the sessions, 100 requests/s', HALF),
  nullRow('canary 10 %, 100 requests/s', CANARY),
  nullRow('canary 1 %, 100 requests/s', { ...CANARY, share: 0.01 }),
  nullRow('step of 90 %, 100 requests/s', { ...CANARY, share: 0.9 }),
  nullRow('bake, 100 requests/s', BAKE),
  nullRow('bake, 20 requests a minute', { ...BAKE, rps: 1 / 3 }),
  nullRow('canary 10 %, 2 requests/s, 1 % errors', { ...CANARY, rps: 2, ...normally(0.01) }),
  nullRow('half, 10 requests/s, 3 % errors', { ...HALF, rps: 10, ...normally(0.03) }),
  nullRow('bake, 10 requests/s, 3 % errors', { ...BAKE, rps: 10, ...normally(0.03) }),
  nullRow('half, outages of both, 10 s', { ...HALF, bursts: bursts('both', 10) }),
  nullRow(
    'canary 10 %, own outages, 1 s',
    { ...CANARY, bursts: bursts('new', 1) },
    WITH_BURSTS_MAX,
  ),
  nullRow(
    'canary 10 %, own outages, 3 s',
    { ...CANARY, bursts: bursts('new', 3) },
    WITH_BURSTS_MAX,
  ),
  nullRow('bake, own outages, 1 s', { ...BAKE, bursts: bursts('new', 1) }, WITH_BURSTS_MAX),
  nullRow('bake, own outages, 3 s', { ...BAKE, bursts: bursts('new', 3) }, WITH_BURSTS_MAX),
  nullRow('half, latency judged', { ...HALF, settings: AT_ONCE }),
  nullRow('canary 10 %, latency judged', { ...CANARY, settings: AT_ONCE }),
  nullRow('bake, latency judged', { ...BAKE, settings: AT_ONCE }),
  nullRow(
    'bake, latency judged, five times slower for 3 s',
    { ...BAKE, settings: AT_ONCE, bursts: slowBursts(3) },
    WITH_BURSTS_MAX,
  ),
  nullRow('bake, cold for 20 s, with grace', {
    ...BAKE,
    settings: WITH_LATENCY,
    pace: { slower: 5, late: 0 },
    untilS: 20,
  }),
];

/** One row of the table of delays: a column for each of the error rates. */
export interface PowerRow {
  readonly name: string;
  readonly rps: string;
  readonly scenario: Scenario;
  /** Medians in seconds as they were worked out beforehand; undefined: not found in each rollout. */
  readonly expectedS: readonly (number | undefined)[];
}

export const ERROR_RATES = [0.02, 0.05, 0.2, 0.5, 1] as const;

type Medians = readonly (number | undefined)[];

function powerRows(
  name: string,
  change: Partial<Scenario>,
  rows: readonly (readonly [rps: number, medians: Medians])[],
): PowerRow[] {
  return rows.map(([rps, expectedS]) => ({
    name,
    rps: rps < 1 ? `${Math.round(rps * 60)} a minute` : `${rps}/s`,
    scenario: { ...SCENARIO, ...change, rps },
    expectedS,
  }));
}

export const POWER_ROWS: readonly PowerRow[] = [
  ...powerRows('bake', BAKE, [
    [1 / 3, [undefined, undefined, undefined, 96, 41]],
    [1, [undefined, undefined, 83, 33, 18]],
    [5, [undefined, 87, 22, 13, 11]],
    [20, [undefined, 31, 12, 11, 11]],
    [100, [70, 15, 12, 11, 11]],
    [1_000, [19, 12, 12, 11, 11]],
  ]),
  ...powerRows('half', HALF, [
    [5, [undefined, undefined, 58, 26, 16]],
    [20, [undefined, 58, 17, 12, 11]],
    [100, [undefined, 20, 12, 11, 11]],
    [1_000, [23, 13, 12, 11, 11]],
  ]),
  ...powerRows('canary 10 %', CANARY, [
    [5, [undefined, undefined, 150, 62, 31]],
    [20, [undefined, undefined, 42, 20, 13]],
    [100, [undefined, 50, 15, 12, 11]],
    [1_000, [76, 15, 12, 11, 11]],
  ]),
];

/** What becomes slower, at 100 requests/s. */
export const PACES: readonly (readonly [name: string, pace: Pace])[] = [
  ['all twice as slow', { slower: 2, late: 0 }],
  ['all three times as slow', { slower: 3, late: 0 }],
  ['all five times as slow', { slower: 5, late: 0 }],
  ['10 % one second later', { slower: 1, late: 0.1 }],
  ['3 % one second later', { slower: 1, late: 0.03 }],
];

export const PACE_MODES: readonly (readonly [name: string, scenario: Scenario])[] = [
  ['bake', { ...SCENARIO, ...BAKE, settings: AT_ONCE }],
  ['half', { ...SCENARIO, ...HALF, settings: AT_ONCE }],
  ['canary 10 %', { ...SCENARIO, ...CANARY, settings: AT_ONCE }],
];

/** Each patience with what it costs: a regression, and a release that is well but for its bursts. */
export const PATIENCE_ROWS = (['calm', 'normal', 'quick'] as const).map((patience) => {
  const settings = { ...SETTINGS, patience };
  return {
    patience,
    found: { ...SCENARIO, settings, fresh: 0.05 },
    canary: { ...SCENARIO, ...CANARY, settings, fresh: 0.05 },
    bursts: { ...SCENARIO, ...CANARY, settings, bursts: bursts('new', 3) },
  };
});

// A bet against a release. It begins with at most 1, and a release that is as good as tolerated can't be
// expected to raise it: the chance that it ever reaches 1/α is at most α (Ville 1939), however often one
// looks. Its value is the evidence. Pure and plain JSON; does not know what is counted.

/** The start takes this part of the stake; the restarts share the rest. */
const FIRST_STAKE = 0.5;
/** Ticks from one restart to the next. A regression that begins late meets a fresh stake soon. */
const RESTART_EVERY = 5;
/** Wealth stops here: above it nothing is decided, and hours of growth must stay a finite number. */
const WEALTH_MAX = 1e100;
/** One tick multiplies by e^230 at the most: as good as without a bound, and finite. */
const LOG_GROWTH_MAX = 230;

export interface Bet {
  /** One for each alternative. */
  readonly wealth: readonly number[];
  /** Stake that is not placed yet. */
  readonly left: number;
  /** Ticks so far. */
  readonly ticks: number;
  /** The tick of the latest stake that was more than all older ones had come to: they were lost. */
  readonly startedAt: number;
  /** Restarts that the plan has still to come. */
  readonly startsLeft: number;
  /** What divides the rest of the stake at the next restart while the clock stands still. */
  readonly pausedStarts: number;
}

/** Returns a bet over `alternatives` that is planned to last `ticks` ticks, its extension included. */
export function newBet(alternatives: number, ticks: number): Bet {
  const starts = Math.max(1, Math.ceil(ticks / RESTART_EVERY) - 1);
  return place(
    {
      wealth: Array.from({ length: alternatives }, () => 0),
      left: 1,
      ticks: 0,
      startedAt: 0,
      startsLeft: starts,
      pausedStarts: starts,
    },
    FIRST_STAKE,
  );
}

export interface TickOutcome {
  /** Log-likelihood ratio of each alternative against what is tolerated; undefined: says nothing. */
  readonly logRatios: readonly number[] | undefined;
  /** The most by which one tick may multiply the wealth of an alternative. */
  readonly cap: number;
  /** Ticks that the plan does not count, such as those of a pause. */
  readonly isPaused: boolean;
}

/**
 * Returns the bet after one more tick. The cap belongs to each alternative, before the sum: capping the
 * sum would break the bound. Nothing is ever capped from below.
 */
export function nextBet(bet: Bet, { logRatios, cap, isPaused }: TickOutcome): Bet {
  const wealth = grownWealth(bet.wealth, logRatios, Math.log(cap));
  const next = { ...bet, wealth, ticks: bet.ticks + 1 };
  if (next.ticks % RESTART_EVERY !== 0) return next;
  if (isPaused) return restartedInPause(next);
  return next.startsLeft > 0 ? restarted(next) : next;
}

/** Returns the evidence: what the bet is worth. */
export function betValue({ wealth }: Pick<Bet, 'wealth'>): number {
  return wealth.reduce((sum, one) => sum + one, 0);
}

/** Returns the wealth of each alternative after one tick; no log-likelihood ratio counts more than `logCap`. */
export function grownWealth(
  wealth: readonly number[],
  logRatios: readonly number[] | undefined,
  logCap: number,
): readonly number[] {
  if (logRatios === undefined) return wealth;
  return wealth.map((one, index) =>
    Math.min(WEALTH_MAX, one * Math.exp(Math.min(logCap, LOG_GROWTH_MAX, logRatios[index] ?? 0))),
  );
}

/** Spreads the rest of the stake evenly: the last restart of the plan takes the last of it. */
function restarted(bet: Bet): Bet {
  return place({ ...bet, startsLeft: bet.startsLeft - 1 }, bet.left / bet.startsLeft);
}

/**
 * How long a pause lasts is not known, so each restart takes a smaller part of the rest, which then never
 * runs out: a regression in the tenth hour of a pause is found some seconds later only. After the end of
 * the plan there is no rest, and half of the wealth becomes one.
 */
function restartedInPause(bet: Bet): Bet {
  const banked = bet.left > 0 ? bet : withRest(bet);
  const pausedStarts = banked.pausedStarts + 1;
  return place({ ...banked, pausedStarts }, banked.left / pausedStarts);
}

function withRest(bet: Bet): Bet {
  const left = Math.min(1, betValue(bet) / 2);
  return { ...bet, left, wealth: bet.wealth.map((one) => one / 2) };
}

function place(bet: Bet, stake: number): Bet {
  const each = stake / bet.wealth.length;
  return {
    ...bet,
    wealth: bet.wealth.map((one) => one + each),
    left: bet.left - stake,
    startedAt: stake > betValue(bet) ? bet.ticks : bet.startedAt,
  };
}

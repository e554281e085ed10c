// Measures rollouts while they have traffic: reads counters once a second, makes points of ten seconds, and
// writes those of all rollouts at once. What is not written yet can be read from memory. Judges nothing.

import { shareAt, SHARE_MAX } from '../../../contract/split-share.ts';
import type { RoutingTable } from '../../../contract/table.ts';
import {
  ROLLOUT_LOOK_MS,
  ROLLOUT_POINT_MS,
  ROLLOUT_POINTS_MAX,
} from '../../base/control-limits.ts';
import { background, type Log } from '../../base/log.ts';
import { evidenceOf, restoredGuard } from '../../guard/guard.ts';
import { judgedOf, type Judged } from '../../memory/judged.ts';
import type { Totals } from '../../memory/totals.ts';
import type { PointsDraft, PointStore } from '../../store/rollout-store.ts';
import { stateOf } from './guard-watch.ts';
import { deploymentIn } from '../running/observe.ts';
import type { Leg, Rollout, Side } from '../machine/rollout-record.ts';
import type { LiveRollouts } from '../running/live-rollouts.ts';
import { joined, parsePoint, thinned, type PointCounts, type SeriesPoint } from './series-point.ts';

export interface SeriesWatchParts {
  readonly rollouts: Pick<LiveRollouts, 'all' | 'find'>;
  readonly points: PointStore;
  readonly table: () => RoutingTable;
  readonly totals: Pick<Totals, 'blockSlot' | 'lifeOf'>;
  /** False while the state is that of another process. */
  readonly isInCharge: () => boolean;
  readonly log: Log;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly epochMs: () => number;
}

/** A rollout that has traffic, or had some that is not written yet. */
interface Measured {
  rollout: Rollout;
  /** By service: what both sides had counted at the last look. */
  readonly seen: Map<string, Sides>;
  /** Finished, and not written yet. */
  waiting: readonly SeriesPoint[];
  /** They are being written. */
  leaving: readonly SeriesPoint[];
  /** It grows. */
  open: SeriesPoint | undefined;
  /** Points in the store; undefined: not looked yet. */
  stored: number | undefined;
  isOver: boolean;
}

interface Sides {
  /** The share that was wanted then, of 10,000. */
  readonly wanted: number;
  readonly old: Judged | undefined;
  readonly new: Judged | undefined;
}

export class SeriesWatch {
  readonly #parts: SeriesWatchParts;
  readonly #measured = new Map<string, Measured>();
  #timer: NodeJS.Timeout | undefined;
  #lookedAtMs = 0;
  #writtenAtMs = 0;
  #isWriting = false;

  constructor(parts: SeriesWatchParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#lookedAtMs = this.#writtenAtMs = this.#parts.now();
    this.#timer ??= setInterval(() => {
      background(this.look(), this.#parts.log, 'series of rollouts');
    }, ROLLOUT_LOOK_MS).unref();
  }

  /** What was measured so far is written. */
  async stop(): Promise<void> {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.settle();
  }

  /** Looks once; writes each ten seconds, and when a rollout has ended. */
  async look(): Promise<void> {
    // What is counted meanwhile comes with the next look, if there is one.
    if (!this.#parts.isInCharge()) return;
    const hasEnded = this.#measureAll();
    if (hasEnded || this.#lookedAtMs - this.#writtenAtMs >= ROLLOUT_POINT_MS) await this.#write();
  }

  /** Writes what was measured up to now. */
  async settle(): Promise<void> {
    if (!this.#parts.isInCharge()) return;
    this.#measureAll();
    await this.#write();
  }

  /** Returns whether one of them has ended. */
  #measureAll(): boolean {
    const { rollouts, now } = this.#parts;
    const nowMs = now();
    const passedMs = nowMs - this.#lookedAtMs;
    this.#lookedAtMs = nowMs;
    const moving = new Map(
      rollouts
        .all()
        .filter(hasTraffic)
        .map((rollout) => [rollout.id, rollout]),
    );
    for (const [id, rollout] of moving) {
      const known = this.#measured.get(id);
      if (known === undefined) this.#measured.set(id, this.#begun(rollout));
      else this.#measure(known, rollout, passedMs);
    }
    let hasEnded = false;
    for (const [id, known] of this.#measured) {
      if (moving.has(id) || known.isOver) continue;
      this.#measure(known, rollouts.find(id), passedMs);
      known.isOver = true;
      hasEnded = true;
    }
    return hasEnded;
  }

  async #write(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#writtenAtMs = this.#lookedAtMs;
    for (const known of this.#measured.values()) {
      close(known);
      known.leaving = known.waiting;
      known.waiting = [];
    }
    const due = [...this.#measured.values()].filter(({ leaving }) => leaving.length > 0);
    try {
      const writes = due.map((known) => ({ known, draft: this.#draftOf(known) }));
      if (writes.length > 0) await this.#parts.points.add(writes.map(({ draft }) => draft));
      for (const { known, draft } of writes) written(known, draft);
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'points of the series of rollouts were not stored yet');
    } finally {
      this.#isWriting = false;
      for (const [id, known] of this.#measured) {
        // What could not be written comes with the next write.
        known.waiting = thinned([...known.leaving, ...known.waiting]);
        known.leaving = [];
        if (known.isOver && known.waiting.length === 0) this.#measured.delete(id);
      }
    }
  }

  /** Returns the points of a rollout, the oldest first, also those that are not written yet. */
  of(id: string): readonly SeriesPoint[] {
    const { leaving = [], waiting = [], open } = this.#measured.get(id) ?? {};
    return [...this.#stored(id), ...leaving, ...waiting, ...(open === undefined ? [] : [open])];
  }

  #stored(id: string): SeriesPoint[] {
    return this.#parts.points.of(id).flatMap((text) => parsePoint(text) ?? []);
  }

  #begun(rollout: Rollout): Measured {
    const seen = new Map(rollout.legs.map((leg) => [leg.service, this.#sides(leg)]));
    const nothing = { waiting: [], leaving: [], open: undefined, stored: undefined };
    return { rollout, seen, ...nothing, isOver: false };
  }

  /** Adds what came since the last look; it came while the rollout was as it was then. */
  #measure(known: Measured, now: Rollout, passedMs: number): void {
    const { rollout } = known;
    const isShifting = rollout.stage === 'shifting';
    const evidence = evidenceIn(now);
    const point: SeriesPoint = {
      atMs: this.#parts.epochMs(),
      spanMs: passedMs,
      stage: rollout.stage,
      legs: rollout.legs.map((leg) => {
        const { service } = leg;
        const before = known.seen.get(service);
        const sides = this.#sides(leg);
        known.seen.set(service, sides);
        return {
          service,
          // What it was while this came: a transition has changed it by now.
          wanted: before?.wanted ?? sides.wanted,
          evidence: evidence.get(service),
          old: grown(before?.old, sides.old, isShifting),
          new: grown(before?.new, sides.new, isShifting),
        };
      }),
    };
    known.open = known.open === undefined ? point : joined(known.open, point);
    if (now.stage !== rollout.stage) close(known);
    known.rollout = now;
  }

  #sides(leg: Leg): Sides {
    const { service, from, to } = leg;
    const [old, next] = [this.#judged(service, from), this.#judged(service, to)];
    return { wanted: this.#wanted(leg), old, new: next };
  }

  #judged(service: string, { deployment }: Side): Judged | undefined {
    const { table, totals } = this.#parts;
    const found = deploymentIn(table(), service, deployment);
    return found && judgedOf(totals, found.block);
  }

  #wanted({ service: name, to }: Leg): number {
    const { table, epochMs } = this.#parts;
    const service = table().services.find((one) => one.name === name);
    if (service?.split !== undefined) return shareAt(service.split, epochMs());
    return service?.[service.active].number === to.deployment ? SHARE_MAX : 0;
  }

  #draftOf(known: Measured): PointsDraft {
    const { leaving, isOver } = known;
    const { id } = known.rollout;
    known.stored ??= this.#parts.points.of(id).length;
    const isWhole = known.stored + leaving.length > ROLLOUT_POINTS_MAX;
    const points = isWhole ? thinned([...this.#stored(id), ...leaving]) : leaving;
    const texts = points.map((point) => JSON.stringify(point));
    return { rollout: id, points: texts, isWhole, isOver };
  }
}

/** Returns the evidence of each service; none of a guard that another version has stored. */
function evidenceIn(rollout: Rollout): ReadonlyMap<string, number> {
  const guards = stateOf(rollout)?.legs ?? [];
  return new Map(
    guards.flatMap(({ service, guard }) => {
      const known = restoredGuard(guard, { elapsedMs: 0, reason: '' });
      return known === undefined ? [] : [[service, evidenceOf(known)] as const];
    }),
  );
}

/** A way back over a ramp is looked at to its end; what drains moves nothing any more. */
function hasTraffic({ end, stage, rampEndsAtMs }: Rollout): boolean {
  const moves = stage === 'shifting' || stage === 'baking' || rampEndsAtMs !== undefined;
  return end === undefined && moves;
}

function close(known: Measured): void {
  if (known.open === undefined) return;
  known.waiting = [...known.waiting, known.open];
  known.open = undefined;
}

function written(known: Measured, { points, isWhole }: PointsDraft): void {
  known.stored = (isWhole ? 0 : known.stored!) + points.length;
  known.leaving = [];
}

/** Returns what a release has counted between two looks; nothing where its counters began anew. */
function grown(
  before: Judged | undefined,
  after: Judged | undefined,
  isShifting: boolean,
): PointCounts {
  if (before === undefined || after === undefined || before.life !== after.life) return NOTHING;
  const cohort = isShifting ? 'split' : 'all';
  const durations = after[cohort].durations.map((count, bucket) =>
    Math.max(0, count - before[cohort].durations[bucket]!),
  );
  return {
    requests: Math.max(0, after.all.judged - before.all.judged),
    judged: Math.max(0, after[cohort].judged - before[cohort].judged),
    bad: Math.max(0, after[cohort].bad - before[cohort].bad),
    slower: slowerOf(durations),
  };
}

const NOTHING: PointCounts = { requests: 0, judged: 0, bad: 0, slower: [] };

/** Returns for each edge how many took longer than that; zeros at the end are left out. */
function slowerOf(durations: readonly number[]): number[] {
  const slower: number[] = [];
  let above = durations.reduce((sum, count) => sum + count, 0);
  for (const count of durations) {
    above -= count;
    if (above === 0) break;
    slower.push(above);
  }
  return slower;
}

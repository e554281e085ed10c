// The part of a switch in which new requests are held until everything that runs on its services has
// ended, so that both deployments never serve at the same time. What runs is named meanwhile. At half
// of the time the workers cut what slow clients keep running; the switch may be called off at any
// moment before its table is stored.

import { setTimeout as sleep } from 'node:timers/promises';
import { epochMs } from '../../../base/clock.ts';
import { countText } from '../../../base/count-text.ts';
import { FAILURE_INDEX } from '../../../base/failures.ts';
import { BLOCK } from '../../../contract/counters.ts';
import type { RunningRequest } from '../../../contract/running-request.ts';
import type { Hold, QuietTime, Service } from '../../../contract/table.ts';
import {
  PREPARE_TIMEOUT_MS,
  QUIET_POLL_MS,
  RUNNING_NAMED_EVERY_MS,
  RUNNING_NAMED_MAX,
} from '../../base/control-limits.ts';
import { unlessCalledOff } from '../../base/called-off.ts';
import { background, type Log } from '../../base/log.ts';
import { OperatorError } from '../../base/problems.ts';
import type { Totals } from '../../memory/totals.ts';
import type { Turn } from '../../publishing/change-queue.ts';
import type { ChangeRunner, Holds } from '../../publishing/change-runner.ts';
import { holdChange } from '../../deployments/change.ts';
import { blocksInUse, runningText, stillRuns } from './running-counts.ts';

/** Names the oldest requests that still run on these counter blocks. */
export type NameRunning = (blocks: readonly number[], max: number) => Promise<RunningRequest[]>;

export interface HoldSwitchParts {
  readonly runner: Pick<ChangeRunner, 'publish' | 'settle' | 'settled'>;
  readonly totals: Totals;
  readonly nameRunning: NameRunning;
  readonly log: Log;
}

/** What is done while no request runs. */
export interface MeanwhileWork {
  /** For people: `migration widen`. */
  readonly what: string;
  /** Has to be over by `byMs`, in ms since the epoch; where it rejects, nothing is switched. */
  readonly run: (about: { readonly signal: AbortSignal; readonly byMs: number }) => Promise<void>;
}

/** A switch that waits for what still runs. */
export interface QuietWait {
  /** For people: `switch by ci`. */
  readonly what: string;
  /** When it gives up at the latest, in ms since the epoch. */
  readonly untilMs: number;
  /** The oldest of what still runs, as it was a moment ago. */
  readonly left: readonly RunningRequest[];
}

export class HoldSwitch {
  readonly #parts: HoldSwitchParts;
  /** By service. */
  readonly #waits = new Map<string, QuietWait>();

  constructor(parts: HoldSwitchParts) {
    this.#parts = parts;
  }

  /** Returns what a switch of `service` waits for; undefined: none waits. */
  waiting(service: string): QuietWait | undefined {
    return this.#waits.get(service);
  }

  /**
   * Holds the requests of `services`, waits until all others have ended, does `meanwhile`, and runs
   * `publish`, which ends these holds together with the switch. Rejects with `hold-timeout` after
   * `holdMs`, or as `turn` was called off. Where it rejects, the held requests go on, and traffic
   * stays as it was.
   */
  async run<T>(
    services: readonly Service[],
    {
      holdMs,
      what,
      turn,
      meanwhile,
    }: {
      readonly holdMs: number;
      readonly what: string;
      readonly turn: Turn;
      readonly meanwhile: MeanwhileWork | undefined;
    },
    publish: (end: (now: Holds) => Holds) => Promise<T>,
  ): Promise<T> {
    const { runner } = this.#parts;
    const fromMs = epochMs();
    const quiet: QuietTime = { fromMs, byMs: fromMs + holdMs };
    // The publication of the switch may take its time, and no held request may go on before it.
    const untilMs = quiet.byMs + PREPARE_TIMEOUT_MS;
    const hold: Hold = { methods: 'all', untilMs, closesLongLived: true, quiet };
    const names = services.map(({ name }) => name);
    const begin = (now: Holds): Holds =>
      new Map([...now, ...names.map((name) => [name, hold] as const)]);
    const end = (now: Holds): Holds => new Map([...now].filter(([name]) => !names.includes(name)));
    const { signal } = turn;
    await runner.publish(holdChange, { turn: { signal, pass: () => {} }, holds: begin });
    try {
      await turn.holding(async () => {
        await unlessCalledOff(runner.settled(), signal);
        await this.#quiet(services, { what, untilMs: quiet.byMs, signal });
        if (meanwhile === undefined) return;
        const whatNow = `${what}: ${meanwhile.what}`;
        const wait: QuietWait = { what: whatNow, untilMs: quiet.byMs, left: [] };
        for (const name of names) this.#waits.set(name, wait);
        await unlessCalledOff(meanwhile.run({ signal, byMs: quiet.byMs }), signal);
      });
      return await publish(end);
    } catch (error) {
      await this.#letGo(end);
      throw error;
    } finally {
      for (const name of names) this.#waits.delete(name);
    }
  }

  /** Never rejects: the operator is told of the first failure. */
  async #letGo(end: (now: Holds) => Holds): Promise<void> {
    const { runner, log } = this.#parts;
    try {
      await runner.publish(holdChange, { holds: end });
    } catch (error) {
      log.error({ err: error }, 'requests wait until the hold ends by itself');
    }
    runner.settle();
  }

  /** Resolves when no request, stream or tunnel is left; names what is left where that takes too long. */
  async #quiet(
    services: readonly Service[],
    {
      what,
      untilMs,
      signal,
    }: Pick<QuietWait, 'what' | 'untilMs'> & { readonly signal: AbortSignal },
  ): Promise<void> {
    const { totals, nameRunning, log } = this.#parts;
    const blocks = services.flatMap(blocksInUse);
    const cutBefore = slowCount(totals, blocks);
    const note = (left: readonly RunningRequest[]): void => {
      for (const { name } of services) this.#waits.set(name, { what, untilMs, left });
    };
    note([]);
    let nameAtMs = 0;
    let running = stillRuns(totals, blocks);
    for (; running.requests + running.tunnels > 0; running = stillRuns(totals, blocks)) {
      signal.throwIfAborted();
      if (epochMs() >= untilMs) {
        const left = await nameRunning(blocks, RUNNING_NAMED_MAX);
        throw new OperatorError(
          'hold-timeout',
          `${runningText(running, left)} did not end in time; ` +
            'the requests that waited went on as before, nothing was switched',
          { members: { ...running, left } },
        );
      }
      if (performance.now() >= nameAtMs) {
        nameAtMs = performance.now() + RUNNING_NAMED_EVERY_MS;
        background(nameRunning(blocks, RUNNING_NAMED_MAX).then(note), log, 'names of what runs');
      }
      await sleep(QUIET_POLL_MS);
    }
    signal.throwIfAborted();
    const cut = slowCount(totals, blocks) - cutBefore;
    if (cut === 0) return;
    const fields = { services: services.map(({ name }) => name), cut };
    const cutText = countText(cut, 'request was', 'requests were');
    log.warn(fields, `${cutText} cut for a hold: their clients were too slow`);
  }
}

/** Requests that were cut because their clients were too slow. */
function slowCount(totals: Totals, blocks: readonly number[]): number {
  const slot = BLOCK.failures + FAILURE_INDEX.CLIENT_TOO_SLOW;
  return blocks.reduce((all, block) => all + totals.blockSlot(block, slot), 0);
}

// The part of a switch in which new requests are held until everything that runs on the service has
// ended, so that both colors never serve at the same time.

import { countText } from '../../base/count-text.ts';
import { epochMs } from '../../base/clock.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { BLOCK } from '../../contract/counters.ts';
import type { Hold, Service } from '../../contract/table.ts';
import { PREPARE_TIMEOUT_MS, QUIET_POLL_MS } from '../base/control-limits.ts';
import type { Log } from '../base/log.ts';
import { OperatorError } from '../base/problems.ts';
import type { Totals } from '../memory/totals.ts';
import type { ChangeRunner } from './change-runner.ts';
import { silentChange } from './change.ts';
import { held } from './state-edit.ts';

interface HoldParts {
  readonly runner: Pick<ChangeRunner, 'basis' | 'publish' | 'settle' | 'settled' | 'state'>;
  readonly totals: Totals;
  readonly log: Log;
}

/**
 * Holds the requests of `service`, waits until all others have ended, and runs `publish`, which ends
 * the hold with the switch. Rejects with `hold-timeout` after `holdMs`. Where it rejects, the held
 * requests go on, and traffic stays as it was.
 */
export async function whileHeld<T>(
  parts: HoldParts,
  { service, holdMs }: { readonly service: Service; readonly holdMs: number },
  publish: () => Promise<T>,
): Promise<T> {
  const { runner, totals } = parts;
  const untilMs = epochMs() + holdMs;
  // The publication of the switch may take its time, and no held request may go on before it.
  const goOnMs = untilMs + PREPARE_TIMEOUT_MS;
  const hold: Hold = { methods: 'all', untilMs: goOnMs, closesLongLived: true };
  await runner.publish(silentChange(runner.basis(), held(hold)(runner.state(service.name))));
  try {
    await runner.settled();
    const running = [service[service.active], ...service.draining.map((one) => one.deployment)];
    const blocks = running.map(({ block }) => block);
    await quietUntil(totals, blocks, untilMs);
    return await publish();
  } catch (error) {
    await endHold(parts, service);
    throw error;
  }
}

/**
 * Ends the hold of a switch that has failed; one that an operator had begun before goes on. Never
 * rejects: the operator is told of the first failure.
 */
async function endHold({ runner, log }: HoldParts, { name, hold }: Service): Promise<void> {
  const before = hold !== undefined && hold.untilMs > epochMs() ? hold : undefined;
  try {
    await runner.publish(silentChange(runner.basis(), held(before)(runner.state(name))));
  } catch (error) {
    log.error({ err: error }, 'requests wait until the hold ends by itself');
  }
  runner.settle();
}

/**
 * Resolves when no request, stream or tunnel is left on `blocks`. Rejects with `hold-timeout` at
 * `untilMs` (since the epoch), and says what was left.
 */
async function quietUntil(
  totals: Totals,
  blocks: readonly number[],
  untilMs: number,
): Promise<void> {
  for (;;) {
    const requests = sum(totals, blocks, BLOCK.inflight);
    const tunnels = sum(totals, blocks, BLOCK.tunnels);
    if (requests === 0 && tunnels === 0) return;
    if (epochMs() >= untilMs) {
      throw new OperatorError(
        'hold-timeout',
        `${leftText(requests, tunnels)} did not end in time; ` +
          'those who waited went on to the color that was active, nothing was switched',
        { members: { requests, tunnels } },
      );
    }
    await sleep(QUIET_POLL_MS);
  }
}

function leftText(requests: number, tunnels: number): string {
  return [
    ...(requests > 0 ? [countText(requests, 'request')] : []),
    ...(tunnels > 0 ? [countText(tunnels, 'tunnel')] : []),
  ].join(' and ');
}

function sum(totals: Totals, blocks: readonly number[], slot: number): number {
  return blocks.reduce((all, block) => all + totals.blockSlot(block, slot), 0);
}

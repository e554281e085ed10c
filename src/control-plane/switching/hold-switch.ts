// Waits until nothing runs on some sides any more, while new requests wait for their turn.

import { countText } from '../../base/count-text.ts';
import { epochMs } from '../../base/clock.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { BLOCK } from '../../contract/counters.ts';
import { QUIET_POLL_MS } from '../base/control-limits.ts';
import { OperatorError } from '../base/problems.ts';
import type { Totals } from '../memory/totals.ts';

/**
 * Resolves when no request, stream or tunnel is left on `blocks`. Rejects with `hold-timeout` at
 * `untilMs` (since the epoch), and says what was left.
 */
export async function quietUntil(
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

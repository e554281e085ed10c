// Follows a rollout where there is a screen to draw on, and where there is none: then each event is told
// once, in order, and nothing in between.

import type { RolloutView } from '../../api/rollout-views.ts';
import type { Lenient } from '../client/answer.ts';
import type { ClientFlags } from '../client/client-command.ts';
import type { Terminal } from '../terminal/print.ts';
import { eventPrinter, followRollout, type Followed, type Following } from './rollout-follow.ts';
import { drawRollout } from './rollout-screen.ts';
import { rolloutText } from '../texts/rollout-text.ts';

type View = Lenient<RolloutView>;

/** Events come at once; between them a question may wait for as long as connections stay open. */
const LOG_STEP_MS = 20_000;

/** Follows a rollout; `onEvent` is told of each event where no person watches a screen. */
export async function watchAnywhere(
  terminal: Terminal,
  flags: ClientFlags,
  following: Omit<Following, 'stepMs'>,
  onEvent: (event: View['events'][number], view: View) => void,
): Promise<Followed> {
  if (terminal.isInteractive && !flags.json) {
    const followed = await drawRollout(terminal, flags, following);
    // The screen is gone: what was last seen stays.
    if (followed.kind !== 'trouble' && followed.view !== undefined) {
      terminal.out(rolloutText(terminal, followed.view));
    }
    return followed;
  }
  let told = '';
  return await followRollout(
    terminal,
    flags,
    { ...following, stepMs: LOG_STEP_MS },
    {
      onView: eventPrinter(onEvent),
      onOutage([line = '']) {
        if (!flags.json && line !== told) terminal.err(`asking again: ${line}`);
        told = line;
      },
    },
  );
}

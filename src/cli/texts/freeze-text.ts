// Freezes of operators and freeze windows, in a line each.

import type { FreezePeriodAnswer, WindowsNowAnswer } from '../../api/freeze-windows.ts';
import type { Freeze } from '../../api/switching.ts';
import { shown, type Lenient } from '../client/answer.ts';
import { inText, timeText } from '../terminal/numbers.ts';

/** Returns a freeze of the status as one line: of one service, or of all. */
export function freezeText(freeze: Lenient<Freeze>, service?: string): string {
  const what = service === undefined ? 'all switching' : `switching of ${service}`;
  const actor = shown(freeze?.actor);
  return `${what} is frozen since ${timeText(freeze?.at)} by ${actor}: ${shown(freeze?.reason)}`;
}

/** Returns the window that is in force. */
export function presentText(
  { present, freeAt }: Pick<Lenient<WindowsNowAnswer>, 'present' | 'freeAt'>,
  nowMs: number,
): string {
  const until =
    freeAt === null ? 'no end in sight' : `until ${timeText(freeAt)} (${inText(freeAt, nowMs)})`;
  return (
    `not switched ${until}, window ${shown(present?.when)}: ${shown(present?.reason)}; ` +
    'a rollback goes through, a switch needs --force and --reason'
  );
}

/** Returns the window that comes next. */
export function nextText(next: Lenient<FreezePeriodAnswer>, nowMs: number): string {
  const { when, reason, from, until } = next;
  return `next freeze ${inText(from, nowMs)}, ${timeText(from)} to ${timeText(until)}, window ${shown(when)}: ${shown(reason)}`;
}

/** Returns what is told of changes that were called off for another one; empty: none was. */
export function calledOffText({ calledOff }: { readonly calledOff?: unknown }): string {
  const names = Array.isArray(calledOff) ? calledOff.map(String) : [];
  return names.length === 0 ? '' : `; called off: ${names.join(', ')}`;
}

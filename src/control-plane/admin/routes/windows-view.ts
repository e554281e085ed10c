// What freeze windows say of a service, as JSON for people and scripts.

import { timeText } from '../../base/time-text.ts';
import type { FreezePeriodAnswer, WindowsNowAnswer } from '../../../api/freeze-windows.ts';
import type { FreezePeriod, WindowsNow } from '../../freezes/windows.ts';

/** Returns what windows say, for JSON. */
export function windowsView({ present, freeAtMs, next }: WindowsNow): WindowsNowAnswer {
  return {
    present: present === undefined ? null : periodView(present),
    freeAt: freeAtMs === undefined ? null : timeText(freeAtMs),
    next: next === undefined ? null : periodView(next),
  };
}

function periodView({ window, fromMs, untilMs }: FreezePeriod): FreezePeriodAnswer {
  const { when, reason } = window;
  return { when, reason, from: timeText(fromMs), until: timeText(untilMs) };
}

// Numbers as people read them at a glance: shares, times, rates, a line of bars.

import { spanText } from '../../base/span-text.ts';
import { visibleText } from '../../base/visible-text.ts';

/** Returns a share from 0 to 1 in percent; `-` for none. */
export function shareText(share: number | null | undefined): string {
  if (typeof share !== 'number') return '-';
  const percent = share * 100;
  if (percent === 0 || percent === 100) return `${percent}%`;
  if (percent < 0.01) return '<0.01%';
  // 99.996 % is not everything.
  return `${percent < 1 ? percent.toFixed(2) : Math.min(percent, 99.9).toFixed(1)}%`;
}

/** Returns a time that something took; `-` for none. */
export function millisecondsText(ms: number | null | undefined): string {
  if (typeof ms !== 'number') return '-';
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

/** Returns events per second; `-` for none. */
export function rateText(rate: number | undefined): string {
  if (rate === undefined) return '-';
  if (rate === 0) return '0';
  return rate < 10 ? rate.toFixed(1) : Math.round(rate).toLocaleString('en');
}

/** Returns how long ago a time of an answer was; `-` where it is none. */
export function agoText(time: unknown, nowMs: number): string {
  const ms = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  return Number.isNaN(ms) ? '-' : `${spanText(nowMs - ms)} ago`;
}

/** Returns how long it is until a time of an answer; `-` where it is none. */
export function inText(time: unknown, nowMs: number): string {
  const ms = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  if (Number.isNaN(ms)) return '-';
  return ms <= nowMs ? 'now' : `in ${spanText(ms - nowMs)}`;
}

/** Returns a time of an answer to the second, in UTC as logs have it. */
export function timeText(time: unknown): string {
  if (typeof time !== 'string' || time === '') return '-';
  return visibleText(time).replace(/\.\d+Z$/, 'Z');
}

/** Returns the latest `width` of `values` as bars, the highest one for `max`. */
export function sparkline(
  values: readonly number[],
  { bars, max, width }: { readonly bars: string; readonly max: number; readonly width: number },
): string {
  const shown = width > 0 ? values.slice(-width) : [];
  return shown
    .map((value) => {
      const share = max > 0 ? Math.min(1, Math.max(0, value / max)) : 0;
      return bars[Math.round(share * (bars.length - 1))]!;
    })
    .join('');
}

// What is wrong with the value of a flag, told before the server is asked.

import { parseDuration } from '../../base/duration.ts';

/** Returns what is wrong with a time such as `10s`, or undefined. */
export function timeProblem(flag: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const parsed = parseDuration(text);
  return parsed.ok ? undefined : `${flag}: ${parsed.problem}`;
}

/** Returns what is wrong with a whole number from 1 on, or undefined. */
export function numberProblem(flag: string, text: string | undefined): string | undefined {
  if (text === undefined || /^[1-9]\d{0,14}$/.test(text)) return undefined;
  return `${flag}: expected a number such as 12, got "${text}"`;
}

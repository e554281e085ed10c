// All that refuses a change, for a dry run: an operator wants to know everything at once, not one thing
// after the other.

import { OperatorError } from '../../base/problems.ts';

/** Returns what each of `checks` refuses, in their order. */
export function refusalsIn(checks: readonly (() => void)[]): OperatorError[] {
  return checks.flatMap((check) => {
    try {
      check();
      return [];
    } catch (error) {
      if (error instanceof OperatorError) return [error];
      throw error;
    }
  });
}

/** Throws the first of `refusals`, with all of them in its text and its members; nothing where there is none. */
export function throwAll(refusals: readonly OperatorError[]): void {
  const [first, ...rest] = refusals;
  if (first === undefined) return;
  if (rest.length === 0) throw first;
  const all = refusals.flatMap((one) => listed(one));
  const text = all.map(({ code, detail }, at) => (at === 0 ? detail : `${code}: ${detail}`));
  throw new OperatorError(first.code, text.join('; also '), {
    members: { ...first.members, refusals: all },
  });
}

interface Refusal {
  readonly code: string;
  readonly detail: string;
}

/** One that stands for several is told as these. */
function listed({ code, message, members }: OperatorError): readonly Refusal[] {
  const several = members['refusals'];
  return Array.isArray(several) ? (several as Refusal[]) : [{ code, detail: message }];
}

// What a call of the admin API can fail with, as errors to catch. Knows no call.

import type { ProblemCode } from '../api/problem-codes.ts';
import type { ProblemAnswer } from '../api/process.ts';

/** A code of this version; a later one may send others. */
export type KnownCode = ProblemCode;

/** The server refused the call, or failed; `code` says why, and scripts may match it. */
export class TurnoutProblem extends Error {
  override readonly name = 'TurnoutProblem';
  /** Status of the answer. */
  readonly status: number;
  /** Stable. The empty text: the answer came from another program, such as a proxy in between. */
  readonly code: KnownCode | (string & {});
  /** For people. */
  readonly detail: string;
  /** The whole RFC 9457 document, with members that belong to its code. */
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(status: number, problem: Partial<ProblemAnswer>) {
    const { code = '', title = '', detail = '' } = problem;
    super(`${detail || title || 'no reason was given'} (${code || `status ${status}`})`);
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.problem = problem;
  }
}

/** No answer came, or one that is none of Turnout's. */
export class TurnoutNoAnswer extends Error {
  override readonly name = 'TurnoutNoAnswer';
  /** False: nothing was sent, so nothing was done. True: what it did is not known. */
  readonly mayHaveActed: boolean;

  constructor(message: string, mayHaveActed: boolean, cause?: unknown) {
    super(message, { cause });
    this.mayHaveActed = mayHaveActed;
  }
}

// The errors that the control plane throws on purpose, and what is read out of any other.

import { PROBLEMS, type ProblemCode } from '../../api/problem-codes.ts';

/** An expected refusal or failure of an operator's request; nothing has changed. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
  readonly code: ProblemCode;
  readonly status: number;
  readonly title: string;
  /** Further members of the problem document, for scripts. */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(
    code: ProblemCode,
    detail: string,
    { members = {}, cause }: { members?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(detail, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = PROBLEMS[code].status;
    this.title = PROBLEMS[code].title;
    this.members = members;
  }
}

/** Turnout cannot start, for a reason that its operator can mend: one line, no stack. */
export class StartError extends Error {
  override readonly name: string = 'StartError';
}

/** What the configuration names cannot be used; told as faults of the configuration are. */
export class NamedFilesError extends StartError {
  override readonly name = 'NamedFilesError';
  /** One line each. */
  readonly faults: readonly string[];

  constructor(about: string, faults: readonly string[], cause: unknown) {
    super(`${about}: ${faults.join('; ')}`, { cause });
    this.faults = faults;
  }
}

/** Returns the message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Returns the `code` of a system error (`ECONNREFUSED`), or an empty string. */
export function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : '';
  return typeof code === 'string' ? code : '';
}

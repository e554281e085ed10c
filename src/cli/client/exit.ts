// What the exit codes of `turnout` mean. Scripts rely on them.

export const EXIT = {
  done: 0,
  /** Failed, rolled back, or not confirmed by the person that was asked. */
  failed: 1,
  /** The server understood and said no; nothing has changed. */
  refused: 2,
  /** Wrong usage or configuration; EX_USAGE of sysexits(3). */
  usage: 64,
  /** No server answers at the address of the admin API; EX_UNAVAILABLE of sysexits(3). */
  noServer: 69,
  /** A signal ended a wait; 128 and the number of SIGINT, as shells say it. */
  interrupted: 130,
} as const;

/** What `turnout status --check` ends with: the codes that plugins of Nagios and its kin have. */
export const CHECK_EXIT = { ok: 0, warning: 1, critical: 2, unknown: 3 } as const;

export type ExitCode =
  | (typeof EXIT)[keyof typeof EXIT]
  | (typeof CHECK_EXIT)[keyof typeof CHECK_EXIT];

/** What each code means, for the help. */
export const EXIT_MEANINGS: readonly (readonly [code: ExitCode, meaning: string])[] = [
  [EXIT.done, 'done'],
  [EXIT.failed, 'failed, rolled back, or not confirmed'],
  [EXIT.refused, 'refused by the server; nothing has changed'],
  [EXIT.usage, 'wrong usage or configuration'],
  [EXIT.noServer, 'no server at the address of the admin API'],
  [EXIT.interrupted, 'a signal ended a wait; what was done stays done'],
];

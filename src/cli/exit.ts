// What the exit codes of `turnout` mean. Scripts rely on them.

export const EXIT = {
  done: 0,
  failed: 1,
  /** The server understood and said no; nothing has changed. */
  refused: 2,
  /** Wrong usage or configuration; EX_USAGE of sysexits(3). */
  usage: 64,
  /** Nobody answers at the address of the admin API; EX_UNAVAILABLE of sysexits(3). */
  noServer: 69,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

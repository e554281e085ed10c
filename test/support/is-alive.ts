// Whether a process is there, for tests that wait for the end of one.

/** Tells whether a process with `pid` is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

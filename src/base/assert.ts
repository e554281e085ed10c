// Broken rules. An InvariantError says that the program is wrong, never that the
// world is: whoever catches one drops what it was doing and counts it.

/** Thrown when a rule of the program itself is broken. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Throws an InvariantError unless `condition` holds. */
export function assert(condition: unknown, rule: string): asserts condition {
  if (!condition) throw new InvariantError(`broken rule: ${rule}`);
}

/** Ends a `switch` over a closed union: a new member does not compile until it is handled. */
export function unreachable(value: never): never {
  throw new InvariantError(`unexpected value: ${JSON.stringify(value)}`);
}

// Broken rules. An InvariantError says that this program has a bug, never that its input or the
// network is at fault. Code that catches one gives up the work at hand and reports the error.

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

// Whether a promise is settled, for tests of what waits for what.

/** Tells whether `promise` has ended by now. */
export async function hasEnded(promise: Promise<unknown>): Promise<boolean> {
  await new Promise(setImmediate);
  const mark = Symbol('open');
  return (await Promise.race([promise, Promise.resolve(mark)])) !== mark;
}

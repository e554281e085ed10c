// The same work for several items, some at a time, up to the first result that ends it.

/**
 * Does `work` for each of `items`, at most `parallel` at a time. Resolves with the first result that is
 * not undefined, once the others, which are called off, have ended; else with undefined.
 */
export async function allOf<T, R>(
  items: readonly T[],
  { parallel, signal }: { readonly parallel: number; readonly signal: AbortSignal },
  work: (item: T, signal: AbortSignal) => Promise<R | undefined>,
): Promise<R | undefined> {
  const own = new AbortController();
  const goesOn = AbortSignal.any([signal, own.signal]);
  let found: R | undefined;
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length && !goesOn.aborted) {
      const result = await work(items[next++]!, goesOn);
      if (result === undefined) continue;
      found ??= result;
      own.abort();
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, worker));
  return found;
}

// Work that may be called off: its caller goes on at once, whatever the work still does.

/** Settles as `work` does; rejects with the reason of `signal` as soon as that is aborted. */
export async function unlessCalledOff<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return await work;
  const calledOff = Promise.withResolvers<never>();
  const onAbort = (): void => calledOff.reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  work.catch(() => {}); // Once it was called off, its end concerns nothing any more.
  try {
    return await Promise.race([work, calledOff.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

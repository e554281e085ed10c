// Counters read after responses. A worker counts an exchange just after it has written the last
// bytes, so the client may have the whole response before it is counted: a test asks until it is.

import type { AdminClient } from './admin-client.ts';
import { PATIENCE_MS } from './patience.ts';

const RUNNING = /^turnout_inflight_requests(?:\{.*\})? (\d+)$/gm;

/** Asks `/metrics` until `isTrue` of the text, and returns that text; throws with the last one. */
export async function metricsUntil(
  admin: AdminClient,
  isTrue: (text: string) => boolean,
): Promise<string> {
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const { text } = await admin.get('/metrics');
    if (isTrue(text)) return text;
    if (performance.now() > endMs) throw new Error(`expected other metrics than\n${text}`);
  }
}

/** Returns `/metrics` with every response counted that had come before the call. */
export async function settledMetrics(admin: AdminClient): Promise<string> {
  await metricsUntil(admin, (text) =>
    [...text.matchAll(RUNNING)].every(([, count]) => Number(count) === 0),
  );
  // A text is made while workers go on counting. When nothing runs, the next one has all of it.
  return (await admin.get('/metrics')).text;
}

// A directory for one run: configurations, sockets, request files. Gone afterwards.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Makes a directory that is removed when this process ends, and returns its path. */
export function workspace(): string {
  const dir = mkdtempSync(join(tmpdir(), 'turnout-bench-'));
  // nginx started by root reads its files as another user.
  chmodSync(dir, 0o755);
  process.once('exit', () => {
    if (process.env['TURNOUT_BENCH_KEEP'] === undefined) {
      rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    }
  });
  return dir;
}

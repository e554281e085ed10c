// Follows the file of the configuration: reads it again when it has changed, and once more where it
// was refused for a reason that passes. Whether a file is followed at all is a setting, which a
// reload may change.

import { CONFIG_RETRY_MS } from '../base/control-limits.ts';
import { OperatorError } from '../base/problems.ts';
import type { ProblemCode } from '../../api/problem-codes.ts';
import { ConfigWatch } from './config-watch.ts';

interface FollowerParts {
  /** Empty: there is none. */
  readonly file: string;
  readonly isWanted: () => boolean;
  /** Rejects as a reload does. */
  readonly reload: (reason: string) => Promise<unknown>;
}

/** Refusals that end by themselves: of a drain, a target that is not up yet, another change. */
const PASSING: ReadonlySet<ProblemCode> = new Set([
  ...(['address-in-use', 'target-unhealthy', 'switching-frozen', 'busy', 'upgrading'] as const),
  ...(['workers-not-ready', 'store-failed', 'listener-unavailable', 'no-slot'] as const),
  // The file may come a moment after the one that names it.
  ...(['certificate-invalid'] as const),
]);

export class FileFollower {
  readonly #parts: FollowerParts;
  readonly #watch: ConfigWatch;
  #retry: NodeJS.Timeout | undefined;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
    this.#watch = new ConfigWatch(parts.file, () => void this.follow());
  }

  start(): void {
    if (this.#parts.file !== '') this.#watch.start();
  }

  stop(): void {
    this.#watch.stop();
    clearTimeout(this.#retry);
  }

  /** Reads the file if that is wanted; never rejects. */
  async follow(): Promise<void> {
    const { file, isWanted, reload } = this.#parts;
    clearTimeout(this.#retry);
    if (!isWanted()) return;
    try {
      await reload(`${file} has changed`);
    } catch (error) {
      // The reload has told and written down what was wrong.
      if (!(error instanceof OperatorError) || !PASSING.has(error.code)) return;
      this.#retry = setTimeout(() => void this.follow(), CONFIG_RETRY_MS).unref();
    }
  }
}

// Sees when the file of the configuration has become another one: written over, replaced by rename,
// or a link on its path that leads elsewhere (so Kubernetes exchanges a ConfigMap). It asks instead
// of being told: that works on every file system, through every link, and costs one look a second.

import { CONFIG_LOOK_EVERY_MS } from '../base/control-limits.ts';
import { fileIdentity } from '../base/file-identity.ts';

export class ConfigWatch {
  readonly #path: string;
  readonly #onChange: () => void;
  /** What was seen last; '' where there was no file. */
  #seen = '';
  /** Has been told of. */
  #told = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string, onChange: () => void) {
    this.#path = path;
    this.#onChange = onChange;
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), CONFIG_LOOK_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /**
   * Looks once; it never rejects. What it sees first is told too: the file may have changed since the
   * start has read it.
   */
  async look(): Promise<void> {
    const now = await fileIdentity(this.#path);
    const before = this.#seen;
    this.#seen = now;
    // Two looks alike: it is written to its end. A file that is gone says nothing.
    if (now !== before || now === this.#told || now === '') return;
    this.#told = now;
    this.#onChange();
  }
}

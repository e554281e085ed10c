// Tells systemd how it stands (sd_notify(3)): ready, reloading, stopping, which process is in charge,
// and what is active. Its socket speaks datagrams, which Node has not got for Unix sockets, so
// systemd-notify(1) says it: one word after the other, and nothing of the daemon waits for them.

import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

type Environment = Readonly<Record<string, string | undefined>>;

/** systemd-notify waits until systemd has read the word; it does so in some milliseconds. */
const LAST_WORD_MS = 1_000;
/** systemctl shows one line. */
const STATUS_CHARS_MAX = 200;

export class ServiceManager {
  readonly #environment: Environment;
  #last = Promise.resolve();
  /** The status that waits for the words before it; only the newest is worth saying. */
  #status: string | undefined;
  #isStopping = false;
  /** Hears why a word could not be said. */
  onTrouble: (why: string) => void = () => {};

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** It serves; after an upgrade `pid` is the process to watch, not the one that was started. */
  ready(pid: number, status: string): void {
    this.#say(() => ['READY=1', `MAINPID=${pid}`, statusLine(status)]);
  }

  /** It reads its configuration again; `ready` ends that, whatever became of it. */
  reloading(): void {
    // CLOCK_MONOTONIC in microseconds, by which systemd tells this reload from an earlier one.
    const nowUs = process.hrtime.bigint() / 1_000n;
    this.#say(() => ['RELOADING=1', `MONOTONIC_USEC=${nowUs}`, 'STATUS=Reads its configuration']);
  }

  /** What `systemctl status` shows. */
  status(text: string): void {
    if (this.#isStopping) return;
    const isWaiting = this.#status !== undefined;
    this.#status = text;
    if (isWaiting) return;
    this.#say(() => {
      const line = statusLine(this.#status ?? '');
      this.#status = undefined;
      return [line];
    });
  }

  /** The last word: what is asked to be said later is not. */
  stopping(status: string): void {
    this.#say(() => ['STOPPING=1', statusLine(status)]);
    this.#isStopping = true;
  }

  /** Resolves when all has been said, or after a moment: systemd may be stuck. */
  async settle(): Promise<void> {
    const said = new AbortController();
    const { signal } = said;
    await Promise.race([
      this.#last.then(() => said.abort()),
      sleep(LAST_WORD_MS, undefined, { signal }).catch(() => {}), // All has been said.
    ]);
  }

  #say(words: () => readonly string[]): void {
    if ((this.#environment['NOTIFY_SOCKET'] ?? '') === '' || this.#isStopping) return;
    this.#last = this.#last.then(async () => this.#notify(words()));
  }

  async #notify(words: readonly string[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const child = spawn('systemd-notify', [...words], {
      stdio: 'ignore',
      env: this.#environment,
    });
    child.once('error', (error) => {
      this.onTrouble(`systemd-notify: ${error.message}`);
      resolve();
    });
    child.once('exit', (code) => {
      if (code !== 0) this.onTrouble(`systemd-notify ended with exit code ${code}`);
      resolve();
    });
    child.unref();
    await promise;
  }
}

/** A line break would begin another word. */
function statusLine(text: string): string {
  return `STATUS=${text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, STATUS_CHARS_MAX)}`;
}

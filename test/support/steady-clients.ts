// Clients that keep asking through a proxy until it is ended or they are told to stop.

/** Clients that ask side by side. */
const CLIENTS = 3;

/** Clients of one proxy; each asks again as soon as it was answered. */
export class SteadyClients {
  readonly #url: string;
  readonly failures: string[] = [];
  count = 0;
  #isOn = false;
  #clients: readonly Promise<void>[] = [];

  /** `proxy`: `host:port`. */
  constructor(proxy: string) {
    this.#url = `http://${proxy}/`;
  }

  start(): void {
    this.#isOn = true;
    this.#clients = Array.from({ length: CLIENTS }, async () => this.#ask());
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#clients);
  }

  async #ask(): Promise<void> {
    while (this.#isOn) {
      try {
        const response = await fetch(this.#url);
        await response.text();
        this.count++;
        if (response.status !== 200) this.failures.push(String(response.status));
      } catch (error) {
        this.failures.push(String(error));
        return; // The process ends: the failures have been looked at before.
      }
    }
  }
}

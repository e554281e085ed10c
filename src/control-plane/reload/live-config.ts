// The configuration that is in force. A reload replaces it whole.

import type { Config, ServiceConfig } from '../../config/config.ts';
import type { Said } from '../../config/build.ts';

export interface Configured {
  readonly config: Config;
  /** Undefined: it was not read, so it cannot be read again. */
  readonly said: Said | undefined;
}

export class LiveConfig {
  #current: Configured;
  /** About to come into force: its services are prepared already. */
  #next: Config | undefined;

  constructor(first: Configured) {
    this.#current = first;
  }

  get config(): Config {
    return this.#current.config;
  }

  get said(): Said | undefined {
    return this.#current.said;
  }

  /** Returns a service as it is configured now, or will be in a moment. */
  service(name: string): ServiceConfig | undefined {
    return find(this.config, name) ?? (this.#next && find(this.#next, name));
  }

  prepare(next: Config | undefined): void {
    this.#next = next;
  }

  use(next: Configured): void {
    this.#current = next;
    this.#next = undefined;
  }
}

function find({ services }: Config, name: string): ServiceConfig | undefined {
  return services.find((service) => service.name === name);
}

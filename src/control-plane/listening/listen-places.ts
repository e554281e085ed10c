// Where the workers listen: as configured, and with the port that was found where any would do.
// Settings may change while they run; what stays then keeps its port.

import { rmSync } from 'node:fs';
import type { DataPlaneSettings, ListenAddress } from '../../contract/worker-settings.ts';
import type { RoutingTable } from '../../contract/table.ts';
import { claimAddress } from './claim-address.ts';
import { messageOf, OperatorError } from '../base/problems.ts';

export class ListenPlaces {
  /** As configured. */
  #settings: DataPlaneSettings;
  /** Come into force with a table that is being prepared. */
  #next: { readonly version: number; readonly settings: DataPlaneSettings } | undefined;
  /** 0: not known yet, or none. */
  #port = 0;
  #previewPort = 0;

  constructor(settings: DataPlaneSettings) {
    this.#settings = settings;
  }

  /** The settings in force, with the ports that were found. */
  get settings(): DataPlaneSettings {
    const { listen, previewListen } = this.#settings;
    return {
      ...this.#settings,
      listen: this.#port === 0 ? listen : this.address,
      previewListen: this.#previewPort === 0 ? previewListen : this.previewAddress,
    };
  }

  /** Where traffic comes in; the port is the real one when 0 was asked for. */
  get address(): ListenAddress {
    return withPort(this.#settings.listen, this.#port);
  }

  /** Where all requests go to the idle color; undefined: nowhere. */
  get previewAddress(): ListenAddress | undefined {
    const { previewListen } = this.#settings;
    return previewListen && withPort(previewListen, this.#previewPort);
  }

  found(port: number, previewPort: number): void {
    this.#port = port;
    this.#previewPort = previewPort;
  }

  /**
   * Returns `table` as workers are to prepare it: listeners that stay have the ports they have. Throws
   * `listener-unavailable` where one that comes is taken: workers would share it with a stranger.
   */
  async prepare(table: RoutingTable): Promise<RoutingTable> {
    const { settings } = table;
    if (settings === undefined) return table;
    const { listen, previewListen } = settings;
    const keepsMain = isSame(listen, this.#settings.listen);
    const keepsPreview = isSame(previewListen, this.#settings.previewListen);
    const fresh = [keepsMain ? undefined : listen, keepsPreview ? undefined : previewListen];
    if (fresh.some((one) => one?.kind === 'tcp' && one.port === 0)) {
      throw new OperatorError(
        'listener-unavailable',
        'a listener that is added needs a port, got 0',
      );
    }
    try {
      for (const one of fresh) if (one !== undefined) await claimAddress(one);
    } catch (error) {
      throw new OperatorError('listener-unavailable', messageOf(error), { cause: error });
    }
    this.#next = { version: table.version, settings };
    const now = this.settings;
    const places = {
      listen: keepsMain ? now.listen : listen,
      previewListen: keepsPreview ? now.previewListen : previewListen,
    };
    return { ...table, settings: { ...settings, ...places } };
  }

  /** The table of `version` is in force. */
  adopt(version: number): void {
    if (this.#next?.version !== version) return;
    const { settings } = this.#next;
    this.#removeFiles(settings);
    if (!isSame(settings.listen, this.#settings.listen)) this.#port = portOf(settings.listen);
    if (!isSame(settings.previewListen, this.#settings.previewListen)) {
      this.#previewPort = portOf(settings.previewListen);
    }
    this.#settings = settings;
    this.#next = undefined;
  }

  /** A socket that is listened on no more leaves its file behind. */
  #removeFiles(next: DataPlaneSettings): void {
    const after = [next.listen, next.previewListen];
    for (const old of [this.#settings.listen, this.#settings.previewListen]) {
      if (old?.kind !== 'unix' || after.some((one) => isSame(one, old))) continue;
      rmSync(old.path, { force: true });
    }
  }
}

function isSame(a: ListenAddress | undefined, b: ListenAddress | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function withPort(address: ListenAddress, port: number): ListenAddress {
  return address.kind === 'tcp' ? { ...address, port } : address;
}

function portOf(address: ListenAddress | undefined): number {
  return address?.kind === 'tcp' ? address.port : 0;
}

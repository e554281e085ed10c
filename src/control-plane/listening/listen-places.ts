// Where the workers listen: as configured, and with the port that was found where any would do.
// Settings may change while they run; what stays then keeps its port.

import { rmSync } from 'node:fs';
import {
  addressOfListener,
  keyOfListener,
  listenersThatStay,
  type DataPlaneSettings,
  type Listener,
} from '../../contract/worker-settings.ts';
import type { OpenListener } from '../../contract/messages.ts';
import type { RoutingTable } from '../../contract/table.ts';
import { claimAddress } from './claim-address.ts';
import { messageOf, OperatorError } from '../base/problems.ts';

export class ListenPlaces {
  /** In force, with the ports that were found. */
  #settings: DataPlaneSettings;
  /** Come into force with a table that is being prepared. */
  #next: { readonly version: number; readonly settings: DataPlaneSettings } | undefined;

  constructor(settings: DataPlaneSettings) {
    this.#settings = settings;
  }

  /** The settings in force, with the ports that were found. */
  get settings(): DataPlaneSettings {
    return this.#settings;
  }

  /** A worker has these open. */
  found(opened: readonly OpenListener[]): void {
    const listeners = this.#settings.listeners.map((listener): Listener => {
      if (listener.address.kind === 'unix' || listener.address.port !== 0) return listener;
      const key = keyOfListener(listener);
      const port = opened.find((one) => one.listener === key)?.port ?? 0;
      return port === 0 ? listener : { ...listener, foundPort: port };
    });
    this.#settings = { ...this.#settings, listeners };
  }

  /**
   * Returns `table` as workers are to prepare it: listeners that stay have the ports they have. Throws
   * `listener-unavailable` where one that comes is taken: workers would share it with a stranger.
   */
  async prepare(table: RoutingTable): Promise<RoutingTable> {
    if (table.settings === undefined) return table;
    const stay = listenersThatStay(this.#settings.listeners, table.settings.listeners);
    const before = new Map([...stay].map(([old, next]) => [next, old]));
    for (const listener of table.settings.listeners) {
      if (!before.has(listener)) await claimFresh(listener);
    }
    const listeners = table.settings.listeners.map((listener): Listener => {
      const foundPort = before.get(listener)?.foundPort;
      return foundPort === undefined ? listener : { ...listener, foundPort };
    });
    const settings = { ...table.settings, listeners };
    this.#next = { version: table.version, settings };
    return { ...table, settings };
  }

  /** The table of `version` is in force. */
  adopt(version: number): void {
    if (this.#next?.version !== version) return;
    const { settings } = this.#next;
    this.#removeFiles(settings);
    this.#settings = settings;
    this.#next = undefined;
  }

  /** A socket that is listened on no more leaves its file behind. */
  #removeFiles({ listeners }: DataPlaneSettings): void {
    const stay = listenersThatStay(this.#settings.listeners, listeners);
    for (const listener of this.#settings.listeners) {
      const { address } = listener;
      if (address.kind === 'unix' && !stay.has(listener)) rmSync(address.path, { force: true });
    }
  }
}

async function claimFresh(listener: Listener): Promise<void> {
  const address = addressOfListener(listener);
  if (address.kind === 'tcp' && address.port === 0) {
    throw new OperatorError('listener-unavailable', 'a listener that is added needs a port, got 0');
  }
  try {
    await claimAddress(address);
  } catch (error) {
    throw new OperatorError('listener-unavailable', messageOf(error), { cause: error });
  }
}

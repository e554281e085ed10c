// The owner of a byte stream, for tests: writes down what it hears, and throws where it is told to.

import type { ConnectingOwner } from '../../../../src/data-plane/transport/byte-stream.ts';
import { becomes } from '../../../support/shared-counters.ts';

/** What a stream calls of its owner; `onFault` apart. */
export const OWNER_CALLS = [
  'nextBuffer',
  'onConnect',
  'onData',
  'onEnd',
  'onClosed',
  'onRoom',
  'onSilence',
] as const satisfies readonly (keyof ConnectingOwner)[];

export type OwnerCall = (typeof OWNER_CALLS)[number];

export class RecordingOwner implements ConnectingOwner {
  /** Every call so far, `nextBuffer` apart. */
  readonly calls: string[] = [];
  readonly faults: unknown[] = [];
  /** What was read, one character for one byte. */
  text = '';
  /** The next call of this name throws. */
  throwIn: OwnerCall | undefined;
  /** `onFault` throws as well. */
  isFaultBroken = false;
  /** Stop reading with the next bytes. */
  isFull = false;
  readonly #buffer = Buffer.alloc(65_536);

  nextBuffer(): Buffer {
    this.#mayThrow('nextBuffer');
    return this.#buffer;
  }

  onConnect(): void {
    this.#heard('onConnect');
  }

  onData(bytes: Buffer, length: number): boolean {
    this.text += bytes.toString('latin1', 0, length);
    this.#heard('onData');
    return !this.isFull;
  }

  onEnd(): void {
    this.#heard('onEnd');
  }

  onClosed(hadError: boolean): void {
    this.#heard('onClosed', hadError ? 'onClosed by an error' : 'onClosed');
  }

  onRoom(): void {
    this.#heard('onRoom');
  }

  onSilence(): void {
    this.#heard('onSilence');
  }

  onFault(error: unknown): void {
    this.faults.push(error);
    if (this.isFaultBroken) throw new Error('onFault is broken as well');
  }

  has(call: string): boolean {
    return this.calls.includes(call);
  }

  /** Resolves with whether it has heard `call`, now or in time. */
  hears(call: string): Promise<boolean> {
    return becomes(() => this.has(call));
  }

  #heard(call: OwnerCall, text: string = call): void {
    this.calls.push(text);
    this.#mayThrow(call);
  }

  #mayThrow(call: OwnerCall): void {
    if (this.throwIn !== call) return;
    this.throwIn = undefined;
    throw new Error(`thrown in ${call}`);
  }
}

// Messages of random sizes that both ends of a WebSocket make from one seed, so that a lost, a
// repeated or a damaged one shows. Some are sent in fragments, with a ping between two of them.

import { WebSocket } from 'ws';
import { Random } from './random.ts';

export const MESSAGE_BYTES_MAX = 100 * 1_024;
const FRAGMENTS_MAX = 5;
/** A sender that has this much waiting sends no more. */
const BUFFERED_BYTES_MAX = 1_048_576;

/** All messages are cut out of this: half of it is noise, half of it can be compressed. */
const PATTERN = pattern(2 * MESSAGE_BYTES_MAX);

/** The messages of one direction of one connection. */
export class Messages {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** Returns the next one: small ones are as likely as large ones, from 1 byte on. */
  next(): Buffer {
    const size = Math.floor(MESSAGE_BYTES_MAX ** this.#random.fraction());
    const at = this.#random.below(PATTERN.length - size);
    return PATTERN.subarray(at, at + size);
  }
}

/** Seeds of the two directions of a connection. */
export function seedsOf(seed: number): { readonly fromServer: number; readonly toServer: number } {
  return { fromServer: 2 * seed, toServer: 2 * seed + 1 };
}

/** Sends the next message, unless the peer is slow or gone. Returns whether it did. */
export function sendNext(socket: WebSocket, messages: Messages, random: Random): boolean {
  if (socket.readyState !== WebSocket.OPEN) return false;
  if (socket.bufferedAmount > BUFFERED_BYTES_MAX) return false;
  let rest = messages.next();
  const cuts = random.below(3) === 0 ? random.below(FRAGMENTS_MAX) : 0;
  for (let i = 0; i < cuts; i++) {
    const size = random.below(rest.length + 1);
    socket.send(rest.subarray(0, size), { binary: true, fin: false });
    rest = rest.subarray(size);
    if (random.below(2) === 0) socket.ping();
  }
  socket.send(rest, { binary: true, fin: true });
  return true;
}

function pattern(size: number): Buffer {
  const random = new Random(1);
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) {
    bytes[i] = (i >> 8) % 2 === 0 ? random.below(256) : 97 + random.below(2);
  }
  return bytes;
}

/** Calls `send` so often that it returns true `perSecond` times a second; evenly. */
export class Flow {
  readonly #send: () => boolean;
  #timer: NodeJS.Timeout | undefined;

  constructor(send: () => boolean) {
    this.#send = send;
  }

  set(perSecond: number): void {
    clearInterval(this.#timer);
    if (perSecond === 0) return;
    let lastMs = performance.now();
    let due = 0;
    this.#timer = setInterval(() => {
      const nowMs = performance.now();
      // After a pause of the machine, missed messages must not all come at once.
      due = Math.min(due + ((nowMs - lastMs) * perSecond) / 1_000, FLOW_BURST_MAX);
      lastMs = nowMs;
      for (; due >= 1; due--) this.#send();
    }, FLOW_STEP_MS);
  }
}

const FLOW_STEP_MS = 10;
const FLOW_BURST_MAX = 50;

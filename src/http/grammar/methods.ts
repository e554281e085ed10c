// Request methods and what may be done with them (RFC 9110 §9): the registered ones, and those that a
// setting adds.

import { IDEMPOTENT_METHODS, OTHER_METHODS, SAFE_METHODS } from '../../base/method-names.ts';
import { text } from './text.ts';

export interface Method {
  readonly name: string;
  /** The client asks for no change (RFC 9110 §9.2.1). */
  readonly isSafe: boolean;
  /** Doing it twice is the same as doing it once (RFC 9110 §9.2.2). */
  readonly isIdempotent: boolean;
}

const REGISTERED: ReadonlyMap<string, Method> = new Map([
  ...SAFE_METHODS.map((name) => entry({ name, isSafe: true, isIdempotent: true })),
  ...IDEMPOTENT_METHODS.map((name) => entry({ name, isSafe: false, isIdempotent: true })),
  ...OTHER_METHODS.map((name) => entry({ name, isSafe: false, isIdempotent: false })),
]);

const GET = REGISTERED.get('GET')!;
const POST = REGISTERED.get('POST')!;

/** The methods that pass: the registered ones and `further`, of which nothing may be assumed. */
export class Methods {
  readonly #known: ReadonlyMap<string, Method>;

  constructor(further: readonly string[]) {
    this.#known =
      further.length === 0
        ? REGISTERED
        : new Map([
            ...further.map((name) => entry({ name, isSafe: false, isIdempotent: false })),
            ...REGISTERED, // What is registered means the same everywhere.
          ]);
  }

  /**
   * Returns the method in `bytes[start, end)`, or undefined when it is none that passes. CONNECT is
   * left out on purpose: a reverse proxy opens no tunnel to an address that the client chooses.
   */
  of(bytes: Buffer, start: number, end: number): Method | undefined {
    const length = end - start;
    if (
      length === 3 &&
      bytes[start] === 0x47 &&
      bytes[start + 1] === 0x45 &&
      bytes[start + 2] === 0x54
    ) {
      return GET;
    }
    if (
      length === 4 &&
      bytes[start] === 0x50 &&
      bytes[start + 1] === 0x4f &&
      bytes[start + 2] === 0x53
    ) {
      if (bytes[start + 3] === 0x54) return POST;
    }
    return this.#known.get(text(bytes, start, end));
  }
}

export const USUAL_METHODS = new Methods([]);

function entry(method: Method): [string, Method] {
  return [method.name, method];
}

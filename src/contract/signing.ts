// Signatures of what clients bring back: session cookies and preview tokens. Two keys are
// accepted, so that a new one can come into use without a token being lost.

import { timingSafeEqual } from 'node:crypto';
import { HmacKey } from './hmac.ts';

/** Raw keys as they cross threads; each of KEY_BYTES. */
export interface SigningKeys {
  readonly signing: Uint8Array;
  /** Every key whose signatures are believed, the signing one among them. */
  readonly accepted: readonly Uint8Array[];
  /** Signs preview tokens, and is never replaced: a link lasts until it is revoked. */
  readonly previews: Uint8Array;
}

export const KEY_BYTES = 32;

/** Characters of a signature: 132 of the 256 bits of HMAC-SHA256 (RFC 2104 §5), base64url. */
export const SIGNATURE_CHARS = 22;

/** Returns what signs and checks preview tokens. */
export function previewSigner({ previews }: Pick<SigningKeys, 'previews'>): Signer {
  return new Signer({ signing: previews, accepted: [previews] });
}

/** Signs and checks texts. */
export class Signer {
  readonly #signing: HmacKey;
  readonly #accepted: readonly HmacKey[];

  constructor(keys: Pick<SigningKeys, 'signing' | 'accepted'>) {
    this.#signing = new HmacKey(keys.signing);
    this.#accepted = keys.accepted.map((key) => new HmacKey(key));
  }

  /** Returns the signature of `text`, which has one byte per character. Cost: about 1 µs. */
  sign(text: string): string {
    return signature(text, this.#signing);
  }

  /** Tells whether one of the accepted keys made `claimed`; takes as long for any of them. */
  isSigned(text: string, claimed: string): boolean {
    if (claimed.length !== SIGNATURE_CHARS) return false;
    const bytes = Buffer.from(claimed, 'latin1');
    let isSigned = false;
    for (const key of this.#accepted) {
      const expected = Buffer.from(signature(text, key), 'latin1');
      if (timingSafeEqual(expected, bytes)) isSigned = true;
    }
    return isSigned;
  }
}

function signature(text: string, key: HmacKey): string {
  return key.sign(text).slice(0, SIGNATURE_CHARS);
}

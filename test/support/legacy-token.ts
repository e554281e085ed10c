// Session tokens as versions before deployments made them: GENERATION.ID.ISSUED.SEEN.SIGNATURE.

import type { Signer } from '../../src/contract/signing.ts';

/** Returns such a token. */
export function legacyToken(
  signer: Signer,
  service: string,
  session: {
    readonly generation: number;
    readonly id: string;
    readonly issuedS: number;
    readonly seenS: number;
  },
): string {
  const { generation, id, issuedS, seenS } = session;
  const claim = `${generation.toString(36)}.${id}.${issuedS.toString(36)}.${seenS.toString(36)}`;
  return `${claim}.${signer.sign(`session\n${service}\n${claim}`)}`;
}

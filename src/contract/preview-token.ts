// The token that opens the idle color before a switch. It names one release on one color: once
// another release is registered there, or its own time is over, it opens nothing.
//
//   COLOR.EXPIRES.SIGNATURE     EXPIRES: seconds since the epoch, base 36

import type { Signer } from './signing.ts';
import type { Color } from './table.ts';

/** Request field that carries a token. */
export const PREVIEW_FIELD = 'x-turnout-preview';

const TOKEN_CHARS_MAX = 64;

/** What a token opens. */
export interface PreviewScope {
  readonly service: string;
  readonly color: Color;
  readonly release: string;
}

/** Returns a token for `scope` that is good until `expiresS`, in seconds since the epoch. */
export function previewToken(signer: Signer, scope: PreviewScope, expiresS: number): string {
  const claim = `${scope.color}.${expiresS.toString(36)}`;
  return `${claim}.${signer.sign(signed(scope, claim))}`;
}

/** Tells whether `token` opens `scope` at `nowS`. Never throws, whatever the text is. */
export function opensPreview(
  signer: Signer,
  token: string,
  scope: PreviewScope,
  nowS: number,
): boolean {
  if (token.length > TOKEN_CHARS_MAX) return false;
  const [color, expires = '', signature = '', ...more] = token.split('.');
  if (color !== scope.color || more.length > 0) return false;
  const expiresS = Number.parseInt(expires, 36);
  // Written back, so that there is one spelling of each token.
  if (expiresS.toString(36) !== expires || expiresS <= nowS) return false;
  return signer.isSigned(signed(scope, `${color}.${expires}`), signature);
}

function signed({ service, release }: PreviewScope, claim: string): string {
  return `preview\n${service}\n${release}\n${claim}`;
}

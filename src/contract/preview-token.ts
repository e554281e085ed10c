// The token that opens one deployment before it gets traffic, or after. Links that hold it can be
// revoked: each deployment counts its series, and a token opens its own series alone.
//
//   DEPLOYMENT.EXPIRES.SIGNATURE     numbers in base 36; EXPIRES: seconds since the epoch, 0: never

import type { Signer } from './signing.ts';

/** Request field that carries a token. */
export const PREVIEW_FIELD = 'x-turnout-preview';

const TOKEN_CHARS_MAX = 64;

/** What a token opens. */
export interface PreviewScope {
  readonly service: string;
  readonly deployment: number;
  readonly previewSeries: number;
}

/** Returns a token for `scope` that is good until `expiresS`, in seconds since the epoch; 0: always. */
export function previewToken(signer: Signer, scope: PreviewScope, expiresS: number): string {
  const claim = `${scope.deployment.toString(36)}.${expiresS.toString(36)}`;
  return `${claim}.${signer.sign(signed(scope, claim))}`;
}

/**
 * Returns the number of the deployment that `token` claims to open at `nowS`; undefined: it is none,
 * or its time is over. Nothing is proven yet. Never throws, whatever the text is.
 */
export function claimedDeployment(token: string, nowS: number): number | undefined {
  if (token.length > TOKEN_CHARS_MAX) return undefined;
  const [number = '', expires = '', , ...more] = token.split('.');
  const [deployment, expiresS] = [Number.parseInt(number, 36), Number.parseInt(expires, 36)];
  // Written back, so that there is one spelling of each token.
  const isOneSpelling = deployment.toString(36) === number && expiresS.toString(36) === expires;
  if (!isOneSpelling || more.length > 0) return undefined;
  return expiresS === 0 || expiresS > nowS ? deployment : undefined;
}

/** Tells whether `token`, which claims to open the deployment of `scope`, does. */
export function opensPreview(signer: Signer, token: string, scope: PreviewScope): boolean {
  const end = token.lastIndexOf('.');
  const claim = token.slice(0, end);
  if (!claim.startsWith(`${scope.deployment.toString(36)}.`)) return false;
  return signer.isSigned(signed(scope, claim), token.slice(end + 1));
}

function signed({ service, previewSeries }: PreviewScope, claim: string): string {
  return `preview\n${service}\n${previewSeries}\n${claim}`;
}

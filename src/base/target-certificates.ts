// What went wrong between us and a target over TLS, in words: whole ones for an operator, and less for
// a client, who learns nothing of what is inside.

import { alternativeNames } from './alternative-names.ts';

export interface TlsFault {
  /** For logs, health and status. */
  readonly reason: string;
  /** For the body of a response. */
  readonly detail: string;
  /** The target refuses us by our certificate, or for want of one: it takes nothing of what we send. */
  readonly isRefusal: boolean;
  /** The target speaks TLS; else that is not known. */
  readonly isSpoken: boolean;
}

/** The certificate of the target. */
const BAD_CERTIFICATE = 'no connection to the target: its certificate is not accepted';
/** Our certificate. */
const NOT_LET_IN = 'no connection to the target: it does not accept the certificate of Turnout';
const NO_TLS = 'no connection to the target: TLS did not come about';

const UNKNOWN_AUTHORITY =
  'its certificate is signed by an authority that is not known: name it in upstreamTls.ca';

/** By the code of an error; OpenSSL gives those of certificates. */
const BAD_CERTIFICATES: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired: renew it at the target',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: compare the clocks',
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'its certificate is signed by itself: name it, or an authority, in upstreamTls.ca',
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: `${UNKNOWN_AUTHORITY}, or let the target send its whole chain`,
  INVALID_PURPOSE: 'its certificate is not one for servers',
  CERT_REVOKED: 'its certificate is revoked',
  CERT_CHAIN_TOO_LONG: 'the chain of its certificate is too long',
  CA_MD_TOO_WEAK: 'its certificate is signed with a hash that is too weak',
  EE_KEY_TOO_SMALL: 'the key of its certificate is too small',
  CA_KEY_TOO_SMALL: 'the key of its authority is too small',
  INVALID_CA: 'its authority may not sign certificates',
  CERT_SIGNATURE_FAILURE: 'the signature of its certificate is wrong',
  ERR_SSL_CERTIFICATE_VERIFY_FAILED: 'its certificate is not accepted',
};

const NOT_LET_IN_TEXT = 'it does not accept the certificate of Turnout: see upstreamTls.cert';

/** Alerts of the target that are about our certificate (RFC 8446 §6.2). */
const ALERTS: readonly (readonly [pattern: RegExp, reason: string, detail: string])[] = [
  [
    /ALERT_CERTIFICATE_REQUIRED/,
    'it wants a certificate of Turnout: set upstreamTls.cert and upstreamTls.key',
    NOT_LET_IN,
  ],
  [/ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE)/, NOT_LET_IN_TEXT, NOT_LET_IN],
  [/ALERT_CERTIFICATE_(?:EXPIRED|REVOKED|UNKNOWN)/, NOT_LET_IN_TEXT, NOT_LET_IN],
  [/ALERT_ACCESS_DENIED/, NOT_LET_IN_TEXT, NOT_LET_IN],
  [
    /ALERT_HANDSHAKE_FAILURE/,
    'it refused the handshake: it may want a certificate of Turnout (upstreamTls.cert), or other ciphers',
    NO_TLS,
  ],
  [
    /ALERT_UNRECOGNIZED_NAME|UNRECOGNIZED_NAME/,
    'it has no certificate for this name: see upstreamTls.serverName',
    NO_TLS,
  ],
  [/NO_APPLICATION_PROTOCOL/, 'it does not speak HTTP/1.1 over TLS', NO_TLS],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNEXPECTED_MESSAGE|RECORD_LAYER_FAILURE/,
    'it speaks no TLS: name it with http://',
    NO_TLS,
  ],
  [/UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION/, 'it speaks no TLS of version 1.2 or later', NO_TLS],
];

/** Returns what the error of a connection says about TLS; undefined: nothing. */
export function tlsFaultOf(error: unknown): TlsFault | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return faultOf(otherName(error), BAD_CERTIFICATE);
  const text = BAD_CERTIFICATES[code];
  if (text !== undefined) return faultOf(`${text} (${code})`, BAD_CERTIFICATE);
  const isWritten = code === 'EPROTO';
  if (!isWritten && !code.startsWith('ERR_SSL_')) return undefined;
  // An error of a write has its reason in its text alone.
  const reasons = isWritten ? error.message.toUpperCase().replaceAll(' ', '_') : code;
  for (const [pattern, reason, detail] of ALERTS) {
    if (pattern.test(reasons)) return faultOf(`${reason} (${code})`, detail);
  }
  return faultOf(`TLS did not come about (${code})`, NO_TLS);
}

function faultOf(reason: string, detail: string): TlsFault {
  return { reason, detail, isRefusal: detail === NOT_LET_IN, isSpoken: detail !== NO_TLS };
}

/** A certificate may have hundreds of names. */
const NAMES_TOLD_MAX = 3;

/** As `tls.checkServerIdentity` makes it. */
interface OtherNameError extends Error {
  readonly host?: string;
  readonly cert?: { readonly subjectaltname?: string };
}

/** Returns for which hosts a certificate is that is not for ours. */
function otherName(error: OtherNameError): string {
  const { host = '', cert } = error;
  const names = alternativeNames(cert?.subjectaltname);
  const told = names.slice(0, NAMES_TOLD_MAX).map(({ value }) => value);
  const others = names.length > told.length ? ` and ${names.length - told.length} more` : '';
  const has = told.length === 0 ? 'names no host' : `is for ${told.join(', ')}${others}`;
  return `its certificate ${has}, and not for ${host}: see upstreamTls.serverName`;
}

// Why a request may reach the target differently through Turnout and through http-proxy-3. Each
// difference needs a reason here, and each reason a difference: what is unused is stale.

import { CLAIM_NAMES } from '../../src/http/grammar/client-claims.ts';

export type Difference =
  | { readonly kind: 'target' | 'method' | 'body' | 'trailers' | 'framing' | 'order' }
  /** The names of both sides are equal but for their case. */
  | { readonly kind: 'case'; readonly name: string }
  /** Several lines of one name on one side, one on the other. */
  | { readonly kind: 'repeats'; readonly name: string }
  | { readonly kind: 'only-turnout' | 'only-peer' | 'value'; readonly name: string };

interface Reason {
  readonly name: string;
  readonly explains: (difference: Difference, request: string) => boolean;
}

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade']);
const CLAIMED: ReadonlySet<string> = new Set(['forwarded', ...CLAIM_NAMES]);
const ADDED = /^x-turnout-(?:color|generation|role|hops)$|^x-forwarded-(?:for|proto|host)$/;

/** The target of the request that was sent. */
function targetOf(request: string): string {
  return request.split(' ', 2)[1] ?? '';
}

export const REASONS: readonly Reason[] = [
  {
    name: 'http-proxy-3 resolves dot segments of the target',
    explains: ({ kind }, request) => kind === 'target' && /\/\.\.?\//.test(targetOf(request)),
  },
  {
    name: 'http-proxy-3 drops an empty query from the target',
    explains: ({ kind }, request) => kind === 'target' && targetOf(request).endsWith('?'),
  },
  {
    name: 'http-proxy-3 escapes characters of the target, or makes slashes of them',
    explains: ({ kind }, request) => kind === 'target' && /[{}^\\"<>`]/.test(targetOf(request)),
  },
  {
    name: 'http-proxy-3 makes a path of an absolute target',
    explains: ({ kind }, request) => kind === 'target' && targetOf(request).startsWith('http://'),
  },
  {
    name: 'http-proxy-3 makes a path of the asterisk',
    explains: ({ kind }, request) => kind === 'target' && targetOf(request) === '*',
  },
  {
    name: 'Turnout tells the target about the client and which color it is',
    explains: (difference) => difference.kind === 'only-turnout' && ADDED.test(difference.name),
  },
  {
    name: 'Turnout replaces what an untrusted client claims in X-Forwarded and x-turnout fields',
    explains: (difference) => difference.kind === 'value' && ADDED.test(difference.name),
  },
  {
    name: 'Turnout drops what an untrusted client claims in other fields',
    explains: (difference) => difference.kind === 'only-peer' && CLAIMED.has(difference.name),
  },
  {
    name: 'http-proxy-3 passes hop-by-hop fields and adds its own Connection (RFC 9110 §7.6.1)',
    explains: (difference) => difference.kind === 'only-peer' && HOP_BY_HOP.has(difference.name),
  },
  {
    name: 'http-proxy-3 passes fields that Connection names (RFC 9110 §7.6.1)',
    explains: (difference, request) =>
      difference.kind === 'only-peer' &&
      difference.name === 'x-hop' &&
      request.includes('Connection: X-Hop'),
  },
  {
    name: 'http-proxy-3 writes all names in lower case',
    explains: ({ kind }) => kind === 'case',
  },
  {
    name: 'http-proxy-3 joins repeated fields into one line',
    explains: (difference) => difference.kind === 'repeats' && difference.name !== 'user-agent',
  },
  {
    name: 'http-proxy-3 keeps only the first of some repeated fields',
    explains: (difference) =>
      (difference.kind === 'repeats' || difference.kind === 'value') &&
      difference.name === 'user-agent',
  },
  {
    name: 'http-proxy-3 writes a length of 0 for a request that has no body',
    explains: (difference, request) =>
      difference.kind === 'only-peer' &&
      difference.name === 'content-length' &&
      request.endsWith('\r\n\r\n'),
  },
  {
    name: 'Turnout writes the transfer coding afresh',
    explains: (difference) =>
      difference.kind === 'value' && difference.name === 'transfer-encoding',
  },
  {
    name: 'http-proxy-3 drops the framing of a chunked DELETE and with it the body',
    explains: (difference, request) =>
      request.startsWith('DELETE ') &&
      request.includes('chunked') &&
      (difference.kind === 'body' ||
        difference.kind === 'framing' ||
        (difference.kind === 'only-turnout' && difference.name === 'transfer-encoding')),
  },
  {
    name: 'http-proxy-3 loses trailers',
    explains: (difference) =>
      difference.kind === 'trailers' ||
      (difference.kind === 'only-turnout' && difference.name === 'trailer'),
  },
];

// The one table of scenarios: every peer gets the same bytes of every row.
// Knows requests and expected answers; must not know the peers.

import { createHash } from 'node:crypto';

export interface Scenario {
  readonly name: string;
  /** For people: what is sent and what comes back. */
  readonly title: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** `browser`: what a current browser sends; `bare`: Host alone, as load tools send. */
  readonly head: 'browser' | 'bare';
  /** Client connections in use at the same time, one request each. */
  readonly connections: number;
  readonly requestBodyBytes: number;
  /** Length of the answer body, in bytes. */
  readonly replyBodyBytes: number;
  readonly framing: 'length' | 'chunked';
  /** False: `Connection: close` and a new connection for each request. */
  readonly isKeptAlive: boolean;
  /** How clients come in where it is not in the clear; `resumed`: each new connection by a ticket. */
  readonly tls?: 'full' | 'resumed';
  /** One cookie more, `name=value`. */
  readonly cookie?: string;
}

/** Enough connections to keep one core busy, few enough to stay in its caches. */
const CONNECTIONS = 64;
/** Handshakes at a time: the load has half of the work, and one core with the origin. */
const HANDSHAKING = 16;
const SMALL_BYTES = 128;
export const KIBIBYTE = 1024;
export const MEBIBYTE = 1024 * 1024;
/** One answer of the chunked row; the origin sends it in several chunks. */
export const CHUNKED_BYTES = 16 * KIBIBYTE;

const SMALL: Scenario = {
  name: 'small',
  title: 'small GET, browser head, keep-alive',
  method: 'GET',
  path: '/small',
  head: 'browser',
  connections: CONNECTIONS,
  requestBodyBytes: 0,
  replyBodyBytes: SMALL_BYTES,
  framing: 'length',
  isKeptAlive: true,
};

export const SCENARIOS: readonly Scenario[] = [
  SMALL,
  { ...SMALL, name: 'bare', title: 'small GET, bare head, keep-alive', head: 'bare' },
  { ...SMALL, name: '64k', title: '64 KiB answer', path: '/64k', replyBodyBytes: 64 * KIBIBYTE },
  {
    ...SMALL,
    name: '1m',
    title: '1 MiB answer',
    path: '/1m',
    connections: 16,
    replyBodyBytes: MEBIBYTE,
  },
  {
    ...SMALL,
    name: 'upload',
    title: '1 MiB upload',
    method: 'POST',
    path: '/upload',
    connections: 16,
    requestBodyBytes: MEBIBYTE,
  },
  {
    ...SMALL,
    name: 'chunked',
    title: '16 KiB chunked answer',
    path: '/chunked',
    replyBodyBytes: CHUNKED_BYTES,
    framing: 'chunked',
  },
  { ...SMALL, name: 'close', title: 'small GET, new connection each', isKeptAlive: false },
  { ...SMALL, name: 'many', title: 'small GET, 1,000 active connections', connections: 1_000 },
  { ...SMALL, name: 'tls', title: 'small GET over TLS, keep-alive', tls: 'full' },
  {
    ...SMALL,
    name: 'tls-1m',
    title: '1 MiB answer over TLS',
    path: '/1m',
    connections: 16,
    replyBodyBytes: MEBIBYTE,
    tls: 'full',
  },
  {
    ...SMALL,
    name: 'tls-new',
    title: 'small GET, a full TLS handshake each',
    connections: HANDSHAKING,
    isKeptAlive: false,
    tls: 'full',
  },
  {
    ...SMALL,
    name: 'tls-again',
    title: 'small GET, a TLS session resumed each',
    connections: HANDSHAKING,
    isKeptAlive: false,
    tls: 'resumed',
  },
];

/** Returns the row called `name`; throws with the known names when there is none. */
export function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found !== undefined) return found;
  const known = SCENARIOS.map((scenario) => scenario.name).join(', ');
  throw new Error(`expected a scenario of ${known}, got ${name}`);
}

/** Head of a navigation as Chromium sends it, with two ordinary cookies. */
const BROWSER_FIELDS: readonly (readonly [name: string, value: string])[] = [
  ['Connection', 'keep-alive'],
  ['sec-ch-ua', '"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"'],
  ['sec-ch-ua-mobile', '?0'],
  ['sec-ch-ua-platform', '"Linux"'],
  ['Upgrade-Insecure-Requests', '1'],
  [
    'User-Agent',
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  ],
  ['Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8'],
  ['Sec-Fetch-Site', 'same-origin'],
  ['Sec-Fetch-Mode', 'navigate'],
  ['Sec-Fetch-User', '?1'],
  ['Sec-Fetch-Dest', 'document'],
  ['Referer', 'http://bench.example/account/orders'],
  ['Accept-Encoding', 'identity'],
  ['Accept-Language', 'en-GB,en;q=0.9'],
  ['Cookie', 'theme=dark; session=5f1d6c0e9b7a4c2f8e3d1a0b9c8d7e6f5a4b3c2d1e0f9a8b'],
];

/** Returns the request fields in wire order; `Host` first. */
export function requestFields(scenario: Scenario): [name: string, value: string][] {
  const fields: [string, string][] = [['Host', 'bench.example']];
  for (const [name, value] of scenario.head === 'browser' ? BROWSER_FIELDS : []) {
    if (name === 'Cookie' && scenario.cookie !== undefined) {
      fields.push([name, `${value}; ${scenario.cookie}`]);
    } else if (name !== 'Connection') fields.push([name, value]);
    else if (scenario.isKeptAlive) fields.push([name, value]);
  }
  if (!scenario.isKeptAlive) fields.push(['Connection', 'close']);
  if (scenario.requestBodyBytes > 0) {
    fields.push(['Content-Type', 'application/octet-stream']);
    fields.push(['Content-Length', String(scenario.requestBodyBytes)]);
  }
  return fields;
}

/** Returns the bytes of one whole request. */
export function requestBytes(scenario: Scenario): Buffer {
  const lines = requestFields(scenario).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `${scenario.method} ${scenario.path} HTTP/1.1\r\n${lines.join('')}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), bodyOf(scenario.requestBodyBytes)]);
}

/** Returns the length of the answer body if it is `bodyOf` that length, else −1. */
export function answerBodyBytes(scenario: Scenario): number {
  // The answer to an upload says what the origin read.
  return scenario.requestBodyBytes > 0 ? -1 : scenario.replyBodyBytes;
}

/** Returns `byteCount` printable bytes, the same for the same count and without any CR or LF. */
export function bodyOf(byteCount: number): Buffer {
  return Buffer.alloc(byteCount, 'The quick brown fox jumps over the lazy dog. ', 'latin1');
}

/** Returns the SHA-256 of a body, to compare long ones. */
export function digest(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}

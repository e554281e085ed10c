// What wire cases are carried by: plain TCP, or TLS from clients or to targets. The cases are written for TCP; over TLS the proxy
// tells targets and browsers so, and nothing else differs.

import type { OriginCertificate } from './origin.ts';
import type { SettingsPatch } from './plane.ts';
import { connectRaw, SecureConnector, type RawPeer } from './raw-peer.ts';
import { testCertificates, TLS_TEST_POLICY } from './test-certificates.ts';
import type { Item, WireCase } from './wire-case.ts';

export interface WireTransport {
  /** Of the target; undefined: it gets plain HTTP. */
  readonly certificate: OriginCertificate | undefined;
  readonly scheme: 'http' | 'https';
  /** What the settings of every case get. */
  readonly settings: SettingsPatch;
  connect(port: number): Promise<RawPeer>;
  /** Returns the case as it goes over this transport. */
  expected(wireCase: WireCase): WireCase;
}

export const PLAIN: WireTransport = {
  certificate: undefined,
  scheme: 'http',
  settings: {},
  connect: (port) => connectRaw(port),
  expected: (wireCase) => wireCase,
};

export function overTls(): WireTransport {
  const connector = new SecureConnector();
  return {
    certificate: undefined,
    scheme: 'https',
    settings: { listener: { tls: TLS_TEST_POLICY }, certificates: testCertificates() },
    connect: (port) => connector.connect(port),
    expected: (wireCase) => ({
      ...wireCase,
      origin: wireCase.origin?.map((items) => items.map(secured)),
      replies: wireCase.replies.map((items) => items.map(secured)),
    }),
  };
}

/** Clients speak plain HTTP, and targets TLS: nothing differs. */
export function toTlsTargets(): WireTransport {
  const { certificates } = testCertificates();
  const [{ chain, key } = { chain: '', key: '' }] = certificates;
  return {
    ...PLAIN,
    certificate: { cert: chain, key },
    settings: { targetAuthorities: chain },
  };
}

/** What the proxy says of plain HTTP, it says of TLS in another way. */
function secured(item: Item): Item {
  if (item.kind !== 'bytes') return item;
  const text = item.text
    .replaceAll('X-Forwarded-Proto: http\r\n', 'X-Forwarded-Proto: https\r\n')
    .replaceAll(/proto=http(?!s)/g, 'proto=https')
    .replaceAll(
      /^Set-Cookie: (?!__)(.*TOKEN; Path=(.*?);.*)\r$/gm,
      (_, cookie: string, path: string) =>
        `Set-Cookie: ${path === '/' ? '__Host-' : '__Secure-'}${cookie}; Secure\r`,
    );
  return { ...item, text };
}

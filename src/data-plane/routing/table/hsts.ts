// Strict-Transport-Security (RFC 6797): browsers come back by https only. The field is sent over https
// alone (§7.2), once, and what the app says itself goes before.

import { usesTls, type Peer } from '../../../http/forward/forwarding.ts';
import { text } from '../../../http/grammar/text.ts';
import type { RequestHead } from '../../../http/heads/request-head.ts';
import type { ResponseHead } from '../../../http/heads/response-head.ts';
import type { RoutedService } from './routed-service.ts';

const NAME = 'strict-transport-security';

/** Returns the line for `forMs`; 0: none. */
export function hstsField(forMs: number): string {
  if (forMs === 0) return '';
  return `Strict-Transport-Security: max-age=${Math.floor(forMs / 1_000)}\r\n`;
}

/** Returns the line for the response to `head`; often empty. */
export function hstsFor(service: RoutedService | undefined, head: RequestHead, peer: Peer): string {
  if (service === undefined || service.hstsField === '') return '';
  return usesTls(head, peer) ? service.hstsField : '';
}

/** Tells whether the app has said it. */
export function hasHsts({ lines, bytes }: ResponseHead): boolean {
  for (let i = 0; i < lines.count; i++) {
    if (lines.nameEnd(i) - lines.nameStart(i) !== NAME.length) continue;
    if (text(bytes, lines.nameStart(i), lines.nameEnd(i)).toLowerCase() === NAME) return true;
  }
  return false;
}

// What kind of response a client can show (RFC 9110 §12.5.1).

import type { RequestHead } from './request-head.ts';
import { text } from '../grammar/text.ts';

const ACCEPT = 'accept';

/** Tells whether the client asks for HTML by name, as browsers do for pages and programs do not. */
export function acceptsHtml({ bytes, lines }: RequestHead): boolean {
  for (let i = 0; i < lines.count; i++) {
    if (lines.nameEnd(i) - lines.nameStart(i) !== ACCEPT.length) continue;
    if (text(bytes, lines.nameStart(i), lines.nameEnd(i)).toLowerCase() !== ACCEPT) continue;
    const value = text(bytes, lines.valueStart(i), lines.valueEnd(i));
    if (value.toLowerCase().includes('text/html')) return true;
  }
  return false;
}

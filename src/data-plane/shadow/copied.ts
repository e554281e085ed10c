// Which requests are copied: safe ones without a body, whose responses say the same on both sides if
// the releases do. Knows no service and no share.

import type { Method } from '../../http/grammar/methods.ts';

/** The other safe methods carry a question in their body, or change what a server keeps. */
const COPIED_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** A request that has one of these has a body, asks for a part of a file, or begins a tunnel. */
const NOT_COPIED: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'range',
  'upgrade',
]);
/** Conditions, such as `If-None-Match`, are about what a cache has of the release before. */
const CONDITION = 'if-';
const EVENT_STREAM = 'text/event-stream';

/** Tells whether a request with this method and this head, as it goes to the target, may be copied. */
export function isCopied(method: Method, head: string): boolean {
  if (!COPIED_METHODS.has(method.name)) return false;
  for (let end = head.indexOf('\r\n'); end !== -1;) {
    const start = end + 2;
    end = head.indexOf('\r\n', start);
    const colon = head.indexOf(':', start);
    if (colon === -1 || colon > end) continue;
    const name = head.slice(start, colon).toLowerCase();
    if (NOT_COPIED.has(name) || name.startsWith(CONDITION)) return false;
    const beginsStream =
      name === 'accept' && head.slice(colon, end).toLowerCase().includes(EVENT_STREAM);
    if (beginsStream) return false;
  }
  return true;
}

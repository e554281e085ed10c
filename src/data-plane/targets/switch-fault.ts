// When a target may switch protocols (RFC 9110 §7.8): where the client asked for it, and only once the
// target has the whole request. Before, target and client could take the same bytes for content and for the
// new protocol.

import type { ResponseHead } from '../../http/heads/response-head.ts';
import type { SentRequest } from '../transport/transport.ts';

/** Returns what is wrong with `head`, a 101 in answer to `request`. */
export function switchFault(request: SentRequest, head: ResponseHead): string | undefined {
  if (!request.receiver.wantsUpgrade || !head.upgrade)
    return 'the target switches protocols without being asked';
  if (!request.isDone) return 'the target switches protocols before it has the whole request';
  return undefined;
}

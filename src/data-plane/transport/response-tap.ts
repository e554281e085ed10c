// What looks at the response of a target on its way to a client. It sees the bytes before they are
// framed for the client, keeps none of them, never delays them, and never throws.

import type { ResponseHead } from '../../http/heads/response-head.ts';

export interface ResponseTap {
  /** The final head and the first part of the body: see `ResponseReceiver.receiveHead`. */
  head(head: ResponseHead, part: readonly number[], trailers: string | undefined): void;
  /** The next part of the body: see `ResponseReceiver.receiveBody`. */
  body(bytes: Buffer, part: readonly number[], trailers: string | undefined): void;
  /** The exchange is over: no more comes. */
  end(): void;
}

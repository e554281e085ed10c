// How far a request has come at this moment, and which of its two sides it waits for.

import type { Progress } from '../base/progress.ts';
import type { ClientStream } from '../transport/transport.ts';

/** An exchange, as far as its progress goes. */
interface Progressing {
  readonly client: Pick<ClientStream, 'isPaused' | 'output'>;
  readonly request: {
    readonly isDone: boolean;
    readonly bytes: number;
    readonly leftBytes: number | undefined;
  };
  readonly response: {
    readonly isDone: boolean;
    readonly bytes: number;
    readonly leftBytes: number | undefined;
  };
}

/** Returns the progress of an exchange. */
export function progressOf({ client, request, response }: Progressing): Progress {
  const { isLimited, unsentBytes } = client.output;
  const movedBytes = request.bytes + response.bytes - unsentBytes;
  if (isLimited && !response.isDone) {
    const { leftBytes } = response;
    const left = leftBytes === undefined ? undefined : leftBytes + unsentBytes;
    return { waitsFor: 'reader', movedBytes, leftBytes: left };
  }
  // A client that is not read from waits for us, and we for the target.
  if (!request.isDone && !client.isPaused) {
    return { waitsFor: 'upload', movedBytes, leftBytes: request.leftBytes };
  }
  return { waitsFor: 'target', movedBytes, leftBytes: undefined };
}

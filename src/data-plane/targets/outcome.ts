// What a request is told when its connection to a target lets go of it. What breaks while it is
// told is an error of the request, and costs no other.

import type { TlsFault } from '../../base/target-certificates.ts';
import type { ResponseReceiver, SentRequest, TargetEnd } from '../transport/transport.ts';

// Made once, because they are told with every response.
export const WHOLE = (receiver: ResponseReceiver): void => receiver.endResponse();
export const ELSEWHERE = (receiver: ResponseReceiver): void => receiver.askElsewhere();

/**
 * What a connection is doing. `rest`: the response is over, and the target takes the rest of the
 * request; `leaving`: its request is given up, and what was written for it still goes out.
 */
export type TargetPhase =
  | 'connecting'
  | 'idle'
  | 'head'
  | 'body'
  | 'rest'
  | 'tunnel'
  | 'leaving'
  | 'closed';

/** How a connection was lost. */
export interface Loss {
  readonly phase: TargetPhase;
  readonly timedOut: boolean;
  readonly isBroken: boolean;
  readonly how: TargetEnd;
  readonly tlsFault: TlsFault | undefined;
}

/** Tells `request` that its connection was lost. */
export function tellLost({ receiver, mayRepeat }: SentRequest, loss: Loss): void {
  const { phase, timedOut, isBroken, how } = loss;
  // What a client may hear of the reason.
  const detail = loss.tlsFault?.detail;
  if (phase === 'connecting') receiver.connectFailed(timedOut, detail);
  else if (phase === 'tunnel') receiver.closeTunnel(!isBroken);
  else if (phase === 'rest') receiver.endResponse();
  else if (phase === 'body') receiver.fail(timedOut ? 'UPSTREAM_STALLED' : 'UPSTREAM_ABORTED');
  else if (timedOut) receiver.fail('UPSTREAM_TIMEOUT');
  else if (!wasRefused(loss)) receiver.targetClosed(how, detail);
  else if (mayRepeat) receiver.connectFailed(false, detail);
  else receiver.fail('CONNECT_FAILED', detail);
}

/**
 * In TLS 1.3 a target looks at our certificate when the handshake has ended for us, and the request is on
 * its way (RFC 8446 §4.4.2.4). It has not read that, so no connection came about after all.
 */
export function wasRefused({ phase, how, tlsFault }: Loss): boolean {
  return phase === 'head' && how === 'fresh' && tlsFault?.isRefusal === true;
}

/** Tells a request of its end; what broke before must not keep it from hearing of that. */
export function tell(receiver: ResponseReceiver, end: (receiver: ResponseReceiver) => void): void {
  try {
    end(receiver);
  } catch (error) {
    receiver.onFault(error);
  }
}

// What a request is told when its connection to a target lets go of it. What breaks while it is
// told is an error of the request, and costs no other.

import type { ResponseReceiver, TargetEnd } from '../transport/transport.ts';

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
interface Loss {
  readonly phase: TargetPhase;
  readonly timedOut: boolean;
  readonly isBroken: boolean;
  readonly how: TargetEnd;
}

/** Tells `receiver` that its connection was lost; `detail`: what a client may hear of the reason. */
export function tellLost(receiver: ResponseReceiver, loss: Loss, detail: string | undefined): void {
  const { phase, timedOut, isBroken, how } = loss;
  if (phase === 'connecting') receiver.connectFailed(timedOut, detail);
  else if (phase === 'tunnel') receiver.closeTunnel(!isBroken);
  else if (phase === 'rest') receiver.endResponse();
  else if (phase === 'body') receiver.fail(timedOut ? 'UPSTREAM_STALLED' : 'UPSTREAM_ABORTED');
  else if (timedOut) receiver.fail('UPSTREAM_TIMEOUT');
  else receiver.targetClosed(how, detail);
}

/** Tells a request of its end; what broke before must not keep it from hearing of that. */
export function tell(receiver: ResponseReceiver, end: (receiver: ResponseReceiver) => void): void {
  try {
    end(receiver);
  } catch (error) {
    receiver.onFault(error);
  }
}

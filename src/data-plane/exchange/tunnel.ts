// An upgraded connection: bytes both ways until both sides have ended. A WebSocket can be closed
// in order at any time: its frames are followed, never changed (RFC 6455 §5.5.1, §7.1).
//
//   open ─► wanting (a place between two messages) ─► saying goodbye (1012 sent) ─► closed

import { GOODBYE_MS, ONE_WRITE_BYTES_MAX, PLACE_TO_CLOSE_MS } from '../../base/limits.ts';
import { gather } from '../../http/chunked.ts';
import { closeFrame, FrameTracker } from '../../http/websocket-frames.ts';
import type { H1Client } from '../clients/h1-client.ts';
import type { H1Target } from '../targets/h1-target.ts';
import { Timer, type TimerOwner, type Wheel } from '../base/wheel.ts';

/** RFC 6455 §7.4.2, IANA registry: "Service Restart": come back, after a random short wait. */
const SERVICE_RESTART = closeFrame(1012, 'service restart');

/** The exchange that a tunnel belongs to. */
interface TunnelOwner {
  readonly client: H1Client;
  readonly upstream: H1Target | undefined;
  closeTunnel(isClean: boolean): void;
}

type Phase = 'open' | 'wanting' | 'goodbye';

export class Tunnel implements TimerOwner {
  /** Sent by the client. */
  bytes = 0;
  readonly #owner: TunnelOwner;
  readonly #wheel: Wheel;
  readonly #timer = new Timer(this);
  /** From the target to the client; undefined where the protocol is another. */
  readonly #frames: FrameTracker | undefined;
  #phase: Phase = 'open';

  constructor(owner: TunnelOwner, wheel: Wheel, isWebSocket: boolean) {
    this.#owner = owner;
    this.#wheel = wheel;
    this.#frames = isWebSocket ? new FrameTracker() : undefined;
  }

  fromClient(bytes: Buffer, length: number): void {
    const { upstream, client } = this.#owner;
    if (upstream === undefined) return;
    this.bytes += length;
    upstream.touchTunnel();
    if (!upstream.write(gather(bytes, [0, length], '', ''))) client.pauseReading();
  }

  /** Returns whether the client takes more. */
  fromUpstream(bytes: Buffer, start: number, end: number): boolean {
    if (this.#phase === 'goodbye') return true; // Nothing follows a Close frame.
    if (this.#phase === 'open') {
      this.#frames?.push(bytes, start, end);
      return this.#relay(bytes, start, end);
    }
    const stop = this.#frames?.pushUntilBoundary(bytes, start, end, 'message') ?? -1;
    if (stop === -1) return this.#relay(bytes, start, end);
    const flows = this.#relay(bytes, start, stop);
    this.#sayGoodbye();
    return flows;
  }

  clientEnded(): void {
    this.#owner.upstream?.socket.end();
  }

  upstreamEnded(): void {
    this.#owner.client.endWriting();
  }

  /** Closes in order: between two messages, or where none comes, between two frames. */
  endGently(): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'wanting';
    if (this.#frames === undefined) {
      // What it speaks is not known; the end of both directions is all that can be said.
      this.clientEnded();
      this.upstreamEnded();
      this.#wheel.arm(this.#timer, GOODBYE_MS);
    } else if (this.#frames.isAtMessageEnd) {
      this.#sayGoodbye();
    } else {
      this.#wheel.arm(this.#timer, PLACE_TO_CLOSE_MS);
    }
  }

  onDeadline(): void {
    const { isAtFrameEnd = false, isClosing = false } = this.#frames ?? {};
    if (this.#phase === 'wanting' && isAtFrameEnd && !isClosing) this.#sayGoodbye();
    else this.#owner.closeTunnel(this.#phase === 'goodbye');
  }

  /** It has ended, one way or another. */
  stop(): void {
    this.#wheel.remove(this.#timer);
  }

  /** The client answers with its own Close, the target hears that and closes the connection. */
  #sayGoodbye(): void {
    this.#phase = 'goodbye';
    // The target has said it already, in its own words.
    if (this.#frames?.isClosing !== true) this.#owner.client.write(SERVICE_RESTART);
    this.#wheel.arm(this.#timer, GOODBYE_MS);
  }

  #relay(bytes: Buffer, start: number, end: number): boolean {
    const { client } = this.#owner;
    if (start === end) return true;
    if (end - start > ONE_WRITE_BYTES_MAX) return client.writeView(bytes.subarray(start, end));
    return client.write(gather(bytes, [start, end], '', ''));
  }
}

// An upgraded connection: bytes both ways until both sides have ended. A WebSocket can be closed
// in order at any time: its frames are followed, never changed (RFC 6455 §5.5.1, §7.1).
//
//   open ─► wanting (a place between two messages) ─► saying goodbye (1012 sent) ─► closed

import { GOODBYE_MS, ONE_WRITE_BYTES_MAX, PLACE_TO_CLOSE_MS } from '../../base/limits.ts';
import { gather } from '../../http/bodies/chunked.ts';
import { closeFrame, FrameTracker } from '../../http/bodies/websocket-frames.ts';
import { Timer, type TimerOwner, type Wheel } from '../base/wheel.ts';
import type { ClientStream, TargetStream } from '../transport/transport.ts';

/** RFC 6455 §7.4.2, IANA registry: "Service Restart": come back, after a random short wait. */
const SERVICE_RESTART = closeFrame(1012, 'service restart');

/** The exchange that a tunnel belongs to. */
interface TunnelOwner {
  readonly client: ClientStream;
  /** Towards the target; undefined once that is gone. */
  readonly request: { readonly stream: TargetStream | undefined };
  /** Towards the client. */
  readonly response: {
    write(piece: string | Buffer): boolean;
    writeView(view: Buffer): boolean;
  };
  closeTunnel(isClean: boolean): void;
  onFault(error: unknown): void;
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

  /** `early`: what the client has sent by now; `hasEnded`: it sends nothing more. */
  begin(
    early: { readonly bytes: Buffer; readonly length: number } | undefined,
    hasEnded: boolean,
  ): void {
    if (early !== undefined) this.fromClient(early.bytes, early.length);
    if (hasEnded) this.clientEnded();
  }

  fromClient(bytes: Buffer, length: number): void {
    const { client, request } = this.#owner;
    const { stream } = request;
    if (stream === undefined) return;
    this.bytes += length;
    stream.touchTunnel();
    if (!stream.write(gather(bytes, [0, length], '', ''))) client.pauseReading();
  }

  /** Returns whether the client takes more. */
  fromTarget(bytes: Buffer, start: number, end: number): boolean {
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
    this.#owner.request.stream?.endWriting();
  }

  targetEnded(): void {
    this.#owner.client.endWriting();
  }

  /** Closes in order: between two messages, or where none comes, between two frames. */
  endGently(): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'wanting';
    if (this.#frames === undefined) {
      // The protocol is not known; all that can be done is to end both directions.
      this.clientEnded();
      this.targetEnded();
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

  onFault(error: unknown): void {
    this.#owner.onFault(error);
  }

  /** It has ended, one way or another. */
  stop(): void {
    this.#wheel.remove(this.#timer);
  }

  /** The client replies with its own Close; the target gets that and closes the connection. */
  #sayGoodbye(): void {
    this.#phase = 'goodbye';
    // If the target has sent a Close of its own already, no second one may follow.
    if (this.#frames?.isClosing !== true) this.#owner.response.write(SERVICE_RESTART);
    this.#wheel.arm(this.#timer, GOODBYE_MS);
  }

  #relay(bytes: Buffer, start: number, end: number): boolean {
    const { response } = this.#owner;
    if (start === end) return true;
    if (end - start > ONE_WRITE_BYTES_MAX) return response.writeView(bytes.subarray(start, end));
    return response.write(gather(bytes, [start, end], '', ''));
  }
}

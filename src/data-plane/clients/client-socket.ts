// The socket of one client connection: when it is read, how long it is waited for, and how it ends.
// Knows no request and no response.

import type { ConnectionEnds } from '../../base/proxy-greeting.ts';
import type { Incoming } from '../transport/greeted-socket.ts';
import { ByteStream, type StreamOwner } from '../transport/byte-stream.ts';
import { StreamEnding } from '../transport/stream-ending.ts';
import { ToldClient } from '../transport/told-client.ts';
import type { ClientSource } from '../transport/transport.ts';
import type { TimerOwner } from '../base/wheel.ts';
import { ClientPatience, type PatienceServices } from './client-patience.ts';
import { ClientWriter, type ClientWriterOwner } from './client-writer.ts';

interface SocketServices extends PatienceServices {
  readonly isStopping: boolean;
}

/** What runs on the connection; it hears nothing of what comes once our side ends. */
export type ClientSocketOwner = Pick<
  StreamOwner,
  'nextBuffer' | 'onData' | 'onEnd' | 'onClosed' | 'onFault'
> &
  ClientWriterOwner &
  Pick<TimerOwner, 'onDeadline'>;

export class ClientSocket implements StreamOwner, ClientSource {
  readonly output: ClientWriter;
  readonly patience: ClientPatience;
  /** Of the client. Undefined for a Unix socket, and for a client that was gone at once. */
  readonly remoteAddress: string | undefined;
  /** Nothing is read at the moment. */
  isPaused = false;
  /** The client has ended its side, and may still read. */
  hasEnded = false;
  /** We have broken the connection. */
  isCut = false;
  readonly #services: SocketServices;
  readonly #owner: ClientSocketOwner;
  readonly #stream: ByteStream;
  /** As a PROXY header has told them; undefined: the socket says them. */
  readonly #ends: ConnectionEnds | undefined;
  #told: ToldClient | undefined = undefined;
  /** Set once our side ends for good. */
  #ending: StreamEnding | undefined = undefined;

  constructor(
    services: SocketServices,
    owner: ClientSocketOwner,
    accepted: Incoming,
    ends: ConnectionEnds | undefined,
  ) {
    this.#services = services;
    this.#owner = owner;
    this.#ends = ends;
    this.#stream = ByteStream.accept(this, accepted);
    this.remoteAddress = ends?.from.address ?? this.#stream.remoteAddress;
    this.output = new ClientWriter(this.#stream, services.settings.client.sendIdleTimeoutMs, owner);
    this.patience = new ClientPatience(services, owner);
  }

  /** Returns the client as targets are told of it; what they have for it alone ends with it. */
  asTold(): ToldClient {
    this.#told ??= new ToldClient(this.#ends ?? this.#stream.ends);
    return this.#told;
  }

  get canReset(): boolean {
    return this.#stream.canReset;
  }

  pauseReading(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.#stream.pause();
    if (!this.hasEnded) this.patience.rest();
  }

  resumeReading(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.#stream.resume();
  }

  /** Ends our side of a tunnel once all is written. */
  endWriting(): void {
    this.#stream.end();
  }

  /** Ends our side once all is written, then lets the client read. */
  end(): void {
    this.#beginEnding().end();
  }

  /** The same for what our end would make look whole: breaks the connection instead. */
  breakOff(): void {
    this.#beginEnding().breakOff();
  }

  /** A stop has begun: an end that is under way has less time. */
  hurry(): void {
    this.#ending?.hurry();
  }

  /** The client has ended its side and waits: looks now and then whether it is still there. */
  lookAfter(): void {
    this.patience.lookAfter();
    this.#stream.lookAfter();
  }

  /** Runs `act` once all that has come is read. */
  later(act: () => void): void {
    setImmediate(() => {
      try {
        act();
      } catch (error) {
        this.#owner.onFault(error);
      }
    });
  }

  cut(): void {
    this.isCut = true;
    this.#stream.cut();
  }

  /** Closes what is still open. */
  close(): void {
    this.#told?.bonds.end();
    this.patience.stop();
    this.#ending?.stop();
    this.#stream.close();
  }

  // What its stream tells.

  nextBuffer(): Buffer {
    return this.#owner.nextBuffer();
  }

  onData(bytes: Buffer, length: number): boolean {
    if (this.#ending === undefined) return this.#owner.onData(bytes, length);
    this.#ending.onData();
    return true;
  }

  onEnd(): void {
    this.hasEnded = true;
    if (this.#ending === undefined) this.#owner.onEnd();
    else this.#ending.onEnd();
  }

  onClosed(hadError: boolean): void {
    this.#owner.onClosed(hadError);
  }

  onRoom(): void {
    this.output.onRoom();
  }

  onSilence(): void {
    this.output.onSilence();
  }

  onFault(error: unknown): void {
    this.#owner.onFault(error);
  }

  #beginEnding(): StreamEnding {
    this.patience.rest();
    this.#ending = new StreamEnding(this, this.output, this.#stream, this.#services.wheel);
    if (this.#services.isStopping) this.#ending.hurry();
    return this.#ending;
  }
}

// The readers of `GET /v1/events`: lets them in, says each what it may know, drops those that do not read. All
// frames are made once, whatever the number of readers. Knows no HTTP beyond what a reader can do.

import {
  STREAM_COMMENT_MS,
  STREAM_FRAMES_KEPT,
  STREAM_RETRY_MS,
  STREAM_UNSENT_BYTES_MAX,
  STREAMS_LOCAL_MAX,
  STREAMS_OTHERS_MAX,
  TICK_EVERY_MS,
} from '../base/control-limits.ts';
import { OperatorError } from '../base/problems.ts';
import { ANY_PROCESS, Frames, frameText, placeOf, placeText, type Frame } from './frames.ts';

/** The other end of one stream. */
export interface StreamSocket {
  write(text: string): void;
  /** Written, and not taken by the system yet. */
  unsentBytes(): number;
  end(): void;
  /** Ends it at once. */
  destroy(): void;
}

export interface ReaderOf {
  readonly socket: StreamSocket;
  readonly actor: string;
  /** The services that it hears of; undefined: all, and those that are new. */
  readonly services: readonly string[] | undefined;
  /** The services that it may know of; undefined: all. */
  readonly only: readonly string[] | undefined;
  /** As the reader has sent it; undefined: it begins. */
  readonly lastEventId: string | undefined;
  /** It comes from this machine. */
  readonly isLocal: boolean;
  /** Tells whether its caller may still read. */
  readonly isStillAllowed: () => Promise<boolean>;
}

/** What one service does now, as text that goes into a tick. */
type TickOf = () => ReadonlyMap<string, unknown>;

export interface StreamsParts {
  readonly version: string;
  /** Number of the last decision. */
  readonly generation: () => number;
  readonly tick: TickOf;
  /** Of this process, in ms since the epoch. */
  readonly startedAtMs: number;
  /** Number of the last row of the event log that was told. */
  readonly lastRow: () => number;
  /** The rows behind one, up to the last that was told; undefined: not all of them are kept. */
  readonly rowsAfter: (row: number) => readonly ToldRow[] | undefined;
}

/** One row of the event log as a frame. */
export interface ToldRow {
  readonly row: number;
  readonly event: string;
  readonly service: string;
  readonly data: unknown;
}

/** What goes to a reader if that may know of it. */
type Text = Pick<Frame, 'service' | 'tells' | 'text'>;

interface SayTerms {
  readonly tells?: readonly string[];
  readonly row?: number;
}

export class Streams {
  readonly #parts: StreamsParts;
  readonly #frames: Frames;
  readonly #readers = new Set<ReaderOf>();
  #ticking: NodeJS.Timeout | undefined;
  #comments: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(parts: StreamsParts) {
    this.#parts = parts;
    this.#frames = new Frames(parts.startedAtMs, STREAM_FRAMES_KEPT);
  }

  /** Readers that listen. */
  get count(): number {
    return this.#readers.size;
  }

  /**
   * Throws `busy` where no more readers are let in, and what keeps a reader that was away from being told what
   * it has missed; called before anything is answered.
   */
  checkRoom({ isLocal, lastEventId }: Pick<ReaderOf, 'isLocal' | 'lastEventId'>): void {
    if (this.#isClosed) throw new OperatorError('stopping', 'no stream is begun any more');
    const alike = [...this.#readers].filter((reader) => reader.isLocal === isLocal);
    const most = isLocal ? STREAMS_LOCAL_MAX : STREAMS_OTHERS_MAX;
    if (alike.length >= most) {
      throw new OperatorError('busy', `${most} streams of events are open already`);
    }
    this.#missedSince(lastEventId);
  }

  /** Returns what was said since; undefined: that is not known, or not kept any more. */
  #missedSince(lastEventId: string | undefined): readonly Text[] | undefined {
    if (lastEventId === undefined) return [];
    const place = placeOf(lastEventId);
    if (place === undefined) return undefined;
    if (place.epoch === this.#frames.epoch) return this.#frames.after(place);
    // Another process told the frames before: what it told of the event log is known here, too.
    if (place.row === undefined) return undefined;
    return this.#parts.rowsAfter(place.row)?.map(({ row, event, service, data }) => {
      const id = placeText({ epoch: ANY_PROCESS, seq: 0, row });
      return { service, tells: [], text: frameText(event, data, id) };
    });
  }

  /** Begins a stream; returns what to call when its reader has gone. */
  open(reader: ReaderOf): () => void {
    const { version, generation } = this.#parts;
    const { socket, actor, lastEventId } = reader;
    const { epoch, last: seq } = this.#frames;
    this.#readers.add(reader);
    socket.write(`retry: ${STREAM_RETRY_MS}\n\n`);
    const missed = this.#missedSince(lastEventId);
    const hello = { version, epoch, seq, generation: generation(), actor };
    socket.write(frameText('hello', hello));
    if (missed === undefined) {
      const detail = 'what was said meanwhile is not kept any more; ask for everything again';
      // With the number of now, so that the next gap is a short one.
      const row = this.#parts.lastRow();
      socket.write(frameText('gone', { detail }, placeText({ epoch, seq, row })));
    }
    for (const frame of missed ?? []) this.#send(reader, frame);
    this.#startTimers();
    return () => this.#leave(reader);
  }

  /**
   * Says something about `service` (empty: the whole process) to all who may know of it, and of all
   * that it `tells` of. `row`: the row of the event log that it is about; left out: the last one.
   */
  say(
    event: string,
    service: string,
    data: unknown,
    { tells = [], row = this.#parts.lastRow() }: SayTerms = {},
  ): void {
    const frame = this.#frames.add({ row, event, service, tells, data });
    for (const reader of this.#readers) this.#send(reader, frame);
  }

  /** Ends all streams; readers come back after `retryMs`. */
  close(retryMs: number): void {
    this.#isClosed = true;
    for (const { socket } of this.#readers) {
      socket.write(`retry: ${retryMs}\n\n`);
      socket.end();
    }
    this.#readers.clear();
    this.#stopTimers();
  }

  /** Lets readers in again: this process goes on. */
  reopen(): void {
    this.#isClosed = false;
  }

  #send(reader: ReaderOf, { service, tells, text }: Text): void {
    if (!hears(reader, service) || !tells.every((one) => mayKnow(reader, one))) return;
    reader.socket.write(text);
    // It has the number of what it has read, and catches up when it is back.
    if (reader.socket.unsentBytes() > STREAM_UNSENT_BYTES_MAX) this.#drop(reader);
  }

  #drop(reader: ReaderOf): void {
    this.#leave(reader);
    reader.socket.destroy();
  }

  #leave(reader: ReaderOf): void {
    this.#readers.delete(reader);
    if (this.#readers.size === 0) this.#stopTimers();
  }

  #startTimers(): void {
    this.#ticking ??= setInterval(() => this.#tick(), TICK_EVERY_MS).unref();
    this.#comments ??= setInterval(() => this.#comment(), STREAM_COMMENT_MS).unref();
  }

  #stopTimers(): void {
    clearInterval(this.#ticking);
    clearInterval(this.#comments);
    this.#ticking = undefined;
    this.#comments = undefined;
  }

  #tick(): void {
    const services = [...this.#parts.tick()].map(
      ([name, data]) => [name, `${JSON.stringify(name)}:${JSON.stringify(data)}`] as const,
    );
    const at = JSON.stringify(new Date().toISOString());
    const textFor = (reader: ReaderOf): string => {
      const seen = services.filter(([name]) => hears(reader, name)).map(([, text]) => text);
      return `event: tick\ndata: {"at":${at},"services":{${seen.join(',')}}}\n\n`;
    };
    let forAll: string | undefined;
    for (const reader of this.#readers) {
      // One that has not read the last one needs no further one: the next says all of it again.
      if (reader.socket.unsentBytes() > 0) continue;
      const isForAll = reader.services === undefined;
      const text = isForAll ? (forAll ??= textFor(reader)) : textFor(reader);
      reader.socket.write(text);
    }
  }

  #comment(): void {
    for (const reader of this.#readers) {
      reader.socket.write(': still here\n\n');
      void this.#lookAt(reader);
    }
  }

  async #lookAt(reader: ReaderOf): Promise<void> {
    const isAllowed = await reader.isStillAllowed().catch(() => false);
    if (!isAllowed) this.#drop(reader);
  }
}

function hears({ services }: ReaderOf, service: string): boolean {
  return service === '' || (services?.includes(service) ?? true);
}

function mayKnow({ only }: ReaderOf, service: string): boolean {
  return only?.includes(service) ?? true;
}

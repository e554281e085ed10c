// What streams of events have said lately, in order and numbered, so that a reader that was away can catch
// up. Bounded; knows no reader.

/** One thing that is said. */
export interface Frame {
  readonly seq: number;
  readonly event: string;
  /** Whom it is about; empty: the whole process. */
  readonly service: string;
  /** Further services of which it tells. */
  readonly tells: readonly string[];
  /** As it goes over the wire. */
  readonly text: string;
}

export class Frames {
  /** Names this process: numbers of another one say nothing here. */
  readonly epoch: number;
  readonly #keptMax: number;
  #frames: Frame[] = [];
  #last = 0;

  constructor(epoch: number, keptMax: number) {
    this.epoch = epoch;
    this.#keptMax = keptMax;
  }

  /** Number of the last frame; 0: there was none. */
  get last(): number {
    return this.#last;
  }

  /** `row`: the last row of the event log that was told, this frame included. */
  add({
    row,
    event,
    service,
    tells,
    data,
  }: Omit<Frame, 'seq' | 'text'> & { row: number; data: unknown }): Frame {
    const seq = ++this.#last;
    const text = frameText(event, data, placeText({ epoch: this.epoch, seq, row }));
    const frame = { seq, event, service, tells, text };
    this.#frames.push(frame);
    if (this.#frames.length > this.#keptMax) this.#frames.shift();
    return frame;
  }

  /** Returns what was said after a place in this process; undefined: that is not kept any more. */
  after({ epoch, seq }: Place): readonly Frame[] | undefined {
    if (epoch !== this.epoch || seq > this.#last) return undefined;
    const first = this.#frames[0]?.seq ?? this.#last + 1;
    if (seq < first - 1) return undefined;
    return this.#frames.slice(seq - first + 1);
  }
}

/** How far a reader has come: what it sends as `Last-Event-ID`. */
export interface Place {
  /** The process that has told it. */
  readonly epoch: number;
  /** Number of the frame in that process. */
  readonly seq: number;
  /** Row of the event log, which the next process knows as well; undefined: an earlier version told it. */
  readonly row: number | undefined;
}

/** Of a row that another process has told: it is the same place for every process. */
export const ANY_PROCESS = 0;

export function placeText({ epoch, seq, row }: Place): string {
  return row === undefined ? `${epoch}-${seq}` : `${epoch}-${seq}-${row}`;
}

/** Returns the place that an id is; undefined: it is none. */
export function placeOf(id: string): Place | undefined {
  const [, epoch, seq, row] = /^(\d{1,16})-(\d{1,15})(?:-(\d{1,15}))?$/.exec(id) ?? [];
  if (epoch === undefined) return undefined;
  return {
    epoch: Number(epoch),
    seq: Number(seq),
    row: row === undefined ? undefined : Number(row),
  };
}

/** Returns a frame of an event stream; without `id` it moves no reader's place. */
export function frameText(event: string, data: unknown, id?: string): string {
  // JSON has no line breaks of its own.
  const head = id === undefined ? '' : `id: ${id}\n`;
  return `${head}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

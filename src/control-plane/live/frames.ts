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

  add({ event, service, tells, data }: Omit<Frame, 'seq' | 'text'> & { data: unknown }): Frame {
    const seq = ++this.#last;
    const text = frameText(event, data, `${this.epoch}-${seq}`);
    const frame = { seq, event, service, tells, text };
    this.#frames.push(frame);
    if (this.#frames.length > this.#keptMax) this.#frames.shift();
    return frame;
  }

  /** Returns what was said after `id`; undefined: that is not known, or not kept any more. */
  after(id: string): readonly Frame[] | undefined {
    const [, epoch, text] = /^(\d{1,16})-(\d{1,15})$/.exec(id) ?? [];
    const seq = Number(text);
    if (Number(epoch) !== this.epoch || seq > this.#last) return undefined;
    const first = this.#frames[0]?.seq ?? this.#last + 1;
    if (seq < first - 1) return undefined;
    return this.#frames.slice(seq - first + 1);
  }
}

/** Returns a frame of an event stream; without `id` it moves no reader's place. */
export function frameText(event: string, data: unknown, id?: string): string {
  // JSON has no line breaks of its own.
  const head = id === undefined ? '' : `id: ${id}\n`;
  return `${head}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

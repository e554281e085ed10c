// Reads a stream of server-sent events from the admin API, frame by frame, and comes back where it was cut.
// Knows how a stream is read; not what its frames mean.

import { setTimeout as sleep } from 'node:timers/promises';
import { StringDecoder } from 'node:string_decoder';
import { problemAnswer } from '../../api/process.ts';
import type { Connection } from './admin-connection.ts';
import { openClient, readAnswer, trouble } from './admin-client.ts';
import { troubleOf, type Trouble } from './client-command.ts';

/** The server sends something each 15 seconds: one that is silent for longer is gone. */
const SILENCE_MAX_MS = 45_000;
/** Until the stream says otherwise. */
const RETRY_MS = 1_000;
const RETRY_MAX_MS = 30_000;
/** One frame is much smaller; a server that sends no end of one is none. */
const FRAME_CHARS_MAX = 4 * 1024 * 1024;

export interface Frame {
  /** Empty: it has none, and is not told again. */
  readonly id: string;
  readonly event: string;
  /** What its JSON says; undefined: it was none. */
  readonly data: unknown;
}

export interface StreamFollower {
  /** Returns false to end. */
  readonly onFrame: (frame: Frame) => boolean;
  /** The stream has ended or can't be had; returns false to end. */
  readonly onOutage: (trouble: Trouble) => boolean;
}

/** Follows `path` from the frame after `lastId` on, until the follower or `signal` ends it. */
export async function followEvents(
  connection: Connection,
  { path, lastId, signal }: { readonly path: string; readonly lastId: string; signal: AbortSignal },
  { onFrame, onOutage }: StreamFollower,
): Promise<void> {
  const state = { lastId, retryMs: RETRY_MS };
  for (;;) {
    let isEnough = false;
    const heard = await readOnce(connection, { path, signal, state }, (frame) => {
      if (!isEnough) isEnough = !onFrame(frame);
      return !isEnough;
    });
    if (isEnough || signal.aborted || !onOutage(heard)) return;
    await sleep(state.retryMs, undefined, { signal }).catch(() => {
      // Interrupted: the next line ends it.
    });
    if (signal.aborted) return;
  }
}

/** Where the stream is: kept over connections. */
interface Place {
  lastId: string;
  retryMs: number;
}

/** Reads one connection to its end; returns what ended it. */
async function readOnce(
  connection: Connection,
  { path, signal, state }: { readonly path: string; signal: AbortSignal; readonly state: Place },
  onFrame: (frame: Frame) => boolean,
): Promise<Trouble> {
  const { token } = connection;
  let client;
  try {
    client = openClient(connection, SILENCE_MAX_MS, -1);
    const headers = {
      accept: 'text/event-stream',
      ...(state.lastId === '' ? {} : { 'last-event-id': state.lastId }),
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    };
    const { statusCode, body } = await client.request({ method: 'GET', path, headers, signal });
    if (statusCode !== 200) {
      const answer = { answer: problemAnswer };
      const asked = readAnswer(connection, answer, { status: statusCode, text: await body.text() });
      if (asked.kind !== 'answer') return troubleOf(asked, { method: 'GET', path });
      return {
        code: 'no-answer',
        message: `expected a stream of events, got status ${statusCode}`,
      };
    }
    const decoder = new StringDecoder('utf8');
    const parser = new FrameParser(state);
    for await (const chunk of body) {
      for (const frame of parser.take(decoder.write(chunk as Buffer))) {
        if (!onFrame(frame)) return ENDED;
      }
    }
    return ENDED;
  } catch (error) {
    return troubleOf(trouble(connection, error, SILENCE_MAX_MS), { method: 'GET', path });
  } finally {
    await client?.destroy();
  }
}

const ENDED: Trouble = { code: 'no-answer', message: 'the stream of events has ended' };

/** Makes frames of text as it comes (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
class FrameParser {
  readonly #state: Place;
  #text = '';

  constructor(state: Place) {
    this.#state = state;
  }

  *take(part: string): Generator<Frame> {
    const blocks = (this.#text + part).split('\n\n');
    this.#text = blocks.pop() ?? '';
    if (this.#text.length > FRAME_CHARS_MAX) throw new Error('a frame without an end');
    for (const block of blocks) {
      const frame = this.#frameOf(block);
      if (frame !== undefined) yield frame;
    }
  }

  #frameOf(block: string): Frame | undefined {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
      const before = name === 'data' ? fields.get(name) : undefined;
      fields.set(name, before === undefined ? value : `${before}\n${value}`);
    }
    const retryMs = Number(fields.get('retry') ?? Number.NaN);
    if (retryMs > 0) this.#state.retryMs = Math.min(retryMs, RETRY_MAX_MS);
    const data = fields.get('data');
    if (data === undefined) return undefined;
    const id = fields.get('id') ?? '';
    if (id !== '') this.#state.lastId = id;
    return { id, event: fields.get('event') ?? 'message', data: jsonOf(data) };
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

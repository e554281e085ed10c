// Reads `GET /v1/events` over a real connection: frames as they come, and whatever a test wants to send along. Can stop
// reading, as a client does that is suspended.

import { once } from 'node:events';
import {
  request,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import type { ListenAddress } from '../../src/contract/worker-settings.ts';
import { PATIENCE_MS } from './patience.ts';

export interface ReadFrame {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface StreamReader {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly frames: readonly ReadFrame[];
  /** Fields `retry`, in order. */
  readonly retries: readonly number[];
  /** Bytes that have come. */
  readonly text: () => string;
  /** Resolves with the first frame that fits, also one that came before. */
  until(event: string, fits?: (data: ReadFrame['data']) => boolean): Promise<ReadFrame>;
  /** Resolves when the stream has ended, cleanly or not. */
  readonly ended: Promise<void>;
  /** Takes no more bytes. */
  stopReading(): void;
  close(): void;
}

/** Opens a stream; where it is refused, `status` says so and nothing comes. */
export async function openStream(
  address: ListenAddress,
  {
    path = '/v1/events',
    headers = {},
  }: { path?: string; headers?: Readonly<Record<string, string>> } = {},
): Promise<StreamReader> {
  const where =
    address.kind === 'tcp'
      ? { host: address.host, port: address.port }
      : { socketPath: address.path };
  const asked: ClientRequest = request({ ...where, path, headers, agent: false });
  asked.on('error', () => {});
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const frames: ReadFrame[] = [];
  const retries: number[] = [];
  const watchers = new Set<() => void>();
  const ended = Promise.withResolvers<void>();
  let text = '';
  let read = 0;
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    text += chunk;
    for (let end = text.indexOf('\n\n', read); end >= 0; end = text.indexOf('\n\n', read)) {
      take(text.slice(read, end), frames, retries);
      read = end + 2;
    }
    for (const wake of watchers) wake();
  });
  response.on('error', () => {});
  response.on('close', () => {
    ended.resolve();
    for (const wake of watchers) wake();
  });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    frames,
    retries,
    text: () => text,
    ended: ended.promise,
    stopReading: () => response.socket.pause(),
    close: () => asked.destroy(),
    async until(event, fits = () => true) {
      const { promise, resolve, reject } = Promise.withResolvers<ReadFrame>();
      const look = (): void => {
        const found = frames.find((frame) => frame.event === event && fits(frame.data));
        if (found !== undefined) resolve(found);
        else if (response.closed)
          reject(new Error(`the stream ended without ${event}: ${text.slice(-300)}`));
      };
      const timer = setTimeout(
        () => reject(new Error(`no ${event} came: ${text.slice(-300)}`)),
        PATIENCE_MS,
      );
      watchers.add(look);
      look();
      return await promise.finally(() => {
        clearTimeout(timer);
        watchers.delete(look);
      });
    },
  };
}

function take(block: string, frames: ReadFrame[], retries: number[]): void {
  const lines = block.split('\n').filter((line) => !line.startsWith(':'));
  const field = (name: string): string | undefined =>
    lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const retry = field('retry');
  if (retry !== undefined) retries.push(Number(retry));
  const [event, data] = [field('event'), field('data')];
  if (event === undefined || data === undefined) return;
  frames.push({ event, id: field('id'), data: JSON.parse(data) as ReadFrame['data'] });
}

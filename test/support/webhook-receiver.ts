// A receiver of webhooks on a real socket: keeps what it got, answers as the test says. A test waits for what has
// arrived; nothing here sleeps.

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { PATIENCE_MS } from './patience.ts';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export type AnswerWith = (response: ServerResponse, received: Received, index: number) => void;

export interface Receiver {
  readonly url: string;
  readonly port: number;
  readonly received: Received[];
  /** From the next request on. */
  answer: AnswerWith;
  /** Resolves when `count` requests have arrived whole. */
  until(count: number): Promise<readonly Received[]>;
  close(): void;
}

/** Answers with 200 unless `answer` says otherwise. */
export async function openReceiver(
  t: Test,
  answer: AnswerWith = (response) => response.end(),
  wantedPort = 0,
): Promise<Receiver> {
  const received: Received[] = [];
  const watchers = new Set<() => void>();
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (text: string) => (body += text));
    request.on('end', () => {
      received.push({ method, path: url, headers, body });
      receiver.answer(response, received.at(-1)!, received.length - 1);
      for (const wake of watchers) wake();
    });
  });
  server.listen(wantedPort, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  t.teardown(close);
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/hook?key=s3cret`,
    port,
    received,
    answer,
    close,
    async until(count) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const look = (): void => void (received.length >= count && resolve());
      const timer = setTimeout(
        () => reject(new Error(`${received.length} of ${count} webhooks came`)),
        PATIENCE_MS,
      );
      watchers.add(look);
      look();
      await promise.finally(() => {
        clearTimeout(timer);
        watchers.delete(look);
      });
      return received;
    },
  };
  return receiver;
}

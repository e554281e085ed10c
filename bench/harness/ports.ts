// Loopback ports: finding free ones, and waiting until something answers on one.

import { createServer, connect } from 'node:net';
import tls from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';

export const LOOPBACK = '127.0.0.1';
const POLL_MS = 2;

/** Returns a loopback port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, LOOPBACK, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** Waits until `GET path` on `port` answers 200; returns false after `withinMs`. */
export async function answersWithin(
  port: number,
  options: {
    readonly path: string;
    readonly isTls?: boolean;
    readonly withinMs: number;
    readonly isAlive: () => boolean;
  },
): Promise<boolean> {
  const end = performance.now() + options.withinMs;
  while (performance.now() < end && options.isAlive()) {
    if (await answers(port, options)) return true;
    await delay(POLL_MS);
  }
  return false;
}

function answers(
  port: number,
  { path, isTls }: { readonly path: string; readonly isTls?: boolean },
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket =
      isTls === true
        ? tls.connect({ port, host: LOOPBACK, rejectUnauthorized: false })
        : connect(port, LOOPBACK);
    const settle = (isAnswered: boolean): void => {
      socket.destroy();
      resolve(isAnswered);
    };
    socket.setTimeout(1_000, () => settle(false));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
    socket.once('data', (bytes) => settle(bytes.toString('latin1').startsWith('HTTP/1.1 200')));
    socket.write(`GET ${path} HTTP/1.1\r\nHost: bench.example\r\nConnection: close\r\n\r\n`);
  });
}

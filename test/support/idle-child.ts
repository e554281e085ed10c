// Holds many idle client connections in a process of its own, so that the process of the plane has
// its file descriptors for itself. Speaks by messages: `open`, `ask`, `close`.

import { connect, type Socket } from 'node:net';

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
/** Connections that are being opened at one time. */
const BATCH = 200;

const sockets: Socket[] = [];

interface Command {
  readonly kind: 'open' | 'ask' | 'close';
  readonly port: number;
  readonly count: number;
}

process.on('message', (command: Command) => {
  void obey(command);
});
process.on('disconnect', () => {
  process.exit(0);
});

async function obey({ kind, port, count }: Command): Promise<void> {
  let done = 0;
  if (kind === 'open') {
    while (sockets.length < count) {
      const batch = Math.min(BATCH, count - sockets.length);
      sockets.push(...(await Promise.all(Array.from({ length: batch }, () => open(port)))));
    }
    done = sockets.length;
  } else if (kind === 'ask') {
    for (let at = 0; at < sockets.length; at += BATCH) {
      const answers = await Promise.all(sockets.slice(at, at + BATCH).map((socket) => ask(socket)));
      done += answers.filter((isOk) => isOk).length;
    }
  } else {
    for (const socket of sockets) socket.destroy();
  }
  process.send?.(done);
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      resolve(socket);
    });
    socket.on('error', reject);
  });
}

/** Resolves with whether the connection answers; one that has been closed does not. */
function ask(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    if (socket.destroyed) {
      resolve(false);
      return;
    }
    let text = '';
    const take = (bytes: Buffer): void => {
      text += bytes.toString('latin1');
      if (!text.endsWith('ok')) return;
      socket.off('data', take);
      socket.off('close', lost);
      resolve(text.startsWith('HTTP/1.1 200 '));
    };
    const lost = (): void => {
      resolve(false);
    };
    socket.on('data', take);
    socket.once('close', lost);
    socket.write(REQUEST);
  });
}

// One end of a connection that sends exact bytes and keeps exactly what it receives. Both the
// raw client and the connections of the raw origin are such peers. Nothing here sleeps: a
// caller that waits names what must have been received, which is checked whenever bytes arrive.

import { once } from 'node:events';
import { connect, Socket } from 'node:net';
import tls from 'node:tls';
import { PATIENCE_MS } from './patience.ts';

/** How the other side ended: a clean FIN, or anything else. */
export type Ending = 'end' | 'reset';

export class RawPeer {
  socket: Socket;
  /** Everything received so far, one latin1 character for one byte. */
  text = '';
  ending: Ending | undefined;
  readonly #watchers = new Set<() => void>();
  /** Of TLS: the socket under it. */
  readonly #below: Socket | undefined;

  /** Takes over `socket`, which must have been made with `allowHalfOpen`. */
  constructor(socket: Socket, below?: Socket) {
    this.socket = socket;
    this.#below = below;
    (below ?? socket).setNoDelay(true);
    socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1');
      this.#wake();
    });
    socket.on('end', () => this.#finish('end'));
    // A reset shows as an error, or as a close without an end.
    socket.on('error', () => this.#finish('reset'));
    socket.on('close', () => this.#finish('reset'));
  }

  /** Writes `text` at once; a peer that has gone is no fault of the test. */
  send(text: string): void {
    if (!this.socket.destroyed && this.socket.writable) this.socket.write(text, 'latin1');
  }

  /**
   * Writes `text` cut before the positions in `cuts`, each part in a packet of its own that the
   * other side (a socket of this process) has read before the next one leaves.
   */
  async sendCut(text: string, cuts: readonly number[]): Promise<void> {
    let from = 0;
    for (const cut of cuts) {
      this.send(text.slice(from, cut));
      from = cut;
      await turns(TURNS_TO_READ);
    }
    this.send(text.slice(from));
  }

  /**
   * Resolves with what `look` returns, once that is not undefined; asked now and after each
   * arrival. Rejects, saying `what` was missing, when it does not come.
   */
  async until<T>(what: string, look: () => T | undefined): Promise<T> {
    const found = look();
    if (found !== undefined) return found;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`no ${what} in ${PATIENCE_MS} ms; ${this.summary()}`));
      }, PATIENCE_MS);
    });
    try {
      return await Promise.race([this.watch(look), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Like `until`, but waits for ever: for what need not come, as a request on an idle connection. */
  watch<T>(look: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const watcher = (): void => {
        try {
          const found = look();
          if (found === undefined) return;
          resolve(found);
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
        this.#watchers.delete(watcher);
      };
      this.#watchers.add(watcher);
      watcher();
    });
  }

  /** Resolves with the way in which the other side ended. */
  ended(): Promise<Ending> {
    return this.until('end of the connection', () => this.ending);
  }

  /** Sends FIN; what the other side still has to say is read. */
  end(): void {
    this.socket.end();
  }

  /** Sends RST; a side that has sent FIN already just lets go. */
  reset(): void {
    // While a FIN is under way libuv refuses to reset, and Node then forgets the handle unclosed.
    // A Unix socket (it has no remote address) knows no reset at all.
    if (this.socket.writableEnded || this.socket.remoteAddress === undefined) this.socket.destroy();
    else if (this.#below === undefined) this.socket.resetAndDestroy();
    else {
      // Node 24 may end by a segmentation fault where a TLS socket is touched after this.
      this.socket = new Socket().destroy();
      this.#below.resetAndDestroy();
    }
  }

  /** Says what was received, for the message of a failed test. */
  summary(): string {
    const text = this.text.length > 600 ? `${this.text.slice(0, 600)}…` : this.text;
    return `received ${JSON.stringify(text)}, connection ${this.ending ?? 'open'}`;
  }

  #finish(ending: Ending): void {
    this.ending ??= ending;
    this.#wake();
  }

  #wake(): void {
    for (const watcher of this.#watchers) watcher();
  }
}

/** Opens a connection to a port of this machine, or to the path of a Unix socket. */
export function connectRaw(where: number | string, host = '127.0.0.1'): Promise<RawPeer> {
  const place = typeof where === 'string' ? { path: where } : { port: where, host };
  return new Promise((resolve, reject) => {
    const socket = connect({ ...place, allowHalfOpen: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(new RawPeer(socket));
    });
  });
}

/** Opens connections by TLS to `port`; after the first one the handshakes are short. */
export class SecureConnector {
  #session: Buffer | undefined;

  async connect(port: number): Promise<RawPeer> {
    const below = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const resumed = this.#session === undefined ? {} : { session: this.#session };
    const socket = tls.connect({ socket: below, rejectUnauthorized: false, ...resumed });
    const peer = new RawPeer(socket, below);
    socket.on('session', (session) => {
      this.#session = session;
    });
    await once(socket, 'secureConnect');
    return peer;
  }
}

// A write is in the receive queue of the other socket at once; one turn of the loop may be needed
// to accept it, one to arm it and one to read. cuts.test.ts shows that this is enough.
const TURNS_TO_READ = 3;

/** Resolves after the event loop has polled for I/O at least `count` times. */
export function turns(count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    const turn = (): void => {
      if (left === 0) resolve();
      else {
        left--;
        setImmediate(turn);
      }
    };
    setImmediate(turn);
  });
}

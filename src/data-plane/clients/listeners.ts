// The sockets on which the worker listens. They may change while it runs: new ones are opened
// before a table comes into force, those that it does not name are closed afterwards. A socket
// stays open where its address stays, whatever comes in there from then on.

import net from 'node:net';
import { listenerFd } from '../../base/listener-fd.ts';
import { bindingPath, settlePath } from '../../base/socket-file.ts';
import type { ListenerFds, OpenListener } from '../../contract/messages.ts';
import {
  addressOfListener,
  keyOfListener,
  listenersThatStay,
  type DataPlaneSettings,
  type ListenAddress,
  type Listener,
} from '../../contract/worker-settings.ts';
import { ACCEPT_OPTIONS, takeConnections, type Accepted } from '../transport/accepted-socket.ts';

/** Connections the kernel may hold while a worker is busy; the system's own limit applies too. */
const BACKLOG = 4_096;

/** Takes the connections that come in. */
export interface Acceptor {
  /** `listener`: as the settings in force have it. */
  accept(accepted: Accepted, listener: Listener): void;
  /** A connection could not be accepted: most likely the process has no descriptors left. */
  acceptFailed(error: Error): void;
}

/** Where it is not known where TLS is spoken. */
const HTTPS_PORT = 443;

type Settings = Pick<DataPlaneSettings, 'listeners'>;

/** What a server listens on: an address, or a socket that listens already. */
type Where = net.ListenOptions | { readonly fd: number };

/** One socket that listens. */
interface ListeningSocket {
  /** What it is for now. */
  listener: Listener;
  readonly server: net.Server;
}

/** Why a listener could not be opened. */
export interface ListenFailure {
  readonly error: Error;
  readonly fault: {
    readonly address: ListenAddress;
    /** Of the system's error. */
    readonly code: string;
    readonly message: string;
  };
}

export interface ListenersParts {
  readonly acceptor: Acceptor;
  /** Several workers listen on the same ports. */
  readonly reusePort: boolean;
  /** A socket file can't be shared: one worker has it. */
  readonly opensFiles: boolean;
}

export class Listeners {
  readonly #parts: ListenersParts;
  #sockets: readonly ListeningSocket[] = [];
  /** What `news` has told last. */
  #told = '';

  constructor(parts: ListenersParts) {
    this.#parts = parts;
  }

  /** Returns what is open now; undefined: it was told already. */
  news(): readonly OpenListener[] | undefined {
    const opened = this.#open.map((listener): OpenListener => {
      const servers = this.#sockets
        .filter((socket) => socket.listener === listener)
        .map(({ server }) => server);
      const fds = servers.map(listenerFd).filter((fd) => fd !== undefined);
      return { listener: keyOfListener(listener), port: portOf(servers[0]!), fds };
    });
    const text = opened.map(({ listener, port, fds }) => [listener, port, fds].join(' ')).join();
    if (text === this.#told) return undefined;
    this.#told = text;
    return opened;
  }

  /**
   * Opens what `settings` name and what is not open yet, or takes inherited sockets for it. Calls
   * `done` once, when all are open or one has failed; in that case it closes those it has opened.
   */
  open(
    settings: Settings,
    inherited: readonly ListenerFds[],
    done: (failure: ListenFailure | undefined) => void,
  ): void {
    const stay = new Set(listenersThatStay(this.#open, settings.listeners).values());
    const added = settings.listeners
      .filter((listener) => !stay.has(listener))
      .flatMap((listener) =>
        this.#wheresOf(listener, inherited).map((where) => ({
          where,
          socket: { listener, server: serverFor(listener.address) },
        })),
      );
    let missing = added.length;
    let isDone = missing === 0;
    const finish = (failure: ListenFailure | undefined): void => {
      if (isDone) return;
      isDone = true;
      if (failure !== undefined)
        this.#close((socket) => added.some((one) => one.socket === socket));
      done(failure);
    };
    if (isDone) done(undefined);
    for (const { where, socket } of added) {
      const { server, listener } = socket;
      const { address } = listener;
      this.#sockets = [...this.#sockets, socket];
      takeConnections(server, (accepted) =>
        this.#parts.acceptor.accept(accepted, this.#termsOf(socket)),
      );
      server.on('error', (error: NodeJS.ErrnoException) => {
        const { code = 'UNKNOWN', message } = error;
        if (isDone) this.#parts.acceptor.acceptFailed(error);
        else finish({ error, fault: { address, code, message } });
      });
      server.once('listening', () => {
        if (address.kind === 'unix' && !('fd' in where)) settlePath(address.path);
        missing--;
        if (missing === 0) finish(undefined);
      });
      server.listen({ ...where, backlog: BACKLOG });
    }
  }

  /** What is open is for what `settings` say; what they do not name is closed. */
  keep(settings: Settings): void {
    const stay = listenersThatStay(this.#open, settings.listeners);
    this.#close(({ listener }) => !stay.has(listener));
    for (const socket of this.#sockets) socket.listener = stay.get(socket.listener)!;
  }

  close(): void {
    this.#close(() => true);
  }

  /** Each listener that has a socket, once. */
  get #open(): readonly Listener[] {
    return [...new Set(this.#sockets.map(({ listener }) => listener))];
  }

  #wheresOf(listener: Listener, inherited: readonly ListenerFds[]): Where[] {
    const key = keyOfListener(listener);
    const given = inherited.find((one) => one.listener === key)?.fds ?? [];
    if (given.length > 0) return given.map((fd) => ({ fd }));
    const { reusePort, opensFiles } = this.#parts;
    const address = addressOfListener(listener);
    if (address.kind === 'unix') return opensFiles ? [{ path: bindingPath(address.path) }] : [];
    return [{ host: address.host, port: address.port, reusePort }];
  }

  /** A redirect leads to where TLS is spoken now: that port may be found later, or be another one. */
  #termsOf({ listener }: ListeningSocket): Listener {
    if (listener.use !== 'redirect' || listener.redirectPort !== 0) return listener;
    const secure = this.#sockets.find(
      ({ listener: { tls, address } }) => tls !== undefined && address.kind === 'tcp',
    );
    const port = secure === undefined ? 0 : portOf(secure.server);
    return { ...listener, redirectPort: port === 0 ? HTTPS_PORT : port };
  }

  #close(which: (socket: ListeningSocket) => boolean): void {
    for (const socket of this.#sockets) if (which(socket)) socket.server.close();
    this.#sockets = this.#sockets.filter((socket) => !which(socket));
  }
}

function serverFor(address: ListenAddress): net.Server {
  return net.createServer({ ...ACCEPT_OPTIONS, noDelay: address.kind === 'tcp' });
}

function portOf(server: net.Server): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

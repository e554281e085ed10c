// The sockets on which the worker listens. They may change while it runs: new ones are opened
// before a table comes into force, those that it does not name are closed afterwards.

import net from 'node:net';
import { listenerFd } from '../../base/listener-fd.ts';
import { bindingPath, settlePath } from '../../base/socket-file.ts';
import type { ListenerFds } from '../../contract/messages.ts';
import type { DataPlaneSettings, ListenAddress } from '../../contract/worker-settings.ts';
import { ACCEPT_OPTIONS, takeConnections, type Accepted } from '../transport/accepted-socket.ts';

/** Connections the kernel may hold while a worker is busy; the system's own limit applies too. */
const BACKLOG = 4_096;

/** Takes the connections that come in. */
export interface Acceptor {
  accept(accepted: Accepted, isPreview: boolean): void;
  /** A connection could not be accepted: most likely the process has no descriptors left. */
  acceptFailed(error: Error): void;
}

type Settings = Pick<DataPlaneSettings, 'listen' | 'previewListen'>;

/** What a server listens on: an address, or a socket that listens already. */
type Where = net.ListenOptions | { readonly fd: number };

/** One socket that listens. */
interface Listener {
  /** The address that was asked for; if that was any port, also the address with the port found. */
  readonly keys: Set<string>;
  readonly isPreview: boolean;
  readonly server: net.Server;
}

/** Ports are 0 where there is none; descriptors are missing where the system does not tell. */
export interface Opened {
  readonly port: number;
  readonly previewPort: number;
  readonly fds: ListenerFds;
}

export class Listeners {
  readonly #acceptor: Acceptor;
  readonly #reusePort: boolean;
  #listeners: readonly Listener[] = [];

  constructor(acceptor: Acceptor, reusePort: boolean) {
    this.#acceptor = acceptor;
    this.#reusePort = reusePort;
  }

  /** What is open now. */
  get opened(): Opened {
    const of = (isPreview: boolean): net.Server[] =>
      this.#listeners
        .filter((listener) => listener.isPreview === isPreview)
        .map(({ server }) => server);
    const [main, preview] = [of(false), of(true)];
    return {
      port: portOf(main[0]),
      previewPort: portOf(preview[0]),
      fds: { listen: fdsOf(main), preview: fdsOf(preview) },
    };
  }

  /**
   * Opens what `settings` name and what is not open yet, or takes inherited sockets for it. Calls
   * `done` once, when all are open or one has failed; in that case it closes those it has opened.
   */
  open(
    settings: Settings,
    inherited: ListenerFds,
    done: (error: NodeJS.ErrnoException | undefined) => void,
  ): void {
    const known = new Set(this.#listeners.flatMap(({ keys }) => [...keys]));
    const added = wanted(settings)
      .filter(({ key }) => !known.has(key))
      .flatMap(({ key, address, isPreview }) => {
        const fds = isPreview ? inherited.preview : inherited.listen;
        const wheres: Where[] = fds.map((fd) => ({ fd }));
        if (wheres.length === 0) wheres.push(placeOf(address, this.#reusePort));
        return wheres.map((where) => ({
          key,
          address,
          isPreview,
          where,
          server: this.#server(address),
        }));
      });
    let missing = added.length;
    let isDone = missing === 0;
    const finish = (error: NodeJS.ErrnoException | undefined): void => {
      if (isDone) return;
      isDone = true;
      if (error !== undefined)
        this.#close(({ server }) => added.some((one) => one.server === server));
      done(error);
    };
    if (isDone) done(undefined);
    for (const { key, address, isPreview, where, server } of added) {
      const listener = { keys: new Set([key]), isPreview, server };
      this.#listeners = [...this.#listeners, listener];
      takeConnections(server, (accepted) => this.#acceptor.accept(accepted, isPreview));
      server.on('error', (error) => (isDone ? this.#acceptor.acceptFailed(error) : finish(error)));
      server.once('listening', () => {
        if (address.kind === 'unix' && !('fd' in where)) settlePath(address.path);
        if (address.kind === 'tcp')
          listener.keys.add(keyOf({ ...address, port: portOf(server) }, isPreview));
        missing--;
        if (missing === 0) finish(undefined);
      });
      server.listen({ ...where, backlog: BACKLOG });
    }
  }

  /** Closes what `settings` do not name. */
  keep(settings: Settings): void {
    const names = wanted(settings).map(({ key }) => key);
    this.#close(({ keys }) => !names.some((key) => keys.has(key)));
  }

  close(): void {
    this.#close(() => true);
  }

  #close(which: (listener: Listener) => boolean): void {
    for (const listener of this.#listeners) if (which(listener)) listener.server.close();
    this.#listeners = this.#listeners.filter((listener) => !which(listener));
  }

  #server(address: ListenAddress): net.Server {
    return net.createServer({ ...ACCEPT_OPTIONS, noDelay: address.kind === 'tcp' });
  }
}

interface Wanted {
  readonly key: string;
  readonly address: ListenAddress;
  readonly isPreview: boolean;
}

function wanted({ listen, previewListen }: Settings): Wanted[] {
  const main = { key: keyOf(listen, false), address: listen, isPreview: false };
  if (previewListen === undefined) return [main];
  return [main, { key: keyOf(previewListen, true), address: previewListen, isPreview: true }];
}

function keyOf(address: ListenAddress, isPreview: boolean): string {
  const place = address.kind === 'unix' ? address.path : `${address.host} ${address.port}`;
  return `${isPreview ? 'preview' : 'main'} ${address.kind} ${place}`;
}

function placeOf(address: ListenAddress, reusePort: boolean): net.ListenOptions {
  if (address.kind === 'unix') return { path: bindingPath(address.path) };
  return { host: address.host, port: address.port, reusePort };
}

function portOf(server: net.Server | undefined): number {
  const address = server?.address() ?? null;
  return address !== null && typeof address === 'object' ? address.port : 0;
}

function fdsOf(servers: readonly net.Server[]): number[] {
  return servers.map(listenerFd).filter((fd) => fd !== undefined);
}

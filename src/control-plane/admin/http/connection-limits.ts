// How many connections operators and scrapers may have. The places are bounded and shared, so that
// no network keeps the others out: when all are taken, a new connection takes the place of the one
// that has waited longest among those of the network that has most. Knows when connections are
// answered, not what is asked.

import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isLoopback } from '../../../config/values/host-name.ts';
import { networkOf } from '../../../base/network.ts';
import { addressOf } from '../../base/peer.ts';
import {
  ADMIN_ANSWER_TIMEOUT_MS,
  ADMIN_CONNECTIONS_LOCAL_MAX,
  ADMIN_CONNECTIONS_OTHERS_MAX,
  ADMIN_HEAD_BYTES_MAX,
  ADMIN_KEEP_ALIVE_TIMEOUT_MS,
  ADMIN_LOOK_EVERY_MS,
  ADMIN_REQUEST_TIMEOUT_MS,
  ADMIN_CLOSED_TOLD_EVERY_MS,
} from '../../base/control-limits.ts';
import type { Log } from '../../base/log.ts';

/** Code under which `turnout_admin_refused_total` counts connections that were closed for others. */
const TOO_MANY_CONNECTIONS = 'too-many-connections';

/** Limits in time and size that every server of the control plane has. */
export const SERVER_LIMITS = {
  maxHeaderSize: ADMIN_HEAD_BYTES_MAX,
  requestTimeout: ADMIN_REQUEST_TIMEOUT_MS,
  headersTimeout: ADMIN_REQUEST_TIMEOUT_MS,
  keepAliveTimeout: ADMIN_KEEP_ALIVE_TIMEOUT_MS,
  connectionsCheckingInterval: ADMIN_LOOK_EVERY_MS,
} as const;

export interface Limits {
  /** Connections over loopback or a Unix socket; others do not take their places. */
  readonly localMax: number;
  /** Connections from anywhere else. */
  readonly othersMax: number;
  /** Between two requests, from the first byte of the second to its last included. */
  readonly waitMs: number;
  /** From the end of an answer to the moment when the system has taken all of it. */
  readonly answerMs: number;
}

export const CONNECTION_LIMITS: Limits = {
  localMax: ADMIN_CONNECTIONS_LOCAL_MAX,
  othersMax: ADMIN_CONNECTIONS_OTHERS_MAX,
  waitMs: ADMIN_KEEP_ALIVE_TIMEOUT_MS + ADMIN_REQUEST_TIMEOUT_MS,
  answerMs: ADMIN_ANSWER_TIMEOUT_MS,
};

interface LimitsParts {
  /** As the log names it. */
  readonly what: string;
  readonly limits: Limits;
  /** Counts connections that were closed for others, by code. */
  readonly turnedAway: Map<string, number>;
  readonly log: Log;
}

interface Connection {
  readonly socket: Socket;
  /** By what a request finds its connection. */
  readonly peer: string | Socket;
  /** What has one share of the places: an address of this machine, a network elsewhere. */
  readonly network: string;
  /** The connections that share the same places. */
  readonly group: Set<Connection>;
  /** Answers that have not left to their end, the oldest first. */
  readonly answers: Set<ServerResponse>;
  /** Since when nothing was asked, in ms of a clock that never jumps. */
  waitsSinceMs: number;
  /** Since when an answer is ready that is not read; undefined: none is. */
  unreadSinceMs: number | undefined;
}

export class ConnectionLimits {
  readonly #parts: LimitsParts;
  readonly #local = new Set<Connection>();
  readonly #others = new Set<Connection>();
  readonly #byPeer = new Map<string | Socket, Connection>();
  readonly #timer: NodeJS.Timeout;
  /** Closed for others, and not logged yet. */
  #closed = { count: 0, network: '' };
  #toldAtMs = -Infinity;

  constructor(parts: LimitsParts) {
    this.#parts = parts;
    parts.turnedAway.set(TOO_MANY_CONNECTIONS, parts.turnedAway.get(TOO_MANY_CONNECTIONS) ?? 0);
    this.#timer = setInterval(() => this.#look(), ADMIN_LOOK_EVERY_MS).unref();
  }

  /** Takes the connections of `server`, from now on. */
  watch(server: Server): void {
    server.on('connection', (socket: Socket) => this.#join(socket, server.address()));
    server.on('request', ({ socket }, answer) => {
      const connection = this.#byPeer.get(peerOf(socket));
      if (connection === undefined) return;
      connection.answers.add(answer);
      answer.once('close', () => {
        connection.answers.delete(answer);
        connection.unreadSinceMs = undefined;
        connection.waitsSinceMs = performance.now();
      });
    });
  }

  /** Looks at no connection any more. */
  close(): void {
    clearInterval(this.#timer);
  }

  #join(socket: Socket, listener: ReturnType<Server['address']>): void {
    const isFile = listener === null || typeof listener === 'string';
    const address = isFile ? 'unix' : addressOf(socket);
    const isLocal = isFile || isLoopback(address);
    const { localMax, othersMax } = this.#parts.limits;
    const connection: Connection = {
      socket,
      peer: peerOf(socket),
      network: isLocal ? address : networkOf(address),
      group: isLocal ? this.#local : this.#others,
      answers: new Set(),
      waitsSinceMs: performance.now(),
      unreadSinceMs: undefined,
    };
    const isFull = connection.group.size >= (isLocal ? localMax : othersMax);
    const closed = isFull ? connectionToClose(connection) : undefined;
    if (closed !== undefined) this.#turnAway(closed);
    if (closed === connection) return;
    connection.group.add(connection);
    this.#byPeer.set(connection.peer, connection);
    socket.once('close', () => this.#forget(connection));
  }

  #turnAway(connection: Connection): void {
    const { turnedAway } = this.#parts;
    turnedAway.set(TOO_MANY_CONNECTIONS, (turnedAway.get(TOO_MANY_CONNECTIONS) ?? 0) + 1);
    this.#closed = { count: this.#closed.count + 1, network: connection.network };
    // At once: it counts no longer when the next one comes.
    this.#forget(connection);
    connection.socket.destroy();
  }

  #forget(connection: Connection): void {
    connection.group.delete(connection);
    if (this.#byPeer.get(connection.peer) === connection) this.#byPeer.delete(connection.peer);
  }

  /** Ends what no other limit ends: connections that ask nothing, or do not read. */
  #look(): void {
    const { waitMs, answerMs } = this.#parts.limits;
    const nowMs = performance.now();
    for (const connection of this.#byPeer.values()) {
      const [answer] = connection.answers;
      if (answer?.writableEnded === true) connection.unreadSinceMs ??= nowMs;
      const { unreadSinceMs = nowMs, waitsSinceMs } = connection;
      const isOver =
        answer === undefined ? nowMs - waitsSinceMs > waitMs : nowMs - unreadSinceMs > answerMs;
      if (isOver) connection.socket.destroy();
    }
    this.#tell(nowMs);
  }

  #tell(nowMs: number): void {
    const { what, log } = this.#parts;
    const { count, network } = this.#closed;
    if (count === 0 || nowMs - this.#toldAtMs < ADMIN_CLOSED_TOLD_EVERY_MS) return;
    this.#toldAtMs = nowMs;
    this.#closed = { count: 0, network: '' };
    log.warn(
      { count, address: network },
      `${what}: too many connections; ${count} that asked nothing were closed, the last one of ${network}`,
    );
  }
}

/**
 * Returns which connection is closed when `fresh` finds no place: of the networks that have most, or
 * of its own network where none has more, the one that has waited longest. No answer is cut off for
 * another connection of the same network: then `fresh` itself is closed.
 */
function connectionToClose(fresh: Connection): Connection {
  const counts = new Map<string, number>();
  for (const { network } of fresh.group) counts.set(network, (counts.get(network) ?? 0) + 1);
  const most = Math.max(...counts.values());
  const hasMost = counts.get(fresh.network) === most;
  const candidates = [...fresh.group].filter(({ network }) =>
    hasMost ? network === fresh.network : counts.get(network) === most,
  );
  const waiting = candidates.filter(isWaiting);
  if (waiting.length === 0 && hasMost) return fresh;
  const [first, ...rest] = waiting.length === 0 ? candidates : waiting;
  return rest.reduce((least, one) => (one.waitsSinceMs < least.waitsSinceMs ? one : least), first!);
}

/** Tells whether a connection asks nothing, or does not read what it asked for. */
function isWaiting({ answers }: Connection): boolean {
  const [answer] = answers;
  return answer === undefined || answer.writableEnded;
}

/** TLS has a second socket for the same connection. On a Unix socket peers have no name, and no TLS. */
function peerOf(socket: Socket): string | Socket {
  const { remoteAddress, remotePort, localAddress } = socket;
  return remotePort === undefined ? socket : `${remoteAddress} ${remotePort} ${localAddress}`;
}

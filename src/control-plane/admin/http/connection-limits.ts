// Room for the connections of operators and scrapers: bounded, and shared, so that nobody keeps
// others out. When it is full, whoever comes takes the place of somebody who has most of them and
// waits longest. Knows when connections are answered, not what is asked.

import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isLoopback } from '../../../config/values/host-name.ts';
import { addressOf, networkOf } from '../../base/peer.ts';
import {
  ADMIN_ANSWER_TIMEOUT_MS,
  ADMIN_CONNECTIONS_LOCAL_MAX,
  ADMIN_CONNECTIONS_OTHERS_MAX,
  ADMIN_HEAD_BYTES_MAX,
  ADMIN_KEEP_ALIVE_TIMEOUT_MS,
  ADMIN_LOOK_EVERY_MS,
  ADMIN_REQUEST_TIMEOUT_MS,
  ADMIN_ROOM_TOLD_EVERY_MS,
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

export interface RoomLimits {
  /** Connections over loopback or a Unix socket; nobody else takes their places. */
  readonly localMax: number;
  /** Connections from anywhere else. */
  readonly othersMax: number;
  /** Between two requests, from the first byte of the second to its last included. */
  readonly waitMs: number;
  /** From the end of an answer to the moment when the system has taken all of it. */
  readonly answerMs: number;
}

export const ROOM_LIMITS: RoomLimits = {
  localMax: ADMIN_CONNECTIONS_LOCAL_MAX,
  othersMax: ADMIN_CONNECTIONS_OTHERS_MAX,
  waitMs: ADMIN_KEEP_ALIVE_TIMEOUT_MS + ADMIN_REQUEST_TIMEOUT_MS,
  answerMs: ADMIN_ANSWER_TIMEOUT_MS,
};

interface RoomParts {
  /** As the log names it. */
  readonly what: string;
  readonly limits: RoomLimits;
  /** Counts, by code, who was turned away. */
  readonly turnedAway: Map<string, number>;
  readonly log: Log;
}

interface Guest {
  readonly socket: Socket;
  /** What a request knows of its connection. */
  readonly peer: string | Socket;
  /** Who shares a share: an address of this machine, a network elsewhere. */
  readonly party: string;
  readonly guests: Set<Guest>;
  /** Answers that have not left to their end, the oldest first. */
  readonly answers: Set<ServerResponse>;
  /** Since when nothing was asked, in ms of a clock that never jumps. */
  waitsSinceMs: number;
  /** Since when an answer is ready that is not read; undefined: none is. */
  unreadSinceMs: number | undefined;
}

export class Room {
  readonly #parts: RoomParts;
  readonly #local = new Set<Guest>();
  readonly #others = new Set<Guest>();
  readonly #byPeer = new Map<string | Socket, Guest>();
  readonly #timer: NodeJS.Timeout;
  /** Closed for others, and not told yet. */
  #closed = { count: 0, party: '' };
  #toldAtMs = -Infinity;

  constructor(parts: RoomParts) {
    this.#parts = parts;
    parts.turnedAway.set(TOO_MANY_CONNECTIONS, parts.turnedAway.get(TOO_MANY_CONNECTIONS) ?? 0);
    this.#timer = setInterval(() => this.#look(), ADMIN_LOOK_EVERY_MS).unref();
  }

  /** Takes the connections of `server`, from now on. */
  watch(server: Server): void {
    server.on('connection', (socket: Socket) => this.#join(socket, server.address()));
    server.on('request', ({ socket }, answer) => {
      const guest = this.#byPeer.get(peerOf(socket));
      if (guest === undefined) return;
      guest.answers.add(answer);
      answer.once('close', () => {
        guest.answers.delete(answer);
        guest.unreadSinceMs = undefined;
        guest.waitsSinceMs = performance.now();
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
    const guest: Guest = {
      socket,
      peer: peerOf(socket),
      party: isLocal ? address : networkOf(address),
      guests: isLocal ? this.#local : this.#others,
      answers: new Set(),
      waitsSinceMs: performance.now(),
      unreadSinceMs: undefined,
    };
    const isFull = guest.guests.size >= (isLocal ? localMax : othersMax);
    const leaving = isFull ? whoLeaves(guest) : undefined;
    if (leaving !== undefined) this.#turnAway(leaving);
    if (leaving === guest) return;
    guest.guests.add(guest);
    this.#byPeer.set(guest.peer, guest);
    socket.once('close', () => this.#forget(guest));
  }

  #turnAway(guest: Guest): void {
    const { turnedAway } = this.#parts;
    turnedAway.set(TOO_MANY_CONNECTIONS, (turnedAway.get(TOO_MANY_CONNECTIONS) ?? 0) + 1);
    this.#closed = { count: this.#closed.count + 1, party: guest.party };
    // At once: it counts no longer when the next one comes.
    this.#forget(guest);
    guest.socket.destroy();
  }

  #forget(guest: Guest): void {
    guest.guests.delete(guest);
    if (this.#byPeer.get(guest.peer) === guest) this.#byPeer.delete(guest.peer);
  }

  /** Ends what no other limit ends: who asks nothing, and who does not read. */
  #look(): void {
    const { waitMs, answerMs } = this.#parts.limits;
    const nowMs = performance.now();
    for (const guest of this.#byPeer.values()) {
      const [answer] = guest.answers;
      if (answer?.writableEnded === true) guest.unreadSinceMs ??= nowMs;
      const { unreadSinceMs = nowMs, waitsSinceMs } = guest;
      const isOver =
        answer === undefined ? nowMs - waitsSinceMs > waitMs : nowMs - unreadSinceMs > answerMs;
      if (isOver) guest.socket.destroy();
    }
    this.#tell(nowMs);
  }

  #tell(nowMs: number): void {
    const { what, log } = this.#parts;
    const { count, party } = this.#closed;
    if (count === 0 || nowMs - this.#toldAtMs < ADMIN_ROOM_TOLD_EVERY_MS) return;
    this.#toldAtMs = nowMs;
    this.#closed = { count: 0, party: '' };
    log.warn(
      { count, address: party },
      `${what}: too many connections; ${count} that asked nothing were closed, the last one of ${party}`,
    );
  }
}

/**
 * Returns who leaves when `comes` finds no place: of those who have most, or of his own where nobody
 * has more, who has waited longest. Nobody's answer is cut off for another connection of his own:
 * then it is `comes` who leaves.
 */
function whoLeaves(comes: Guest): Guest {
  const counts = new Map<string, number>();
  for (const { party } of comes.guests) counts.set(party, (counts.get(party) ?? 0) + 1);
  const most = Math.max(...counts.values());
  const isGreedy = counts.get(comes.party) === most;
  const candidates = [...comes.guests].filter(({ party }) =>
    isGreedy ? party === comes.party : counts.get(party) === most,
  );
  const waiting = candidates.filter(isWaiting);
  if (waiting.length === 0 && isGreedy) return comes;
  const [first, ...rest] = waiting.length === 0 ? candidates : waiting;
  return rest.reduce((least, one) => (one.waitsSinceMs < least.waitsSinceMs ? one : least), first!);
}

/** He asks nothing, or does not read what he asked for. */
function isWaiting({ answers }: Guest): boolean {
  const [answer] = answers;
  return answer === undefined || answer.writableEnded;
}

/** TLS has a socket of its own for the same connection. On a Unix socket peers have no name, and no TLS. */
function peerOf(socket: Socket): string | Socket {
  const { remoteAddress, remotePort, localAddress } = socket;
  return remotePort === undefined ? socket : `${remoteAddress} ${remotePort} ${localAddress}`;
}

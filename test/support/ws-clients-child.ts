// Many WebSocket clients: each hears the color, sends messages of its own, checks those of the
// server, and notes how it was closed. Started by ws-children.ts, which asks over IPC.

import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { unreachable } from '../../src/base/assert.ts';
import { Random } from './random.ts';
import { answerParent, Counts } from './ws-answering.ts';
import type { ClientsAsk, ClientsPlan, ClientsVerdict } from './ws-children.ts';
import { nowMs, StallWitness } from './ws-evenness.ts';
import { Flow, MESSAGE_BYTES_MAX, Messages, seedsOf, sendNext } from './ws-messages.ts';

/** Clients that are being opened at one time. */
const BATCH = 100;

const plan = JSON.parse(process.argv[2]!) as ClientsPlan;
const random = new Random(plan.seed);
const codes = new Counts();
const faults = new Counts();
const closedAtMs: number[] = [];
const events = new EventTarget();
let messageCount = 0;
let openCount = 0;
let seedCount = 0;
let isLeaving = false;
let witness: StallWitness | undefined;

class Client {
  readonly colors: string[] = [];
  readonly #headers: Readonly<Record<string, string>>;
  readonly #usesDeflate: boolean;
  #socket: WebSocket | undefined;
  #toServer = new Messages(0);

  constructor(headers: Readonly<Record<string, string>>, usesDeflate: boolean) {
    this.#headers = headers;
    this.#usesDeflate = usesDeflate;
  }

  /** Resolves when the server has told its color. */
  async connect(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const seed = ++seedCount;
    const { fromServer, toServer } = seedsOf(seed);
    const expected = new Messages(fromServer);
    const socket = new WebSocket(`${plan.url}/?seed=${seed}`, {
      headers: this.#headers,
      perMessageDeflate: this.#usesDeflate && { threshold: 64 },
      maxPayload: MESSAGE_BYTES_MAX,
    });
    this.#socket = socket;
    this.#toServer = new Messages(toServer);
    let isTold = false;
    let closedMs = 0;
    let carrier: IncomingMessage['socket'] | undefined;
    socket.on('upgrade', (response) => {
      carrier = response.socket;
    });
    socket.on('open', () => {
      // Runs after the listener of ws itself: a Close frame shows here as soon as it has come.
      carrier!.on('data', () => {
        if (closedMs !== 0) faults.add('bytes behind a Close frame');
        if (socket.readyState === WebSocket.CLOSING && !isLeaving) closedMs = nowMs();
      });
    });
    socket.on('message', (data) => {
      if (isTold) {
        messageCount++;
        if (!(data as Buffer).equals(expected.next())) faults.add('a message is not the next one');
        return;
      }
      isTold = true;
      this.colors.push((data as Buffer).toString());
      openCount++;
      resolve();
      events.dispatchEvent(new Event('opened'));
    });
    socket.on('error', (error) => {
      faults.add(error.message);
      reject(error);
    });
    socket.on('close', (code) => {
      if (isTold) openCount--;
      else faults.add('closed before the color was told');
      codes.add(String(code));
      closedAtMs.push(closedMs || nowMs());
      events.dispatchEvent(new Event('closed'));
      // A failure to open it again shows in the count of connections.
      if (plan.reconnects && !isLeaving) this.connect().catch(() => undefined);
    });
    await promise;
  }

  send(): boolean {
    return this.#socket !== undefined && sendNext(this.#socket, this.#toServer, random);
  }

  /** Resolves with whether the server answers a ping. */
  async ask(): Promise<boolean> {
    const socket = this.#socket!;
    if (socket.readyState !== WebSocket.OPEN) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    socket.once('pong', () => resolve(true));
    socket.once('close', () => resolve(false));
    socket.ping();
    return await promise;
  }

  async leave(): Promise<void> {
    const socket = this.#socket!;
    if (socket.readyState === WebSocket.CLOSED) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once('close', () => resolve());
    socket.close(1000);
    await promise;
  }
}

const clients: Client[] = [];

const flow = new Flow(() => clients[random.below(clients.length)]?.send() ?? false);

async function open(count: number, headers: Readonly<Record<string, string>>): Promise<void> {
  for (let left = count; left > 0; left -= BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, left) }, (_, i) => {
      const usesDeflate = plan.deflateOneIn > 0 && i % plan.deflateOneIn === 0;
      return new Client(headers, usesDeflate);
    });
    clients.push(...batch);
    await Promise.all(batch.map((client) => client.connect()));
  }
}

/** Resolves when `isTrue`, which is asked now and after each `event`. */
async function until(event: 'closed' | 'opened', isTrue: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void => {
    if (isTrue()) resolve();
  };
  events.addEventListener(event, look);
  look();
  await promise;
  events.removeEventListener(event, look);
}

function verdict(): ClientsVerdict {
  const colors = new Counts();
  for (const client of clients) colors.add(client.colors.join(','));
  return {
    open: openCount,
    messages: messageCount,
    colors: colors.toObject(),
    codes: codes.toObject(),
    faults: faults.toObject(),
    closedAtMs: closedAtMs.toSorted((a, b) => a - b),
    stalls: witness?.stalls ?? [],
  };
}

async function obey(ask: ClientsAsk): Promise<unknown> {
  switch (ask.do) {
    case 'open':
      await open(ask.count, ask.headers);
      return undefined;
    case 'flow':
      flow.set(ask.perSecond);
      return undefined;
    case 'closed':
      await until('closed', () => closedAtMs.length >= ask.count);
      if (plan.reconnects) await until('opened', () => openCount === clients.length);
      return verdict();
    case 'settled':
      await until('opened', () => openCount === clients.length);
      return verdict();
    case 'watch': {
      const { hostname: host, port } = new URL(plan.url);
      witness = new StallWitness({ host, port: Number(port) });
      return undefined;
    }
    case 'ask': {
      const answers = await Promise.all(clients.map((client) => client.ask()));
      return answers.filter((isAnswered) => isAnswered).length;
    }
    case 'tell':
      return verdict();
    case 'close':
      isLeaving = true;
      flow.set(0);
      witness?.stop();
      await Promise.all(clients.map((client) => client.leave()));
      return undefined;
    default:
      return unreachable(ask);
  }
}

answerParent('started', obey);

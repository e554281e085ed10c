// Runs a wire case over real sockets: raw client → plane → raw origin, whole and cut at every
// byte, and says what came out differently from what the case expects.

import { readResponse, statusOf } from './message.ts';
import { openOrigin, type Origin, type OriginConnection } from './origin.ts';
import type { TestPlane } from './plane.ts';
import { turns, type RawPeer } from './raw-peer.ts';
import type { WireTransport } from './wire-transport.ts';
import { bytesOf, says, type Item, type WireCase } from './wire-case.ts';
import { expectOrigin, expectReplies, methodsOf, type Cut, type Visit } from './wire-expect.ts';

const DEFAULT_ANSWER: readonly Item[] = [
  { kind: 'bytes', text: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' },
];
const PROBE_REPLY = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nprobe';

/** Enough for the plane to read what was sent, and for the client to read what it relayed. */
const ANSWER_TURNS = 6;
/** Enough for a `(turn)` of the answer to pass, and for the plane to see what follows it. */
const CLIENT_TURNS = 24;

export class WireBench {
  readonly origin: Origin;
  readonly #transport: WireTransport;
  #visit: Visit | undefined;

  private constructor(origin: Origin, transport: WireTransport) {
    this.origin = origin;
    this.#transport = transport;
  }

  static async open(transport: WireTransport): Promise<WireBench> {
    const { certificate } = transport;
    const origin = await openOrigin((connection) => bench.#serve(connection), certificate);
    const bench: WireBench = new WireBench(origin, transport);
    return bench;
  }

  /** Runs the case once through `plane`; returns what is wrong, or undefined. */
  async run(
    plane: TestPlane,
    wireCase: WireCase,
    cut: Cut | undefined,
  ): Promise<string | undefined> {
    const visit: Visit = {
      plane,
      wireCase: this.#transport.expected(wireCase),
      scheme: this.#transport.scheme,
      cut,
      connections: [],
      requests: [],
      begun: 0,
      onHead: () => {},
    };
    this.#visit = visit;
    const client = await this.#transport.connect(plane.port);
    try {
      await playClient(client, visit);
      await expectReplies(client, visit);
      await expectOrigin(visit, this.origin.port);
      return undefined;
    } catch (error) {
      const cutAt = cut === undefined ? 'whole' : `${cut.side} cut before byte ${cut.at}`;
      const message = error instanceof Error ? error.message : String(error);
      return `${cutAt}: ${message}`;
    } finally {
      client.reset();
      this.#visit = undefined;
      // Answers may leave connections in any state; without them the pool is part of the test.
      if (wireCase.answers !== undefined) await this.origin.dropConnections();
    }
  }

  async #serve(connection: OriginConnection): Promise<void> {
    for (;;) {
      const head = await connection.nextHead();
      const visit = this.#visit;
      if (visit === undefined || head === undefined) {
        // Without a visit this is a request that no case sent: cut it, so that the test fails.
        if (connection.ending === undefined) connection.reset();
        else connection.end();
        return;
      }
      if (head.start === 'GET /probe HTTP/1.1') {
        await connection.nextRequest();
        connection.send(PROBE_REPLY);
        continue;
      }
      if (!visit.connections.includes(connection)) visit.connections.push(connection);
      const scripts = visit.wireCase.answers;
      const script = scripts?.[visit.begun] ?? DEFAULT_ANSWER;
      // Cuts belong to the last answer: the one that the case is about.
      const isCut = visit.cut?.side === 'answer' && visit.begun === (scripts?.length ?? 0) - 1;
      visit.begun++;
      visit.onHead();
      await playAnswer(connection, { visit, script, cutAt: isCut ? visit.cut.at : undefined });
      if (connection.ending !== undefined) {
        connection.end();
        return;
      }
    }
  }
}

/** Returns every cut of a case: each position inside the client bytes and inside the last answer. */
export function cutsOf(wireCase: WireCase): Cut[] {
  if (says(wireCase.client, 'unsplit')) return [];
  return [
    ...inside('client', wireCase.client),
    ...inside('answer', wireCase.answers?.at(-1) ?? []),
  ];
}

function inside(side: Cut['side'], items: readonly Item[]): Cut[] {
  const count = Math.max(0, bytesOf(items).length - 1);
  return Array.from({ length: count }, (_, index) => ({ side, at: index + 1 }));
}

interface Playing {
  readonly visit: Visit;
  readonly script: readonly Item[];
  readonly cutAt: number | undefined;
}

async function playAnswer(connection: OriginConnection, playing: Playing): Promise<void> {
  const { visit, script, cutAt } = playing;
  let isTaken = false;
  const take = async (): Promise<boolean> => {
    if (isTaken) return true;
    const from = connection.takenTo;
    const request = await connection.nextRequest();
    if (request === undefined) return false;
    isTaken = true;
    visit.requests.push({ text: connection.text.slice(from, request.end), connection });
    return true;
  };
  if (!says(script, 'after head') && !(await take())) return;
  let sent = 0;
  let readTo = connection.takenTo;
  for (const item of script) {
    if (item.kind === 'bytes') {
      const cut = cutAt === undefined ? -1 : cutAt - sent;
      await connection.sendCut(item.text, cut > 0 && cut < item.text.length ? [cut] : []);
      sent += item.text.length;
      continue;
    }
    switch (item.name) {
      case 'wait':
        if (!(await take())) return;
        break;
      case 'turn':
        await turns(ANSWER_TURNS);
        break;
      case 'close':
        connection.end();
        break;
      case 'reset':
        // What was sent must be read first: a reset may overtake it.
        await turns(ANSWER_TURNS);
        connection.reset();
        return;
      case 'hang':
        await connection.ended();
        break;
      case 'tunnel':
        readTo = connection.takenTo;
        break;
      case 'after head':
        break;
      default: {
        readTo += Number(item.name.slice('read '.length));
        const wanted = readTo;
        await connection.until(
          `${wanted} bytes`,
          () => connection.text.length >= wanted || undefined,
        );
      }
    }
  }
  if (says(script, 'tunnel')) {
    await connection.ended();
    connection.end();
  } else await take();
}

async function playClient(client: RawPeer, visit: Visit): Promise<void> {
  const { client: items } = visit.wireCase;
  const methods = methodsOf(visit.wireCase);
  let sent = 0;
  let readTo = 0;
  let repliesRead = 0;
  let headsSeen = 0;
  for (const item of items) {
    if (item.kind === 'bytes') {
      const cut = visit.cut?.side === 'client' ? visit.cut.at - sent : -1;
      await client.sendCut(item.text, cut > 0 && cut < item.text.length ? [cut] : []);
      sent += item.text.length;
      continue;
    }
    switch (item.name) {
      case 'wait': {
        const from = readTo;
        const method = methods[repliesRead] ?? 'GET';
        const reply = await client.until('reply', () => {
          const found = readResponse(client.text, from, { method, hasEnded: false });
          return found?.isComplete === true ? found : undefined;
        });
        readTo = reply.end;
        if (statusOf(reply.start) >= 200) repliesRead++;
        break;
      }
      case 'wait for origin':
        headsSeen++;
        await headArrives(visit, headsSeen);
        break;
      case 'end':
        client.end();
        break;
      case 'reset':
        client.reset();
        break;
      case 'turn':
        await turns(CLIENT_TURNS);
        break;
      case 'unsplit':
        break;
      default: {
        readTo += Number(item.name.slice('read '.length));
        const wanted = readTo;
        await client.until(`${wanted} bytes`, () => client.text.length >= wanted || undefined);
      }
    }
  }
}

function headArrives(visit: Visit, count: number): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (visit.begun >= count) resolve();
    };
    visit.onHead = look;
    look();
  });
}

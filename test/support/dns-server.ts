// A small DNS server on UDP, and on TCP where a test wants it, that says what the test tells it to:
// records, faults, garbage, or nothing. Written from RFC 1035 and RFC 2782, for tests only.

import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { createServer, isIPv6, type Socket } from 'node:net';
import type { Test } from 'tap';
import { ownAddress } from './own-address.ts';

export interface Srv {
  readonly name: string;
  readonly port: number;
  readonly priority?: number;
}

/** What is said of a name; addresses of both families together. */
export type Zone =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'services'; readonly services: readonly Srv[] }
  /** A response code of RFC 1035 §4.1.1: 2 failure, 3 no such name, 5 refused. */
  | { readonly kind: 'fault'; readonly code: number }
  | { readonly kind: 'silence' }
  /** Any records, also such that do not belong there. */
  | { readonly kind: 'records'; readonly records: readonly AnyRecord[] }
  /** The answer to a question about another name, which leads to `address`. */
  | { readonly kind: 'elsewhere'; readonly name: string; readonly address: string }
  /** On UDP only that there is more to say, which is said on TCP. */
  | { readonly kind: 'truncated'; readonly more: Zone }
  /** Bytes after the first two, which repeat the id of the question. */
  | { readonly kind: 'bytes'; readonly bytes: Buffer };

export interface AnyRecord {
  /** Left out: the name of the question. */
  readonly owner?: string;
  readonly type: number;
  readonly data: Buffer;
  /** In seconds. */
  readonly ttl?: number;
}

export const TYPE = { a: 1, cname: 5, aaaa: 28, srv: 33 } as const;
const TRUNCATED = 0x02_00;
const CLASS_IN = 1;
const NO_SUCH_NAME = 3;

export class DnsServer {
  readonly #zones = new Map<string, Zone>();
  readonly #events = new EventTarget();
  /** An address that only this server has. */
  readonly host: string;
  readonly port: number;
  /** Names that were asked for, with repeats. */
  readonly asked: string[] = [];

  constructor(host: string, port: number) {
    this.host = host;
    this.port = port;
  }

  /** `host:port`. */
  get address(): string {
    return `${this.host}:${this.port}`;
  }

  /** Flags of a Turnout that asks here, and its targets, again and again. */
  get flags(): string[] {
    const names = ['--resolve-servers', this.address, '--resolve-interval', '1s'];
    return [...names, '--health-interval', '100ms'];
  }

  say(name: string, zone: Zone): void {
    this.#zones.set(name, zone);
  }

  lead(name: string, ...addresses: string[]): void {
    this.say(name, { kind: 'addresses', addresses });
  }

  /** Resolves when `name` has been asked for once more. */
  async askedAgain(name: string): Promise<void> {
    const before = this.asked.length;
    while (!this.asked.slice(before).includes(name)) await once(this.#events, 'asked');
  }

  /** Returns what is answered to `query`; undefined: nothing. */
  answer(query: Buffer, { isTcp }: { readonly isTcp: boolean }): Buffer | undefined {
    const { name, type, end } = questionOf(query);
    this.asked.push(name);
    this.#events.dispatchEvent(new Event('asked'));
    const said = this.#zones.get(name) ?? { kind: 'fault', code: NO_SUCH_NAME };
    const question = query.subarray(12, end);
    if (said.kind === 'truncated' && !isTcp) return message(query, question, TRUNCATED, []);
    const zone = said.kind === 'truncated' ? said.more : said;
    if (zone.kind === 'silence') return undefined;
    if (zone.kind === 'bytes') return Buffer.concat([query.subarray(0, 2), zone.bytes]);
    if (zone.kind === 'fault') return message(query, question, zone.code, []);
    if (zone.kind === 'truncated') return message(query, question, TRUNCATED, []);
    if (zone.kind === 'records') return message(query, question, 0, zone.records.map(anyRecord));
    if (zone.kind === 'elsewhere') {
      const other = Buffer.concat([nameData(zone.name), question.subarray(-4)]);
      return message(query, other, 0, [record(TYPE.a, addressData(zone.address))]);
    }
    const answers = recordsOf(zone, type).map((data) => record(type, data));
    return message(query, question, 0, answers);
  }
}

function recordsOf(
  zone: Extract<Zone, { kind: 'addresses' | 'services' }>,
  type: number,
): Buffer[] {
  if (zone.kind === 'services') return type === TYPE.srv ? zone.services.map(srvData) : [];
  return zone.addresses
    .filter((one) => (isIPv6(one) ? TYPE.aaaa : TYPE.a) === type)
    .map(addressData);
}

/** Opens a server on an address of its own, on UDP and perhaps TCP; it closes with the test. */
export async function openDns(t: Test, { tcp = false } = {}): Promise<DnsServer> {
  const socket = createSocket('udp4');
  t.teardown(() => {
    socket.close();
  });
  socket.bind(0, ownAddress());
  await once(socket, 'listening');
  const { address, port } = socket.address();
  const server = new DnsServer(address, port);
  socket.on('message', (query: Buffer, from: RemoteInfo) => {
    const answer = server.answer(query, { isTcp: false });
    if (answer !== undefined) socket.send(answer, from.port, from.address);
  });
  if (tcp) await openTcp(t, server);
  return server;
}

/** RFC 1035 §4.2.2: each message comes behind its length. */
async function openTcp(t: Test, server: DnsServer): Promise<void> {
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    let bytes = Buffer.alloc(0);
    socket.on('data', (part: Buffer) => {
      bytes = Buffer.concat([bytes, part]);
      while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
        const end = 2 + bytes.readUInt16BE(0);
        const answer = server.answer(bytes.subarray(2, end), { isTcp: true });
        bytes = bytes.subarray(end);
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer?.length ?? 0);
        if (answer !== undefined) socket.write(Buffer.concat([length, answer]));
      }
    });
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  listener.listen(server.port, server.host);
  await once(listener, 'listening');
}

function questionOf(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at]!; length !== 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** `flags`: response code, and whether there is more. */
function message(query: Buffer, question: Buffer, flags: number, answers: Buffer[]): Buffer {
  const head = Buffer.alloc(12);
  query.copy(head, 0, 0, 2);
  head.writeUInt16BE(0x84_00 | flags, 2); // An answer, with authority.
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(answers.length, 6);
  return Buffer.concat([head, question, ...answers]);
}

function record(type: number, data: Buffer): Buffer {
  return anyRecord({ type, data });
}

function anyRecord({ owner, type, data, ttl = 0 }: AnyRecord): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(CLASS_IN, 2);
  head.writeUInt32BE(ttl, 4);
  head.writeUInt16BE(data.length, 8);
  // Left out, it points at the name of the question.
  const name = owner === undefined ? Buffer.from('c00c', 'hex') : nameData(owner);
  return Buffer.concat([name, head, data]);
}

export function addressData(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail = ''] = address.split('::');
  const zeros = 8 - groups(head).length - groups(tail).length;
  const data = Buffer.alloc(16);
  [...groups(head), ...Array.from({ length: zeros }, () => 0), ...groups(tail)].forEach(
    (group, index) => data.writeUInt16BE(group, index * 2),
  );
  return data;
}

function groups(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}

export function srvData({ name, port, priority = 0 }: Srv): Buffer {
  const head = Buffer.alloc(6);
  head.writeUInt16BE(priority, 0);
  head.writeUInt16BE(port, 4);
  return Buffer.concat([head, nameData(name)]);
}

/** Returns a name as labels; `.` is the root. */
export function nameData(name: string): Buffer {
  const labels = name
    .split('.')
    .filter((label) => label !== '')
    .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

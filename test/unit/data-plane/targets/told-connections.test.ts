// Targets that are told of the client by a PROXY header: a connection to one is never used for another
// client than its header says, whatever clients and targets do in which order.

import * as fc from 'fast-check';
import t, { type Test } from 'tap';
import { UNREPEATABLE_REUSE_MS } from '../../../../src/base/limits.ts';
import type { ProxyVersion } from '../../../../src/base/proxy-greeting.ts';
import { authority, pemsOf } from '../../../support/certificates.ts';
import { GET, publish, responseOf } from '../../../support/fault-bench.ts';
import {
  FIRST_VERSION,
  openTestPlane,
  testTable,
  type SettingsPatch,
  type TestPlane,
} from '../../../support/plane.ts';
import { connectRaw, type RawPeer } from '../../../support/raw-peer.ts';
import {
  becomes,
  comesToRest,
  endpointCount,
  failureCounts,
  gaugesOf,
} from '../../../support/shared-counters.ts';
import { openToldOrigin, type ToldOptions, type ToldOrigin } from '../../../support/told-origin.ts';
import { shortDir } from '../../control-plane/support/fixtures.ts';
import { binaryHeader } from '../support/proxy-bytes.ts';

const MANY_BYTES = 1_048_576;

interface Scene {
  readonly plane: TestPlane;
  readonly origin: ToldOrigin;
  readonly connect: () => Promise<Client>;
}

/** A client connection, and what a target has to be told of it. */
class Client {
  readonly peer: RawPeer;
  readonly said: string;
  #at = 0;

  constructor(peer: RawPeer, said: string) {
    this.peer = peer;
    this.said = said;
  }

  /** Resolves with the body of the response. */
  async ask(request = GET): Promise<string> {
    this.peer.send(request);
    const method = request.slice(0, request.indexOf(' '));
    const response = await responseOf(this.peer, { from: this.#at, method });
    this.#at = response.end;
    return response.body;
  }
}

const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok';

async function withTold(
  t: Test,
  version: ProxyVersion,
  { patch = {}, ...options }: ToldOptions & { readonly patch?: SettingsPatch },
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const origin = await openToldOrigin(t, options);
  const service = { sendProxy: version, ...patch.service };
  const plane = await openTestPlane({ blue: [origin.port], green: [] }, { ...patch, service });
  const clients: RawPeer[] = [];
  const connect = async (): Promise<Client> => {
    const peer = await connectRaw(plane.port);
    clients.push(peer);
    return new Client(peer, `127.0.0.1 ${peer.socket.localPort} > 127.0.0.1 ${plane.port}`);
  };
  try {
    await body({ plane, origin, connect });
    for (const client of clients) client.socket.destroy();
    await comesToRest(t, plane);
  } finally {
    for (const client of clients) client.socket.destroy();
    await plane.stop();
  }
}

for (const version of ['v1', 'v2'] as const) {
  await t.test(`${version}: each client has a connection, and keeps it`, async (t) => {
    await withTold(t, version, {}, async ({ plane, connect }) => {
      const [anna, bob] = [await connect(), await connect()];
      for (const one of [anna, bob, anna, anna, bob]) t.equal(await one.ask(), one.said);
      t.equal(endpointCount(plane, 'connects'), 2);
      anna.peer.end();
      t.ok(
        await becomes(() => gaugesOf(plane).endpointConnections === 1),
        'it ends with its client',
      );
      t.equal(await bob.ask(), bob.said);
    });
  });
}

/** What may happen next. Names are of places for clients: who leaves, leaves room for another. */
type Step =
  | { readonly kind: 'ask'; readonly who: number; readonly text: string }
  | { readonly kind: 'all' }
  | { readonly kind: 'leave'; readonly who: number }
  | { readonly kind: 'drop' }
  | { readonly kind: 'pass'; readonly ms: number };

const CLIENTS = 4;
const who = fc.nat(CLIENTS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      who,
      text: fc.constantFrom(
        GET,
        POST,
        GET.replace('/', '/last'),
        GET.replace('/', '/dropped'),
        GET.replace('/', '/silent'),
      ),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'all' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), who }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'drop' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1_500, 5_000) }),
  },
);

await t.test('no order of requests, retries and ends makes two clients share one', async (t) => {
  const dropped = new Set<string>();
  const options: ToldOptions = {
    answer: (said, request, response) => {
      if (request.url === '/last') response.setHeader('Connection', 'close');
      // Once for each connection: the request is sent again on another one.
      if (request.url === '/silent' && !dropped.has(said)) {
        dropped.add(said);
        request.socket.destroy();
        return;
      }
      response.end(said, () => {
        if (request.url === '/dropped') request.socket.destroy();
      });
    },
  };
  for (const connectionsMax of [1, 2, 256]) {
    const patch = { upstream: { connectionsMax } };
    await withTold(t, 'v2', { ...options, patch }, async ({ plane, origin, connect }) => {
      const run = async (steps: readonly Step[]): Promise<void> => {
        const clients = await Promise.all(Array.from({ length: CLIENTS }, connect));
        const ask = async (place: number, text: string): Promise<void> => {
          const client = clients[place]!;
          const body = await client.ask(text);
          // A target that leaves twice has no answer; what it answers is for this client.
          if (body === client.said || body.startsWith('502 UPSTREAM_CLOSED')) return;
          throw new Error(`${client.said} was told as ${body}`);
        };
        for (const one of steps) {
          if (one.kind === 'ask') await ask(one.who, one.text);
          else if (one.kind === 'all')
            await Promise.all(clients.map((_, place) => ask(place, GET)));
          else if (one.kind === 'pass') plane.plane.wheel.advance(one.ms / 100);
          else if (one.kind === 'drop') for (const socket of origin.open) socket.destroy();
          else {
            clients[one.who]!.peer.socket.destroy();
            clients[one.who] = await connect();
          }
        }
        for (const { peer } of clients) peer.socket.destroy();
      };
      await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), run), { numRuns: 12 });
      t.ok(endpointCount(plane, 'connects') > 1);
    });
  }
});

await t.test('what can not be sent again goes on a connection that was used lately', async (t) => {
  await withTold(t, 'v1', {}, async ({ plane, connect }) => {
    const anna = await connect();
    t.equal(await anna.ask(POST), anna.said);
    t.equal(await anna.ask(POST), anna.said);
    t.equal(endpointCount(plane, 'connects'), 1);
    plane.plane.wheel.advance(UNREPEATABLE_REUSE_MS / 100 + 2);
    t.equal(await anna.ask(POST), anna.said);
    t.equal(endpointCount(plane, 'connects'), 2);
    t.ok(await becomes(() => gaugesOf(plane).endpointConnections === 1), 'the older one has gone');
  });
});

await t.test('one that rests makes room for another client', async (t) => {
  const patch = { upstream: { connectionsMax: 1, waitingMax: 8 } };
  await withTold(t, 'v1', { patch }, async ({ plane, connect }) => {
    const [anna, bob] = [await connect(), await connect()];
    for (const one of [anna, bob, anna]) t.equal(await one.ask(), one.said);
    t.equal(endpointCount(plane, 'connects'), 3);
    const both = await Promise.all([anna.ask(), bob.ask()]);
    t.strictSame(both, [anna.said, bob.said], 'also while another one waits');
    t.strictSame(failureCounts(plane), {});
  });
});

await t.test('nothing is connected ahead, where no client is known yet', async (t) => {
  await withTold(t, 'v1', {}, async ({ plane, origin, connect }) => {
    const table = testTable(
      FIRST_VERSION + 1,
      'blue',
      { blue: [origin.port], green: [] },
      { sendProxy: 'v1' },
    );
    publish(plane, table);
    const anna = await connect();
    t.equal(await anna.ask(), anna.said);
    t.strictSame(origin.headers, [anna.said]);
  });
});

await t.test('switched off and on, connections of before are not used', async (t) => {
  await withTold(t, 'v1', { isLenient: true }, async ({ plane, origin, connect }) => {
    const targets = { blue: [origin.port], green: [] };
    const [anna, bob] = [await connect(), await connect()];
    t.equal(await anna.ask(), anna.said);
    publish(plane, testTable(FIRST_VERSION + 1, 'blue', targets));
    t.equal(await anna.ask(), 'none');
    t.equal(await bob.ask(), 'none');
    publish(plane, testTable(FIRST_VERSION + 2, 'blue', targets, { sendProxy: 'v2' }));
    t.equal(await bob.ask(), bob.said);
    t.equal(await anna.ask(), anna.said);
    t.equal(origin.headers.length, 4);
  });
});

await t.test('a client of a balancer is told as the balancer tells it', async (t) => {
  const patch = { listener: { proxyFrom: ['127.0.0.1'] } };
  for (const version of ['v1', 'v2'] as const) {
    await withTold(t, version, { patch }, async ({ plane, connect }) => {
      const ends = '203.0.113.7 5000 > 192.0.2.1 443';
      const anna = await connect();
      anna.peer.send(binaryHeader().toString('latin1'));
      t.equal(await anna.ask(), ends);
      const mapped = await connect();
      mapped.peer.send('PROXY TCP6 ::ffff:203.0.113.7 ::ffff:192.0.2.1 5000 443\r\n');
      t.equal(await mapped.ask(), ends, 'mapped addresses are IPv4');
      t.equal(endpointCount(plane, 'connects'), 2, 'two connections of one client share none');
      const check = await connect();
      check.peer.send('PROXY UNKNOWN\r\n');
      t.equal(await check.ask(), check.said, 'of the balancer itself, the connection is told');
    });
  }
});

await t.test('a client without an address is told as our own', async (t) => {
  const listen = { kind: 'unix', path: `${shortDir(t)}/s` } as const;
  for (const version of ['v1', 'v2'] as const) {
    await withTold(t, version, { patch: { listen } }, async ({ origin }) => {
      const client = new Client(await connectRaw(listen.path), '');
      const said = await client.ask();
      if (version === 'v2') t.equal(said, 'no client');
      else t.match(said, new RegExp(`^127.0.0.1 \\d+ > 127.0.0.1 ${origin.port}$`));
      client.peer.socket.destroy();
    });
  }
});

/** Answers with a large body, or with the length of what came. */
const counting: ToldOptions['answer'] = (said, request, response) => {
  if (request.url === '/big') {
    response.end(Buffer.alloc(MANY_BYTES, 'b'));
    return;
  }
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  request.on('end', () => response.end(`${said}, ${bytes} bytes`));
};

await t.test('behind the header TLS is spoken, with its name check and all bodies', async (t) => {
  const made = authority(t);
  const certificate = pemsOf(made.sign('app'));
  const patch = { targetAuthorities: pemsOf(made).cert };
  await withTold(t, 'v2', { certificate, answer: counting, patch }, async ({ plane, connect }) => {
    const anna = await connect();
    t.equal(await anna.ask(), `${anna.said}, 0 bytes`);
    t.ok((await anna.ask(GET.replace('/', '/big'))) === 'b'.repeat(MANY_BYTES));
    const upload = `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${MANY_BYTES}\r\n\r\n`;
    t.equal(await anna.ask(upload + 'u'.repeat(MANY_BYTES)), `${anna.said}, ${MANY_BYTES} bytes`);
    const bob = await connect();
    t.equal(await bob.ask(), `${bob.said}, 0 bytes`);
    t.equal(endpointCount(plane, 'connects'), 2);
  });
});

await t.test('behind the header, too, an end is believed only where TLS says it', async (t) => {
  const made = authority(t);
  const certificate = pemsOf(made.sign('app'));
  const scene: { origin: ToldOrigin | undefined } = { origin: undefined };
  const answer: ToldOptions['answer'] = (_said, { url, socket }) => {
    socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf', () => {
      // Anyone on the way can end the connection below.
      if (url === '/cut') for (const below of scene.origin!.open) below.end();
      else socket.end();
    });
  };
  const patch = { targetAuthorities: pemsOf(made).cert };
  await withTold(t, 'v1', { certificate, answer, patch }, async ({ origin, connect }) => {
    scene.origin = origin;
    for (const path of ['/whole', '/cut']) {
      const { peer } = await connect();
      peer.send(GET.replace('/', path));
      if (path === '/whole')
        await peer.until('last chunk', () => peer.text.endsWith('0\r\n\r\n') || undefined);
      else await peer.ended();
      t.match(peer.text, 'half');
      t.equal(peer.text.endsWith('0\r\n\r\n'), path === '/whole', path);
    }
  });
});

await t.test('a target that refuses the connection, or leaves, is told as always', async (t) => {
  const made = authority(t);
  const patch = { targetAuthorities: pemsOf(made).cert };
  for (const settings of [patch, {}]) {
    await withTold(t, 'v1', { patch: settings }, async ({ plane, connect }) => {
      const refusing = testTable(
        FIRST_VERSION + 1,
        'blue',
        { blue: [1], green: [] },
        { sendProxy: 'v1' },
        settings === patch,
      );
      publish(plane, refusing);
      const anna = await connect();
      t.match(await anna.ask(), /^502 CONNECT_FAILED/);
    });
  }
});

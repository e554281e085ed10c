// A client that misbehaves: stalls, drips, floods, leaves. It costs itself its connection, never
// the worker its memory or another client its response.

import t from 'tap';
import {
  CHUNK_EXTENSION_BYTES_MAX,
  LINGER_MS,
  LOOK_AFTER_MS,
  PIPELINED_BYTES_MAX,
  TRAILER_BYTES_MAX,
  TRAILER_FIELDS_MAX,
} from '../../src/base/limits.ts';
import {
  GET,
  OK,
  publish,
  responseOf,
  withBench,
  holdsNoSocket,
  doing,
} from '../support/fault-bench.ts';
import { readResponse, statusOf, valuesOf } from '../support/message.ts';
import { answering } from '../support/origin.ts';
import { testTable } from '../support/plane.ts';
import { pump } from '../support/pump.ts';
import { connectRaw, turns, type RawPeer } from '../support/raw-peer.ts';
import { becomes, failureCounts, gaugesOf, workerCount } from '../support/shared-counters.ts';

/** More than the plane takes to read what was sent to it. */
const TURNS_TO_READ = 8;

const POST_CHUNKED = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';

await t.test('a head that drips does not move its deadline', async (t) => {
  await withBench(t, { script: answering(OK), patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send(`${GET}G`);
    const { end } = await responseOf(client, { from: 0, method: 'GET' });
    for (const byte of 'ET / H') {
      await client.sendCut(byte, []);
      bench.passTime(6_000);
    }
    const response = await responseOf(client, { from: end, method: 'GET' });
    t.equal(statusOf(response.start), 408);
    t.equal(await client.ended(), 'end');
    t.strictSame(failureCounts(bench.plane), { REQUEST_TIMEOUT: 1 });
  });
});

await t.test('a connection that never says anything is closed without an answer', async (t) => {
  await withBench(t, { script: answering(OK), patch: {} }, async (bench) => {
    const client = await bench.connect();
    await becomes(() => gaugesOf(bench.plane).connectionsOpen === 1);
    bench.passTime(30_000);
    t.equal(await client.ended(), 'end');
    t.equal(client.text, '');
    t.strictSame(failureCounts(bench.plane), {});
  });
});

await t.test('an idle connection is closed after its keep-alive time', async (t) => {
  await withBench(t, { script: answering(OK), patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send(GET);
    const { end } = await responseOf(client, { from: 0, method: 'GET' });
    bench.passTime(50_000);
    client.send(GET);
    await responseOf(client, { from: end, method: 'GET' });
    bench.passTime(60_000);
    t.equal(await client.ended(), 'end');
    t.strictSame(failureCounts(bench.plane), {});
  });
});

await t.test('a client that stalls inside a body gets a 408', async (t) => {
  await withBench(t, { script: answering(OK), patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345');
    await becomes(() => [...bench.origin.connections].some(({ text }) => text.endsWith('12345')));
    bench.passTime(30_000);
    t.equal(statusOf((await responseOf(client, { from: 0, method: 'POST' })).start), 408);
    t.strictSame(failureCounts(bench.plane), { REQUEST_TIMEOUT: 1 });
  });
});

await t.test('a body that drips is served as long as each pause is short', async (t) => {
  await withBench(t, { script: answering(OK), patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n');
    for (let sent = 1; sent <= 8; sent++) {
      const body = '12345678'.slice(0, sent);
      client.send(body.at(-1)!);
      await becomes(() => [...bench.origin.connections].some(({ text }) => text.endsWith(body)));
      bench.passTime(20_000);
    }
    t.equal((await responseOf(client, { from: 0, method: 'POST' })).body, 'ok');
  });
});

for (const [what, hasRoute] of [
  ['answers of a target', true],
  ['refusals', false],
] as const) {
  await t.test(`a flood of requests whose ${what} nobody reads is held back`, async (t) => {
    await withBench(t, { script: answering(OK), patch: {} }, async (bench) => {
      if (!hasRoute) {
        const table = testTable(8, 'blue', { blue: [bench.origin.port], green: [] });
        const services = table.services.map((service) => ({ ...service, hosts: ['b.test'] }));
        publish(bench.plane, { ...table, services });
      }
      const client = await bench.connect();
      client.socket.pause();
      const flood = Buffer.from(GET.repeat(1_000));
      const total = 512 * 2 ** 20;
      let sent = 0;
      const pumping = (async () => {
        while (sent < total && !client.socket.destroyed) {
          sent += await pump(client.socket, flood, flood.length);
        }
      })();
      // It has come to a stop when nothing more was taken for many turns of the loop.
      let seen = -1;
      let still = 0;
      await becomes(() => {
        still = sent === seen ? still + 1 : 0;
        seen = sent;
        return still > 2_000;
      });
      t.ok(sent < 64 * 2 ** 20, `${sent} bytes were taken before the client had to read`);
      t.ok(gaugesOf(bench.plane).inflight <= 1, 'one request at a time');
      client.socket.destroy();
      await pumping;
    });
  });
}

await t.test(
  'pipelined requests are held up to a bound while an answer is under way',
  async (t) => {
    const released = Promise.withResolvers<void>();
    const script = doing(async (connection) => {
      for (;;) {
        if ((await connection.nextRequest()) === undefined) return;
        await released.promise;
        connection.send(OK);
      }
    });
    await withBench(t, { script, patch: {} }, async (bench) => {
      const client = await bench.connect();
      const count = Math.ceil((4 * PIPELINED_BYTES_MAX) / GET.length);
      client.send(GET.repeat(count));
      await becomes(() => bench.origin.connections.size === 1);
      released.resolve();
      // By tenths: the wait bounds a standstill, not the speed of a busy machine.
      for (let tenth = 1; tenth <= 10; tenth++) {
        await becomes(() => client.text.length >= (OK.length * count * tenth) / 10);
      }
      t.equal(client.text, OK.repeat(count), `${count} requests, each with its answer`);
    });
  },
);

await t.test('an endless head is refused at its bound', async (t) => {
  for (const line of ['A: b\r\n', `A: ${'b'.repeat(2_000)}\r\n`, 'A']) {
    await withBench(t, { script: answering(OK), patch: {} }, async (bench) => {
      const client = await bench.connect();
      client.send('GET / HTTP/1.1\r\nHost: a\r\n');
      const piece = Buffer.from(line.repeat(100));
      const pumped = pump(client.socket, piece, 2 ** 30);
      await client.until('431', () => (client.text.includes('HTTP/1.1 431 ') ? true : undefined));
      client.socket.destroy();
      t.ok((await pumped) < 64 * 2 ** 20);
      t.strictSame(failureCounts(bench.plane), { HEAD_TOO_LARGE: 1 });
    });
  }
});

await t.test('an endless request line is refused at its bound', async (t) => {
  const starts = { 'a method': ['', 400], 'a target': ['GET /', 414] } as const;
  for (const [what, [start, status]] of Object.entries(starts)) {
    await t.test(what, async (t) => {
      await withBench(t, { script: answering(OK), patch: {} }, async (bench) => {
        const client = await bench.connect();
        client.send(start);
        const pumped = pump(client.socket, Buffer.alloc(1_000, 'a'), 2 ** 30);
        const line = `HTTP/1.1 ${status} `;
        await client.until(line, () => (client.text.includes(line) ? true : undefined));
        client.socket.destroy();
        await pumped;
        t.equal(client.text.split('HTTP/1.1').length, 2, 'one answer');
      });
    });
  }
});

const BODIES: Readonly<Record<string, { readonly body: string; readonly isBad: boolean }>> = {
  'chunk extensions at the bound': {
    body: `1;${'a'.repeat(CHUNK_EXTENSION_BYTES_MAX - 1)}\r\nx\r\n0\r\n\r\n`,
    isBad: false,
  },
  'chunk extensions over the bound': {
    body: `1;${'a'.repeat(CHUNK_EXTENSION_BYTES_MAX + 1)}\r\nx\r\n0\r\n\r\n`,
    isBad: true,
  },
  'chunk extensions over the bound, spread over chunks': {
    body: '1;abcdefgh\r\nx\r\n'.repeat(CHUNK_EXTENSION_BYTES_MAX / 8),
    isBad: true,
  },
  'trailer fields at the bound': {
    body: `0\r\n${'a: b\r\n'.repeat(TRAILER_FIELDS_MAX)}\r\n`,
    isBad: false,
  },
  'trailer fields over the bound': {
    body: `0\r\n${'a: b\r\n'.repeat(TRAILER_FIELDS_MAX + 1)}\r\n`,
    isBad: true,
  },
  'trailer bytes over the bound': {
    body: `0\r\na: ${'b'.repeat(TRAILER_BYTES_MAX)}`,
    isBad: true,
  },
};

for (const [what, { body, isBad }] of Object.entries(BODIES)) {
  await t.test(`${what} ${isBad ? 'are refused' : 'pass'}`, async (t) => {
    await withBench(t, { script: answering(OK), patch: {} }, async (bench) => {
      const response = await bench.ask(POST_CHUNKED + body);
      t.equal(statusOf(response.start), isBad ? 400 : 200);
      t.strictSame(failureCounts(bench.plane), isBad ? { BAD_REQUEST_BODY: 1 } : {});
    });
  });
}

await t.test('connections over the limit are closed and counted where none is idle', async (t) => {
  const patch = { client: { connectionsMax: 3 } };
  await withBench(t, { script: () => {}, patch }, async (bench) => {
    const held = [await bench.connect(), await bench.connect(), await bench.connect()];
    for (const client of held) client.send(GET);
    await becomes(() => bench.origin.connections.size === 3);
    for (let i = 0; i < 5; i++) await (await bench.connect()).ended();
    t.equal(workerCount(bench.plane, 'connectionsRefused'), 5);
    t.equal(workerCount(bench.plane, 'connectionsOpen'), 3);
    held[0]!.reset();
    t.ok(await becomes(() => workerCount(bench.plane, 'connectionsOpen') === 2));
    const last = await bench.connect();
    last.send(GET);
    t.ok(await becomes(() => workerCount(bench.plane, 'connectionsAccepted') === 4));
    t.equal(workerCount(bench.plane, 'connectionsDisplaced'), 0);

    // One that has ended its side may have left: it gives its place away, and gets no response.
    t.ok(await becomes(() => bench.origin.connections.size === 3));
    held[1]!.end();
    await turns(TURNS_TO_READ);
    await bench.connect();
    t.ok(await becomes(() => workerCount(bench.plane, 'connectionsDisplaced') === 1));
    await held[1]!.ended();
    t.equal(held[1]!.text, '');
  });
});

await t.test('requests of one connection are limited, and the last one says so', async (t) => {
  await withBench(
    t,
    { script: answering(OK), patch: { client: { requestsMax: 2 } } },
    async (bench) => {
      const client = await bench.connect();
      client.send(GET.repeat(3));
      t.equal(await client.ended(), 'end');
      const first = readResponse(client.text, 0, { method: 'GET', hasEnded: false });
      const last = await responseOf(client, { from: first!.end, method: 'GET' });
      t.strictSame(valuesOf(first!.fields, 'connection'), []);
      t.strictSame(valuesOf(last.fields, 'connection'), ['close']);
      t.equal(last.end, client.text.length, 'the third gets no answer');
    },
  );
});

const LEAVES = ['end', 'reset', 'end, then reset'] as const;

async function leaveBy(client: RawPeer, leave: (typeof LEAVES)[number]): Promise<void> {
  if (leave !== 'end, then reset') {
    client[leave]();
    return;
  }
  await new Promise<void>((resolve) => {
    client.socket.end(resolve);
  });
  await turns(TURNS_TO_READ);
  client.socket.resetAndDestroy();
  await turns(TURNS_TO_READ);
}

const STAGES: Readonly<Record<string, string>> = {
  'before the first byte': '',
  'inside the request line': 'GET / HT',
  'inside the fields': 'GET / HTTP/1.1\r\nHost: ',
  'after the head': GET,
  'inside a body': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345',
  'inside a chunk': `${POST_CHUNKED}a\r\n12345`,
  'inside a trailer section': `${POST_CHUNKED}0\r\na: b`,
  'with requests in the pipeline': GET.repeat(50),
  'inside an upgrade': 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nabc',
};

/** Here whole requests have come: a client that ends its side may wait for the responses. */
const WHOLE_STAGES = ['after the head', 'with requests in the pipeline', 'inside an upgrade'];

for (const [stage, sent] of Object.entries(STAGES)) {
  for (const leave of WHOLE_STAGES.includes(stage) ? LEAVES.slice(1) : LEAVES.slice(0, 2)) {
    await t.test(`a client that leaves ${stage} (${leave}) leaves nothing behind`, async (t) => {
      await withBench(t, { script: () => {}, patch: {} }, async (bench) => {
        const clients = await Promise.all(Array.from({ length: 5 }, () => bench.connect()));
        for (const client of clients) client.send(sent);
        await becomes(() => workerCount(bench.plane, 'connectionsAccepted') === 5);
        for (const client of clients) await leaveBy(client, leave);
        bench.passTime(LOOK_AFTER_MS);
        t.ok(await becomes(() => gaugesOf(bench.plane).inflight === 0), 'no request is left');
        t.ok(await becomes(() => gaugesOf(bench.plane).endpointInflight === 0));
      });
    });
  }
}

await t.test('a client that will not close is dropped soon after its last answer', async (t) => {
  await withBench(t, { script: answering(OK), patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send('GET / HTTP/1.1\r\n\r\n'); // No Host.
    t.equal(await client.ended(), 'end');
    t.equal(gaugesOf(bench.plane).connectionsOpen, 1, 'it lingers');
    bench.passTime(LINGER_MS);
    t.ok(await becomes(() => gaugesOf(bench.plane).connectionsOpen === 0));
  });
});

await t.test('a client that has said it sends no more is not waited for', async (t) => {
  await withBench(t, { script: answering(OK), patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    t.equal(await client.ended(), 'end');
    t.match(client.text, /^HTTP\/1\.1 200 /);
    t.equal(gaugesOf(bench.plane).connectionsOpen, 0);
  });
});

await t.test(
  'a wait for a connection has a bound whatever the client sends meanwhile',
  async (t) => {
    const uploads = {
      'no body': GET,
      'a body that is all there': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi',
      'a body that comes later': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n',
      'a body that begins later': POST_CHUNKED,
    };
    const patch = { upstream: { connectionsMax: 1, waitingMax: 4, connectTimeoutMs: 5_000 } };
    for (const [what, upload] of Object.entries(uploads)) {
      await t.test(what, async (t) => {
        await withBench(t, { script: () => {}, patch }, async (bench) => {
          const first = await bench.connect();
          first.send(GET);
          await becomes(() => bench.origin.connections.size === 1);
          const client = await bench.connect();
          client.send(upload);
          await becomes(() => gaugesOf(bench.plane).endpointInflight === 2);
          if (what === 'a body that comes later') await client.sendCut('12', [1]);
          if (what === 'a body that begins later') await client.sendCut('2\r\nhi\r\n', [4]);
          bench.passTime(5_000);
          const response = await responseOf(client, { from: 0, method: 'POST' });
          t.equal(statusOf(response.start), 503);
          t.strictSame(failureCounts(bench.plane), { POOL_TIMEOUT: 1 });
        });
      });
    }
  },
);

await t.test('a stalled reader cannot buy time by sending', async (t) => {
  const script = doing(async (connection) => {
    await connection.nextRequest();
    connection.send('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n');
    await pump(connection.socket, Buffer.alloc(65_536, 'a'), 1_000_000_000);
  });
  await withBench(t, { script, patch: { client: { sendIdleTimeoutMs: 300 } } }, async (bench) => {
    const client = await connectRaw(bench.plane.port);
    client.socket.pause();
    client.send(GET);
    const dripping = setInterval(() => {
      client.send('x');
    }, 50);
    const isStalled = await becomes(() => failureCounts(bench.plane).CLIENT_STALLED === 1);
    clearInterval(dripping);
    client.socket.destroy();
    t.ok(isStalled, 'it was cut although it kept sending');
  });
});

await t.test('after all of this the process holds no socket', holdsNoSocket);

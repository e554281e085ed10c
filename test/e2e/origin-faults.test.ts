// A target that misbehaves at every stage of an exchange. The client always gets a whole answer or
// a broken connection, never a cut answer that looks whole, and the plane holds nothing afterwards.

import t from 'tap';
import { LINGER_SILENCE_MS } from '../../src/base/limits.ts';
import {
  GET,
  OK,
  responseOf,
  withBench,
  type Bench,
  holdsNoSocket,
  doing,
} from '../support/fault-bench.ts';
import { readResponse, statusOf } from '../support/message.ts';
import { type OriginConnection, type OriginScript } from '../support/origin.ts';
import { becomes, failureCounts, retryCount } from '../support/shared-counters.ts';

/** How a response is read while its connection is open. */
const WITH_LENGTH = { method: 'GET', hasEnded: false } as const;

/** Bodies of 6 bytes of which 3 arrive, in each framing. */
const HALVES = {
  length: 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc',
  chunked: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
  'chunked, inside a chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabc',
  'chunked, before the last empty line':
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n',
  'until close': 'HTTP/1.1 200 OK\r\n\r\nabc',
} as const;

const VERSIONS = ['1.1', '1.0'] as const;

const ENDINGS = {
  'a clean end': (connection: OriginConnection) => connection.end(),
  'a reset': (connection: OriginConnection) => connection.reset(),
} as const;

for (const [framing, half] of Object.entries(HALVES)) {
  for (const [ending, end] of Object.entries(ENDINGS)) {
    for (const version of VERSIONS) {
      const isWhole = framing === 'until close' && ending === 'a clean end';
      const name = `${ending} in a body (${framing}) for HTTP/${version}`;
      await t.test(`${name} is ${isWhole ? 'its end' : 'no clean end'}`, async (t) => {
        const released = Promise.withResolvers<void>();
        const script = doing(async (connection) => {
          await connection.nextRequest();
          connection.send(half);
          await released.promise;
          end(connection);
        });
        await withBench(t, { script, patch: {} }, async (bench) => {
          const client = await bench.connect();
          client.send(`GET / HTTP/${version}\r\nHost: a\r\n\r\n`);
          await client.until('first half', () => (client.text.includes('abc') ? true : undefined));
          released.resolve();
          if (isWhole) {
            const response = await responseOf(client, { from: 0, method: 'GET' });
            t.equal(response.body, 'abc');
            t.strictSame(failureCounts(bench.plane), {});
            return;
          }
          t.ok(await becomes(() => failureCounts(bench.plane).UPSTREAM_ABORTED === 1));
          // Only where our end would look like that of the body, the connection is broken.
          const isSeen = framing === 'length' || version === '1.1';
          await becomes(() => {
            if (!isSeen) bench.passTime(LINGER_SILENCE_MS);
            return client.ending !== undefined;
          });
          t.equal(client.ending, isSeen ? 'end' : 'reset');
          const hasEnded = client.ending === 'end';
          t.not(readResponse(client.text, 0, { method: 'GET', hasEnded })?.isComplete, true);
          t.strictSame(failureCounts(bench.plane), { UPSTREAM_ABORTED: 1 });
        });
      });
    }
  }
}

/** Where a target may reset before its answer begins, and what the client gets. */
const EARLY_RESETS: Readonly<Record<string, OriginScript>> = {
  'after the head of the request': async (connection) => {
    await connection.nextHead();
    connection.reset();
  },
  'inside the status line': async (connection) => {
    await connection.nextRequest();
    connection.socket.write('HTTP/1.1 20', () => connection.reset());
  },
  'inside the fields': async (connection) => {
    await connection.nextRequest();
    connection.socket.write('HTTP/1.1 200 OK\r\nContent-Le', () => connection.reset());
  },
  'after an informational answer': async (connection) => {
    await connection.nextRequest();
    connection.socket.write('HTTP/1.1 103 Early Hints\r\n\r\n', () => connection.reset());
  },
};

for (const [when, script] of Object.entries(EARLY_RESETS)) {
  await t.test(`a target that resets ${when} costs one 502`, async (t) => {
    await withBench(t, { script, patch: {} }, async (bench) => {
      const client = await bench.connect();
      client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi');
      await client.until('502', () => (client.text.includes('HTTP/1.1 502 ') ? true : undefined));
      t.strictSame(failureCounts(bench.plane), { UPSTREAM_CLOSED: 1 });
      t.equal(retryCount(bench.plane), 0, 'a POST on a new connection is not sent again');
    });
  });
}

await t.test('a reset after a whole answer harms nobody', async (t) => {
  const script = doing(async (connection) => {
    await connection.nextRequest();
    connection.socket.write(OK, () => connection.reset());
  });
  await withBench(t, { script, patch: {} }, async (bench) => {
    const client = await bench.connect();
    for (let round = 0; round < 20; round++) {
      const from = client.text.length;
      client.send(GET);
      t.equal((await responseOf(client, { from, method: 'GET' })).body, 'ok');
    }
    t.strictSame(failureCounts(bench.plane), {});
  });
});

await t.test('a target that resets what it has accepted costs one 502', async (t) => {
  const script = doing((connection) => {
    connection.reset();
  });
  await withBench(t, { script, patch: {} }, async (bench) => {
    t.equal(statusOf((await bench.ask(GET)).start), 502);
    // Which of the two it is depends on whether the reset comes before the accept is seen.
    const { CONNECT_FAILED = 0, UPSTREAM_CLOSED = 0 } = failureCounts(bench.plane);
    t.equal(CONNECT_FAILED + UPSTREAM_CLOSED, 1);
  });
});

const GARBAGE: Readonly<Record<string, string>> = {
  'another protocol': 'SSH-2.0-OpenSSH_9.2\r\n',
  'an HTTP/2 preface': '\0\0\u0012\u0004\0\0\0\0\0',
  'a TLS alert': '\u0015\u0003\u0001\0\u0002\u0002F',
  'an unknown version': 'HTTP/3.0 200 OK\r\n\r\n',
  'a status of two digits': 'HTTP/1.1 20 OK\r\n\r\n',
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc',
  'a length and a coding':
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'a bare carriage return in a value': 'HTTP/1.1 200 OK\r\nA: b\rSet-Cookie: c=1\r\n\r\n',
  'a NUL in a value': 'HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n',
  'a gzip transfer coding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
  'a switch that nobody asked for': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n',
  'too many informational answers': 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(17),
  'an endless head': `HTTP/1.1 200 OK\r\n${`A: ${'a'.repeat(1_000)}\r\n`.repeat(70)}`,
  'too many fields': `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(201)}\r\n`,
};

/** What has exactly one reading, and what the client is sent. */
const SLOPPY: Readonly<Record<string, readonly [answer: string, sent: RegExp]>> = {
  'a folded field': [
    'HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n',
    /^HTTP\/1\.1 200 OK\r\nA: b c\r\nContent-Length: 0\r\n/,
  ],
  'a bare line feed': [
    'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
    /^HTTP\/1\.1 200 OK\r\nContent-Length: 0\r\n/,
  ],
};

for (const [what, [answer, sent]] of Object.entries(SLOPPY)) {
  await t.test(`${what} in an answer is sent on in order`, async (t) => {
    const script = doing(async (connection) => {
      await connection.nextRequest();
      connection.send(answer);
    });
    await withBench(t, { script, patch: {} }, async (bench) => {
      const client = await bench.connect();
      client.send(GET);
      await client.until('response', () => client.text.endsWith('\r\n\r\n') || undefined);
      t.match(client.text, sent);
    });
  });
}

for (const [what, answer] of Object.entries(GARBAGE)) {
  await t.test(`${what} instead of an answer is a 502, and the next request works`, async (t) => {
    let count = 0;
    const script = doing(async (connection) => {
      count++;
      await connection.nextRequest();
      connection.send(count === 1 ? answer : OK);
    });
    await withBench(t, { script, patch: {} }, async (bench) => {
      const client = await bench.connect();
      client.send(GET);
      const end = await client.until('refusal', () => {
        const at = client.text.indexOf('HTTP/1.1 502 ');
        const response = at < 0 ? undefined : readResponse(client.text, at, WITH_LENGTH);
        return response?.isComplete === true ? response.end : undefined;
      });
      t.strictSame(failureCounts(bench.plane), { UPSTREAM_BAD_RESPONSE: 1 });
      client.send(GET);
      t.equal((await responseOf(client, { from: end, method: 'GET' })).body, 'ok');
      t.equal(count, 2, 'the connection was thrown away');
    });
  });
}

await t.test('garbage inside a chunked body cuts the answer', async (t) => {
  for (const rest of ['xyz\r\n', '-1\r\n', '3\r\nabcd\r\n', '0\r\nContent Length\r\n\r\n']) {
    const released = Promise.withResolvers<void>();
    const script = doing(async (connection) => {
      await connection.nextRequest();
      connection.send(HALVES.chunked);
      await released.promise;
      connection.send(rest);
    });
    await withBench(t, { script, patch: {} }, async (bench) => {
      const client = await bench.connect();
      client.send(GET);
      await client.until('first chunk', () => (client.text.includes('abc') ? true : undefined));
      released.resolve();
      t.equal(await client.ended(), 'end');
      t.not(readResponse(client.text, 0, WITH_LENGTH)?.isComplete, true);
      t.strictSame(failureCounts(bench.plane), { UPSTREAM_BAD_RESPONSE: 1 });
    });
  }
});

await t.test('a second answer that nobody asked for poisons nobody', async (t) => {
  const script = doing(async (connection) => {
    const request = await connection.nextRequest();
    const own = request?.start.split(' ')[1] ?? '';
    connection.send(lengthAnswer(own) + lengthAnswer('/poison'));
  });
  await withBench(t, { script, patch: {} }, async (bench) => {
    const client = await bench.connect();
    for (let round = 0; round < 20; round++) {
      const from = client.text.length;
      client.send(`GET /${round} HTTP/1.1\r\nHost: a\r\n\r\n`);
      t.equal((await responseOf(client, { from, method: 'GET' })).body, `/${round}`);
    }
  });
});

await t.test('bytes on an idle connection end it before anybody gets them', async (t) => {
  await withBench(t, { script: answersOnce, patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send(GET);
    await responseOf(client, { from: 0, method: 'GET' });
    const [idle] = bench.origin.connections;
    idle!.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison');
    await idle!.ended();
    const from = client.text.length;
    client.send(GET);
    t.equal((await responseOf(client, { from, method: 'GET' })).body, 'ok');
    t.not(client.text.includes('poison'), true);
    t.strictSame(failureCounts(bench.plane), {});
  });
});

await t.test('sixteen informational answers pass, each once', async (t) => {
  const script = doing(async (connection) => {
    await connection.nextRequest();
    connection.send('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(16) + OK);
  });
  await withBench(t, { script, patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send(GET);
    await client.until('answer', () => (client.text.endsWith('ok') ? true : undefined));
    t.equal(client.text.split(' 103 ').length - 1, 16);
  });
});

await t.test('a head that comes byte by byte is read, and bounded in time', async (t) => {
  await t.test('a slow head that ends is an answer', async (t) => {
    const script = doing(async (connection) => {
      await connection.nextRequest();
      const cuts = Array.from({ length: OK.length - 1 }, (_, index) => index + 1);
      await connection.sendCut(OK, cuts);
    });
    await withBench(t, { script, patch: {} }, async (bench) => {
      t.equal((await bench.ask(GET)).body, 'ok');
    });
  });

  await t.test('a slow head does not move the deadline', async (t) => {
    const script = doing(async (connection) => {
      await connection.nextRequest();
      connection.send('HTTP/1.1 200 OK\r\nA: ');
    });
    await withBench(
      t,
      { script, patch: { upstream: { headTimeoutMs: 60_000 } } },
      async (bench) => {
        const asked = bench.ask(GET);
        const connection = await firstConnection(bench);
        await connection.until('request', () => (connection.text === '' ? undefined : true));
        for (let step = 0; step < 7; step++) {
          await connection.sendCut('ab', [1]);
          bench.passTime(9_000);
        }
        const response = await asked;
        t.equal(statusOf(response.start), 504);
        t.strictSame(failureCounts(bench.plane), { UPSTREAM_TIMEOUT: 1 });
      },
    );
  });
});

await t.test('a body that drips is served as long as each pause is short', async (t) => {
  const script = doing(async (connection) => {
    await connection.nextRequest();
    connection.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n');
  });
  await withBench(t, { script, patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send(GET);
    await client.until('head', () => (client.text.includes('\r\n\r\n') ? true : undefined));
    const connection = await firstConnection(bench);
    for (let sent = 1; sent <= 10; sent++) {
      connection.send('x');
      await client.until('byte', () => (client.text.endsWith('x'.repeat(sent)) ? true : undefined));
      bench.passTime(25_000);
    }
    t.strictSame(failureCounts(bench.plane), {});
    t.equal((await responseOf(client, { from: 0, method: 'GET' })).body, 'xxxxxxxxxx');
  });
});

await t.test('a target that accepts and hangs costs one timeout, not a connection', async (t) => {
  await withBench(t, { script: () => {}, patch: {} }, async (bench) => {
    const asked = bench.ask(GET);
    const connection = await firstConnection(bench);
    await connection.until('request', () => (connection.text === '' ? undefined : true));
    bench.passTime(30_000);
    t.equal(statusOf((await asked).start), 504);
    t.equal(await connection.ended(), 'end');
    t.strictSame(failureCounts(bench.plane), { UPSTREAM_TIMEOUT: 1 });
  });
});

await t.test('a client that left ends an endless answer at the target', async (t) => {
  const script = doing(async (connection) => {
    await connection.nextRequest();
    connection.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    const more = (): void => {
      if (connection.socket.destroyed) return;
      connection.send('5\r\nhello\r\n');
      setImmediate(more);
    };
    more();
  });
  for (const leave of ['end', 'reset'] as const) {
    await t.test(`it leaves with ${leave}`, async (t) => {
      await withBench(t, { script, patch: {} }, async (bench) => {
        const client = await bench.connect();
        client.send(GET);
        await client.until('data', () => (client.text.includes('hello') ? true : undefined));
        // One that has only ended its side would be read on for.
        if (leave === 'end') client.socket.destroy();
        else client.reset();
        t.ok(await becomes(() => bench.origin.connections.size === 0), 'the target was told');
        t.strictSame(failureCounts(bench.plane), { CLIENT_GONE: 1 });
      });
    });
  }
});

await t.test('after all of this the process holds no socket', holdsNoSocket);

async function answersOnce(connection: OriginConnection): Promise<void> {
  await connection.nextRequest();
  connection.send(OK);
}

function lengthAnswer(body: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** Resolves with the connection that the plane opened first. */
async function firstConnection(bench: Bench): Promise<OriginConnection> {
  await becomes(() => bench.origin.connections.size > 0);
  return [...bench.origin.connections][0]!;
}

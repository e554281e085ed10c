// Clients that speak TLS, and mean harm: other handshakes within one, keys without end, versions and
// ciphers of the past, names without end, handshakes in crumbs. Against a process with two workers, which
// serves others all the time and keeps nothing of it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import tls from 'node:tls';
import t from 'tap';
import { GET, HOST, openEdge, rssOf } from '../e2e/edge-scene.ts';
import { skipWithout } from '../support/installed.ts';
import { Random } from '../support/random.ts';
import { pki } from '../unit/control-plane/support/pki.ts';
import { clientHello } from '../unit/data-plane/support/door-scene.ts';

t.setTimeout(120_000);
const skip = skipWithout('openssl');
const NAME_COUNT = Number(process.env['TURNOUT_NAMES'] ?? 1_000);
const KEY_UPDATES = 3_000;

await t.test('clients that mean harm', { skip }, async (t) => {
  const { issue, write } = pki(t);
  const own = issue(HOST);
  const certificates = [{ cert: own.cert, key: own.key }];
  const scene = await openEdge(t, {
    secure: { tls: { certificates } },
    strict: { tls: { certificates, unknownNames: 'refuse' } },
  });
  const place = `${scene.host}:${scene.ports.secure}`;
  const isServed = async (): Promise<void> => {
    t.match(await scene.ask('secure', GET, {}), /^HTTP\/1\.1 200 /);
  };

  /** Resolves with all that openssl prints, which reads `input`. */
  const openssl = async (args: readonly string[], input: string): Promise<string> => {
    const all = ['s_client', '-connect', place, '-servername', HOST, ...args];
    const child = spawn('openssl', all, { stdio: 'pipe' });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
    }
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    await once(child, 'close');
    return text;
  };

  await t.test('another handshake within one is not carried out', async (t) => {
    const text = await openssl(['-tls1_2'], `R\n${GET}`);
    t.match(text, /RENEGOTIATING/);
    t.match(text, /no renegotiation/);
    t.notMatch(text, /HTTP\/1\.1 200/);
    await isServed();
  });

  await t.test('new keys by thousands', async (t) => {
    const args = ['s_client', '-connect', place, '-servername', HOST, '-tls1_3'];
    const child = spawn('openssl', args, { stdio: 'pipe' });
    const ended = once(child, 'close');
    child.stdin.on('error', () => {});
    let text = '';
    let asked = 0;
    // It reads one letter at a time, and says so.
    child.stderr.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      const done = text.split('KEYUPDATE').length - 1;
      if (done < asked) return;
      asked = done + 1;
      if (done < KEY_UPDATES) child.stdin.write(done % 2 === 0 ? 'K\n' : 'k\n');
      else if (done === KEY_UPDATES) child.stdin.write(GET);
    });
    child.stdout.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      if (asked === 0 && text.includes('Verify return code')) {
        asked = 1;
        child.stdin.write('K\n');
      }
    });
    await ended;
    t.ok(text.split('KEYUPDATE').length > KEY_UPDATES, `${KEY_UPDATES} were asked for`);
    t.match(text, /HTTP\/1\.1 200 /, 'it goes on');
    await isServed();
  });

  await t.test('data before the handshake is not taken', async (t) => {
    const session = write('session', '');
    await openssl(['-tls1_3', '-sess_out', session, '-ign_eof'], GET);
    const early = write('early', GET);
    const text = await openssl(['-tls1_3', '-sess_in', session, '-early_data', early], 'Q\n');
    t.match(text, /Early data was (?:not sent|rejected)/);
    await isServed();
  });

  await t.test('versions and ciphers of the past', async (t) => {
    const before = await scene.metric('turnout_tls_handshakes_total{outcome="failed"}');
    const past = [
      ['-tls1', '-cipher', 'ALL:@SECLEVEL=0'],
      ['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'],
      ['-tls1_2', '-cipher', 'AES128-SHA:AES256-GCM-SHA384:@SECLEVEL=0'],
      ['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0'],
      ['-tls1_2', '-cipher', 'NULL:aNULL:@SECLEVEL=0'],
      ['-tls1_2', '-fallback_scsv'],
    ];
    for (const args of past) {
      const text = await openssl(args, 'Q\n');
      t.match(text, /alert|no ciphers available/, args.join(' '));
      t.match(text, /Cipher is \(NONE\)|Cipher\s+: 0000/);
    }
    // SSLv2, as some scanners still say hello.
    const old = `\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10${'\x01\0\x80'.repeat(7)}${'a'.repeat(16)}`;
    t.equal(await scene.ask('secure', old), '');
    t.ok((await scene.metric('turnout_tls_handshakes_total{outcome="failed"}')) >= before + 6);
    await isServed();
  });

  await t.test('protocols that are not spoken, and many of them', async (t) => {
    const many = Array.from({ length: 255 }, (_, at) => `${at}-${'p'.repeat(200)}`);
    for (const [offered, isSpoken] of [
      [['h2'], false],
      [['acme-tls/1', 'http/1.1'], false],
      [many, false],
      [[...many, 'http/1.1'], true],
      [['h2', 'http/1.1'], true],
    ] as const) {
      const text = await scene.ask('secure', GET, { ALPNProtocols: [...offered] });
      t.equal(text.startsWith('HTTP/1.1 200 '), isSpoken, offered.slice(-2).join(' ').slice(-40));
    }
  });

  await t.test('a handshake in crumbs is one', async (t) => {
    for (const [name, cut] of [
      ['bytes', (bytes: Buffer) => Array.from(bytes, (byte) => Buffer.of(byte))],
      ['records of a byte', inRecords(1, 0)],
      ['records of 16 bytes', inRecords(16, 0)],
    ] as const) {
      const relay = await openRelay(place, cut);
      t.teardown(() => relay.close());
      const socket = tls.connect({ ...relay.place, servername: HOST, rejectUnauthorized: false });
      let text = '';
      socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
      socket.on('error', (error) => (text += error.message));
      socket.write(GET);
      await once(socket, 'close');
      t.match(text, /^HTTP\/1\.1 200 /, name);
    }
  });

  await t.test('a ClientHello that is damaged in any way', async (t) => {
    const hello = await clientHello(HOST);
    const seed = Number(process.env['TURNOUT_TEST_SEED'] ?? Date.now() % 1_000_000);
    t.comment(`TURNOUT_TEST_SEED=${seed}`);
    const random = new Random(seed);
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        Array.from({ length: 40 }, async () => {
          const bytes = Buffer.from(hello);
          for (let count = 1 + random.below(6); count > 0; count--) {
            bytes[5 + random.below(bytes.length - 5)] = random.below(256);
          }
          const peer = await scene.open('secure');
          peer.send(bytes.toString('latin1'));
          peer.end();
          await peer.ended();
          peer.socket.destroy();
        }),
      );
    }
    await isServed();
  });

  await t.test('names without end', async (t) => {
    const pid = scene.running.process.pid!;
    const template = await clientHello('aaaaaaaa.test');
    const start = template.indexOf('aaaaaaaa.test');
    const visit = async (at: 'secure' | 'strict', count: number): Promise<void> => {
      template.write(String(count).padStart(8, 'n'), start, 'latin1');
      const peer = await scene.open(at);
      peer.send(template.toString('latin1'));
      peer.end();
      await peer.ended();
      peer.socket.destroy();
    };
    const round = async (from: number, count: number): Promise<void> => {
      for (let at = from; at < from + count; at += 20) {
        await Promise.all(
          Array.from({ length: 20 }, async (_, by) =>
            visit(by % 2 === 0 ? 'secure' : 'strict', at + by),
          ),
        );
      }
    };
    await round(0, 200);
    const before = rssOf(pid);
    await round(200, NAME_COUNT);
    const grown = (rssOf(pid) - before) / 1_048_576;
    t.ok(grown < 24, `${grown.toFixed(1)} MiB more`);
    t.notMatch((await scene.admin.get('/metrics')).text, /nnn\d/, 'none is told in the metrics');
    t.notMatch(scene.running.lines.join('\n'), /nnn\d/, 'nor in the log');
    t.ok(
      (await scene.metric('turnout_tls_handshakes_total{outcome="unknown-name"}')) >=
        NAME_COUNT / 2,
    );
  });

  await t.test('floods that OpenSSL must bound', async (t) => {
    const hello = (await clientHello(HOST)).toString('latin1');
    const names = 'n'.repeat(16_000);
    for (const flood of [
      hello + '\x14\x03\x03\0\x01\x01'.repeat(50_000),
      hello + '\x15\x03\x03\0\x02\x01\x5a'.repeat(50_000),
      '\x16\x03\x01\0\0'.repeat(50_000),
      `\x16\x03\x01\x40\0\x01\x01\xff\xff${'a'.repeat(16_380)}` +
        `\x16\x03\x01\x40\0${names}`.repeat(8),
    ]) {
      const peer = await scene.open('secure');
      peer.send(flood);
      await peer.ended();
      t.notMatch(peer.text, /HTTP/);
      peer.socket.destroy();
    }
    await isServed();
  });
  await scene.settled();
  const problems = scene.running.lines.filter((line) => !line.includes('"level":"info"'));
  t.strictSame(problems, [], 'not a line of the log for all of it');
});

/** Returns what cuts the first bytes, a ClientHello, into records of `size` with `empty` ones between. */
function inRecords(size: number, empty: number): (bytes: Buffer, isFirst: boolean) => Buffer[] {
  return (bytes, isFirst) => {
    if (!isFirst) return [bytes];
    const body = bytes.subarray(5);
    const records: Buffer[] = [];
    for (let at = 0; at < body.length; at += size) {
      const part = body.subarray(at, at + size);
      for (const one of [part, ...Array.from({ length: empty }, () => Buffer.alloc(0))]) {
        records.push(Buffer.concat([Buffer.of(22, 3, 1, 0, one.length), one]));
      }
    }
    return records;
  };
}

type Cut = (bytes: Buffer, isFirst: boolean) => Buffer[];

/** Listens, and passes on what comes, cut on its way to the process. */
async function openRelay(
  to: string,
  cut: Cut,
): Promise<{ readonly place: { host: string; port: number }; close(): void }> {
  const [host = '', port] = to.split(':');
  const server = createServer({ noDelay: true }, (client) => {
    const far = connect({ host, port: Number(port), noDelay: true });
    void pass(client, far, cut);
    void pass(far, client, (bytes) => [bytes]);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    place: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    close: () => server.close(),
  };
}

async function pass(from: Socket, to: Socket, cut: Cut): Promise<void> {
  to.on('error', () => {});
  let isFirst = true;
  try {
    for await (const bytes of from) {
      for (const piece of cut(bytes as Buffer, isFirst)) {
        await new Promise((resolve) => to.write(piece, resolve));
      }
      isFirst = false;
    }
  } catch {
    // It was reset.
  }
  to.end();
}

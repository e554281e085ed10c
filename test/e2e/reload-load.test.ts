// Reloads under load: keep-alive clients, new connections and a WebSocket go on while settings,
// targets, services and listeners change. No request is refused, answered wrongly or cut.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, createServer, request, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePort, ownAddress } from '../support/own-address.ts';
import { startAsGiven, temporaryDirectory, turnout } from './turnout-process.ts';

/** A longer run: `TURNOUT_RELOADS=100`. */
const RELOADS = Number(process.env['TURNOUT_RELOADS'] ?? '10');
const MOVES = 4;
const CLIENTS = 4;
/** Of the listeners, whose ports the file must name. */
const HOST = ownAddress();

/** A target that answers some requests late, and echoes on upgraded connections. */
async function target(t: Test, name: string): Promise<number> {
  let count = 0;
  const server = createServer((asked, answer) => {
    asked.resume();
    count++;
    if (count % 10 === 0) setTimeout(() => answer.end(name), 100);
    else answer.end(name);
  });
  server.keepAliveTimeout = 0;
  server.on('upgrade', (_asked, socket: Socket) => {
    socket.on('error', () => {});
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n',
    );
    socket.on('data', (data) => socket.write(data));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

async function get(port: number, agent: Agent | false, host = 'x'): Promise<string> {
  const asked = request({ port, host: HOST, agent, headers: { host } });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of answer) text += String(part);
  return `${answer.statusCode} ${text}`;
}

/** A tunnel that is asked for an echo all the time. */
async function tunnel(t: Test, port: number) {
  const socket = connect(port, HOST);
  t.teardown(() => socket.destroy());
  socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
  const gone = once(socket, 'close').then(() => {
    throw new Error('the tunnel was cut');
  });
  gone.catch(() => {}); // The one that waits for an echo hears of it.
  const [head] = (await once(socket, 'data')) as [Buffer];
  if (!head.toString().startsWith('HTTP/1.1 101')) throw new Error(`no tunnel: ${head.toString()}`);
  return async (text: string): Promise<string> => {
    socket.write(text);
    const [echo] = (await Promise.race([once(socket, 'data'), gone])) as [Buffer];
    return echo.toString();
  };
}

interface FileParts {
  readonly listen: number;
  readonly preview?: number;
  readonly blue: number;
  readonly headSize: number;
  readonly blog?: number;
}

/**
 * The release has a name: so it may come back to an address where it still drains, and another
 * service may use it there. What drains may keep its tunnels for as long as the test takes.
 */
function service(name: string, port: number, host = ''): string {
  return (
    `  - name: ${name}\n${host}    health: { kind: none }\n    affinity: { mode: off }\n` +
    `    drain: { longLived: linger, streams: 1h }\n` +
    `    blue: { release: at-${port}, targets: ["http://127.0.0.1:${port}"] }\n`
  );
}

function yaml({ listen, preview, blue, headSize, blog }: FileParts): string {
  return [
    `listen: ${HOST}:${listen}`,
    preview === undefined ? '' : `preview: { listen: "${HOST}:${preview}" }`,
    `client: { headSize: ${headSize}KiB }`,
    'services:',
    service('shop', blue),
    blog === undefined ? '' : service('blog', blog, '    hosts: [blog.example]\n'),
  ].join('\n');
}

/** Reloads `count` times under load; `moves`: the listener, too. */
async function underLoad(
  t: Test,
  { count: reloads, moves }: { readonly count: number; readonly moves: boolean },
): Promise<void> {
  const [a, b] = [await target(t, 'a'), await target(t, 'b')];
  const ports = [await freePort(HOST), await freePort(HOST)];
  const preview = await freePort(HOST);
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  const first: FileParts = { listen: ports[0]!, blue: a, headSize: 32 };
  writeFileSync(file, yaml(first));
  const state = temporaryDirectory(t);
  // The listener is the business of the file alone.
  const args = ['--config', file, '--admin', '127.0.0.1:0', '--workers', '2', '--state', state];
  const running = await startAsGiven(t, [...args, '--watch-config', 'false']);
  const failures: string[] = [];
  let answered = 0;
  let port = ports[0]!;
  const over = new AbortController();
  const note = (got: string): void => {
    answered++;
    if (got !== '200 a' && got !== '200 b') failures.push(got);
  };
  const failed = (error: unknown): void => void failures.push(String(error));
  // Who connects while the listener moves is refused at its old place, and asks at the other.
  let late = 0;
  let reset = 0;
  const asking = async (agent: Agent | false): Promise<void> => {
    while (!over.signal.aborted) {
      const at = port;
      const got = await get(at, agent).catch(String);
      const isLate = moves && /ECONNREFUSED|ECONNRESET/.test(got);
      if (isLate) late++;
      if (got.includes('ECONNRESET')) reset++;
      if (isLate && port === at) port = at === ports[0] ? ports[1]! : ports[0]!;
      note(isLate ? await get(port, agent).catch(String) : got);
    }
  };
  const stayers = Array.from({ length: CLIENTS }, async () =>
    asking(new Agent({ keepAlive: true, maxSockets: 1 })),
  );
  const comers = Array.from({ length: CLIENTS }, async () => asking(false));
  const echo = await tunnel(t, port);
  let echoes = 0;
  const echoing = (async () => {
    while (!over.signal.aborted) {
      const text = `echo ${echoes}`;
      if ((await echo(text)) === text) echoes++;
      else failures.push('echo');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })().catch(failed);
  for (let count = 1; count <= reloads; count++) {
    const listen = moves ? ports[count % 2]! : ports[0]!;
    const isOdd = count % 2 === 1;
    const next: FileParts = {
      // Who comes anew must know where: the old port is left once the new one is open.
      listen,
      blue: isOdd ? b : a,
      headSize: 32 + (count % 8),
      ...(isOdd ? { preview, blog: a } : {}),
    };
    writeFileSync(file, yaml(next));
    const before = answered;
    const { code, out, err } = await turnout(['reload', '--admin', running.admin]);
    if (code !== 0) failures.push(`reload ${count}: ${out} ${err}`);
    port = listen;
    if (isOdd) {
      t.equal(await get(port, false, 'blog.example'), '200 a', 'the service that was added');
      t.match(await get(preview, false), /^503/, 'the preview: green has no target');
    } else {
      await t.rejects(get(preview, false), { code: 'ECONNREFUSED' }, 'the preview is gone');
    }
    t.ok(answered > before, 'there was load');
  }
  over.abort();
  await Promise.all([...stayers, ...comers, echoing]);
  t.comment(`${answered} answers, ${echoes} echoes, ${late} late, ${reset} of them reset`);
  t.same([...new Set(failures)].slice(0, 5), [], `${failures.length} failures`);
  // Without a move no client has to look elsewhere: a few for each move, and no more.
  t.ok(late <= reloads * CLIENTS * 2, `${late} came to the old place`);
  t.ok(echoes > reloads, 'the tunnel lived');
}

await t.test(`${RELOADS} reloads under load, and not one failure`, async (t) => {
  await underLoad(t, { count: RELOADS, moves: false });
});

// Who is in the very act of connecting to the old place may be reset, as nobody can tell the system
// to stop accepting before the queue is empty.
await t.test('the listener moves under load: whoever is connected stays', async (t) => {
  await underLoad(t, { count: MOVES, moves: true });
});

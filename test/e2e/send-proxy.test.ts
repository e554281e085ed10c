// Targets that are told of the client by a PROXY header, with the whole program and two workers: nginx,
// HAProxy, another Turnout, and one that does not expect it; and the setting turned on and off under load.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, createServer, request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { authority } from '../support/certificates.ts';
import { skipWithout } from '../support/installed.ts';
import { freePort, ownAddress } from '../support/own-address.ts';
import { serve } from '../support/serving.ts';
import { openToldOrigin } from '../support/told-origin.ts';
import { shortDir } from '../unit/control-plane/support/fixtures.ts';
import { startAsGiven, temporaryDirectory, turnout } from './turnout-process.ts';

t.setTimeout(120_000);

const HEALTH = { interval: '100ms', rise: 1, fall: 1 };
/** Requests of each client while the setting changes. */
const LOAD_CLIENTS = 4;

interface Answer {
  readonly status: number | undefined;
  readonly text: string;
  /** The address and port that the request came from. */
  readonly from: string;
  readonly to: string;
}

/** Asks for `host` at `proxy`; `agent` keeps connections. */
async function ask(
  proxy: string,
  host: string,
  options: { readonly localAddress?: string; readonly agent?: Agent } = {},
): Promise<Answer> {
  const asked = request(`http://${proxy}/`, { agent: false, ...options, headers: { host } });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const { localAddress, localPort, remoteAddress, remotePort } = response.socket;
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += String(part);
  const from = `${localAddress} ${localPort}`;
  return { status: response.statusCode, text, from, to: `${remoteAddress} ${remotePort}` };
}

/** Starts Turnout with a file of `services`; the function writes another one and reloads. */
async function start(t: Test, file: object) {
  const path = join(temporaryDirectory(t), 'turnout.yaml');
  const write = (next: object): void => writeFileSync(path, JSON.stringify(next));
  write(file);
  const state = ['--state', temporaryDirectory(t), '--admin', '127.0.0.1:0'];
  const running = await startAsGiven(t, ['--config', path, ...state]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const reload = async (next: object): Promise<void> => {
    write(next);
    const { code, err } = await turnout(['reload', '--admin', running.admin]);
    if (code !== 0) throw new Error(`expected a reload, got ${err}`);
  };
  return { running, admin, reload };
}

/** Resolves with what the status says of the target at `url` once it is `health`. */
async function became(admin: AdminClient, url: string, health: string): Promise<string> {
  for (;;) {
    const { json } = await admin.get('/v1/status');
    const { services } = json as unknown as {
      readonly services: readonly {
        readonly blue: { readonly targets: readonly Record<'url' | 'health' | 'reason', string>[] };
      }[];
    };
    const all = services.flatMap(({ blue }) => blue.targets);
    const found = all.find((one) => one.url === url && one.health === health);
    if (found !== undefined) return found.reason;
  }
}

/** Runs a program to the end of the test. */
function run(t: Test, name: string, args: readonly string[]): void {
  const child = spawn(name, args, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  t.teardown(async () => {
    child.kill();
    await exited;
  });
}

const skip = skipWithout('nginx', 'haproxy', 'openssl');

await t.test('nginx, HAProxy and another Turnout learn who the client is', { skip }, async (t) => {
  const directory = temporaryDirectory(t);
  const ca = authority(t);
  const files = ca.sign('app');
  const host = ownAddress();
  const socket = join(shortDir(t), 's');
  const ports: number[] = [];
  for (let i = 0; i < 5; i++) ports.push(await freePort(host));
  const [plain, secure, haproxy, chained, own] = ports as [number, number, number, number, number];
  const told =
    '$proxy_protocol_addr $proxy_protocol_port > $proxy_protocol_server_addr $proxy_protocol_server_port';
  const server = (listen: string): string =>
    `server { listen ${listen} proxy_protocol; location / { return 200 "${told}"; } }`;
  writeFileSync(
    join(directory, 'nginx.conf'),
    `daemon off; master_process off; pid nginx.pid; error_log stderr crit;
events {}
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fast; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  ssl_certificate ${files.cert}; ssl_certificate_key ${files.key};
  ${server(`${host}:${plain}`)}
  ${server(`${host}:${secure} ssl`)}
  ${server(`unix:${socket}`)}
}`,
  );
  run(t, 'nginx', ['-p', directory, '-c', 'nginx.conf']);
  writeFileSync(
    join(directory, 'haproxy.cfg'),
    `defaults
  mode http
  timeout client 10s
  timeout connect 10s
  timeout server 10s
frontend f
  bind ${host}:${haproxy} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] > %[dst] %[dst_port]"
`,
  );
  run(t, 'haproxy', ['-f', join(directory, 'haproxy.cfg'), '-db']);
  const behind = {
    watch: false,
    workers: 1,
    listen: [{ address: `${host}:${chained}`, proxyProtocol: { from: [host, '127.0.0.0/8'] } }],
    services: [{ blue: { targets: [`http://${host}:${plain}`] }, sendProxy: 'v1', health: HEALTH }],
  };
  const second = await start(t, behind);
  const wrong = await serve(
    t,
    createServer((_asked, answer) => answer.end('ok')),
  );
  const service = (name: string, target: string, sendProxy: object) => ({
    name,
    hosts: [`${name}.test`],
    blue: { targets: [target] },
    health: HEALTH,
    affinity: { mode: 'off' },
    ...sendProxy,
  });
  const urls = {
    plain: `http://${host}:${plain}`,
    secure: `https://${host}:${secure}`,
    socket: `unix:${socket}`,
    haproxy: `http://${host}:${haproxy}`,
    chained: `http://${host}:${chained}`,
    wrong: `http://127.0.0.1:${wrong.port}`,
  };
  const { running, admin } = await start(t, {
    watch: false,
    workers: 2,
    listen: `${host}:${own}`,
    services: [
      service('plain', urls.plain, { sendProxy: 'v1' }),
      service('secure', urls.secure, {
        sendProxy: 'v2',
        upstreamTls: { ca: ca.cert, serverName: 'localhost' },
      }),
      service('socket', urls.socket, { sendProxy: 'v1' }),
      service('haproxy', urls.haproxy, { sendProxy: 'v2' }),
      service('chained', urls.chained, {
        sendProxy: 'off',
        blue: { targets: [urls.chained], sendProxy: 'v2' },
      }),
      service('wrong', urls.wrong, { sendProxy: 'v2' }),
    ],
  });
  const { proxy } = running;
  await became(second.admin, urls.plain, 'up');
  const localAddress = ownAddress();
  for (const name of ['plain', 'secure', 'socket', 'haproxy', 'chained'] as const) {
    await became(admin, urls[name], 'up');
    for (let visit = 0; visit < 4; visit++) {
      const { status, text, from, to } = await ask(proxy, `${name}.test`, { localAddress });
      t.strictSame([status, text], [200, `${from} > ${to}`], name);
    }
  }
  const reason = await became(admin, urls.wrong, 'down');
  t.match(reason, 'it may not expect the PROXY header that it is sent first (sendProxy: v2)');
});

await t.test('turned on and off under load, no request fails', async (t) => {
  const { port } = await openToldOrigin(t, { isLenient: true });
  const listen = `${ownAddress()}:0`;
  const file = (sendProxy: string): object => ({
    watch: false,
    workers: 2,
    listen,
    services: [{ blue: { targets: [`http://127.0.0.1:${port}`] }, sendProxy, health: HEALTH }],
  });
  const { running, reload } = await start(t, file('off'));
  const { proxy } = running;
  const seen = new Set<'told' | 'not told'>();
  const load = { isOver: false, count: 0 };
  const visit = async (): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!load.isOver) {
      const { status, text, from, to } = await ask(proxy, 'shop.test', { agent });
      const isTold = text === `${from} > ${to}`;
      if (status !== 200 || (!isTold && text !== 'none')) throw new Error(`${status} ${text}`);
      seen.add(isTold ? 'told' : 'not told');
      load.count++;
    }
    agent.destroy();
  };
  const visits = Array.from({ length: LOAD_CLIENTS }, visit);
  for (const sendProxy of ['v1', 'off', 'v2', 'v1']) {
    seen.clear();
    await reload(file(sendProxy));
    // What began before has ended; from here on each request goes by the new setting.
    seen.clear();
    const enough = load.count + 5 * LOAD_CLIENTS;
    while (load.count < enough) await ask(proxy, 'shop.test');
    t.ok(seen.has(sendProxy === 'off' ? 'not told' : 'told'), sendProxy);
  }
  load.isOver = true;
  await Promise.all(visits);
});

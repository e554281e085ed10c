// `turnout demo`: two tiny environments and a proxy before them, to try a switch in a minute.
// Everything is temporary; nothing is left behind.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bracketed, isWildcard } from '../../config/values/host-name.ts';
import { printAddress, type ListenAddress } from '../../contract/worker-settings.ts';
import { COLORS, type Color } from '../../contract/table.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { ADMIN_DEFAULT } from '../client/admin-connection.ts';
import { loadLocalConfig, printFaults } from '../steps/local-config.ts';
import { ownCommand } from '../steps/own-command.ts';
import { styled, type Terminal } from '../terminal/print.ts';
import { runDaemon } from './run.ts';

export interface DemoFlags {
  readonly listen: string | undefined;
  readonly admin: string | undefined;
  readonly json: boolean;
}

/** Runs both demo environments and the proxy until a signal ends it. */
export async function demo(terminal: Terminal, flags: DemoFlags): Promise<ExitCode> {
  const directory = await mkdtemp(join(tmpdir(), 'turnout-demo-'));
  const servers = await Promise.all(COLORS.map(startEnvironment));
  try {
    const [blue, green] = servers.map(urlOf);
    const settings = {
      blue: blue!,
      green: green!,
      'blue-release': 'demo-blue',
      'green-release': 'demo-green',
      state: directory,
      // Both are there at once, so one passed probe is enough.
      'health-interval': '500ms',
      'health-rise': '1',
      'log-level': 'warn',
      'access-log': 'off',
      ...(flags.listen === undefined ? {} : { listen: flags.listen }),
      ...(flags.admin === undefined ? {} : { admin: flags.admin }),
    };
    // A file belongs to a real deployment; addresses may well come from the environment.
    const environment = { ...terminal.environment, TURNOUT_CONFIG: undefined };
    const loaded = loadLocalConfig(environment, { file: '', flags: settings });
    if (!loaded.ok) {
      printFaults(terminal, { ...loaded, json: flags.json });
      return EXIT.usage;
    }
    return await runDaemon(terminal, loaded.config, {
      onReady: ({ proxyAddress, adminAddress }) => {
        terminal.out(
          flags.json
            ? JSON.stringify({
                listen: printAddress(proxyAddress),
                admin: printAddress(adminAddress),
              })
            : invitation(terminal, proxyAddress, adminAddress),
        );
      },
    });
  } finally {
    for (const server of servers) server.closeAllConnections();
    await Promise.all(servers.map(close));
    await rm(directory, { recursive: true, force: true });
  }
}

async function startEnvironment(color: Color): Promise<Server> {
  const server = createServer((request, response) => {
    const wantsPage = request.headers.accept?.includes('text/html') === true;
    // Never stored, so that a reload shows a switch.
    response.setHeader('cache-control', 'no-store');
    response.setHeader('content-type', `text/${wantsPage ? 'html' : 'plain'}; charset=utf-8`);
    response.end(wantsPage ? page(color) : `${color}\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** The page asks every second which color answers, so that a switch is seen as it happens. */
function page(color: Color): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${color}</title>
<style>
  body { display: grid; place-content: center; height: 100vh; margin: 0; text-align: center;
    font: 1.2rem system-ui, sans-serif; color: #fff; background: var(--now); transition: .3s; }
  h1 { font-size: 5rem; margin: 0; }
  .blue { --now: #1f6feb; } .green { --now: #1a7f37; }
</style>
<body class="${color}">
<h1>${color}</h1>
<p>is what new visitors get; switch, and watch it change</p>
<p>Your own session is on <b>${color}</b>.</p>
<script>
  const ask = async (credentials) => {
    const headers = { accept: 'text/plain' };
    const answer = await fetch(location.href, { headers, credentials }).catch(() => null);
    const color = answer?.ok ? (await answer.text()).trim() : '';
    return color === 'blue' || color === 'green' ? color : undefined;
  };
  setInterval(async () => {
    const visitors = await ask('omit');
    const mine = await ask('same-origin');
    if (!visitors || !mine) return;
    document.title = document.querySelector('h1').textContent = document.body.className = visitors;
    document.querySelector('b').textContent = mine;
  }, 1000);
</script>
`;
}

function invitation(terminal: Terminal, proxy: ListenAddress, admin: ListenAddress): string {
  const traffic = curl(proxy, '');
  const command = ownCommand({
    script: process.argv[1] ?? '',
    node: process.execPath,
    cwd: process.cwd(),
    path: terminal.environment['PATH'] ?? '',
  });
  const place = admin.kind === 'unix' ? printAddress(admin) : curl(admin, '');
  const where = place === `http://${ADMIN_DEFAULT}` ? '' : ` --admin ${place}`;
  const json = "-H 'content-type: application/json'";
  const bold = (text: string): string => styled(terminal, 'bold', text);
  return [
    `Turnout runs with two small environments, ${styled(terminal, 'blue', 'blue')} and ` +
      `${styled(terminal, 'green', 'green')}. Try in another terminal, in this folder:`,
    '',
    '  who answers (blue at first)',
    `    ${bold(`curl ${traffic}`)}`,
    '  switch to green',
    `    ${bold(`curl -X POST ${json} -d '{"to":"green"}' ${curl(admin, '/v1/switch')}`)}`,
    '  and back',
    // A demo is switched to and fro, so the rollback locks nothing out.
    `    ${bold(`curl -X POST ${json} -d '{"lockOut":false}' ${curl(admin, '/v1/rollback')}`)}`,
    '  to the other color by a command, which shows what it would do and asks',
    `    ${bold(`${command} switch green${where}`)}`,
    '  all that goes on, live',
    `    ${bold(`${command} status --watch${where}`)}`,
    '',
    'In a browser the page shows what new visitors get, and that your session stays where it began',
    'for as long as that drains. Ctrl-C ends the demo.',
  ].join('\n');
}

/** Returns what curl needs to reach `path` at `address`. */
function curl(address: ListenAddress, path: string): string {
  if (address.kind === 'unix') return `--unix-socket ${address.path} http://localhost${path}`;
  const host = isWildcard(address.host) ? 'localhost' : bracketed(address.host);
  return `http://${host}:${address.port}${path}`;
}

function urlOf(server: Server): string {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return `http://127.0.0.1:${port}`;
}

async function close(server: Server): Promise<void> {
  server.close();
  if (server.listening) await once(server, 'close');
}

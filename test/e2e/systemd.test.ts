// What systemd does for Turnout and hears from it: sockets that are open before it starts and after
// it has ended, readiness, and which process is in charge. systemd itself is not needed.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { skipWithout } from '../support/installed.ts';
import { ownAddress } from '../support/own-address.ts';
import { temporaryDirectory, turnout } from './turnout-process.ts';
import { kill, openUpgradeScene, until } from './upgrade-scene.ts';

const HOLDER = new URL('../support/socket-holder.ts', import.meta.url).pathname;
const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;

interface Held {
  /** Ports by the names of the sockets. */
  readonly ports: Readonly<Record<string, number>>;
  readonly lines: readonly string[];
  /** The running Turnout. */
  pid(): number;
}

async function hold(t: Test, names: string, args: readonly string[]): Promise<Held> {
  const command = [process.execPath, MAIN, 'run', '--state', temporaryDirectory(t), ...args];
  const holder = spawn(process.execPath, [HOLDER, '2', names, ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = (): number =>
    Number(readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim());
  t.teardown(() => {
    kill(pid());
    holder.kill('SIGKILL');
  });
  const lines: string[] = [];
  const input = createInterface({ input: holder.stdout });
  input.on('line', (line) => lines.push(line));
  await once(input, 'line');
  return { ports: JSON.parse(lines[0]!) as Held['ports'], lines, pid };
}

/** Asks on a new connection, which the kernel takes even while no process is there to accept it. */
function asking(
  t: Test,
  where: number | string,
): { readonly socket: Socket; readonly answer: Promise<string> } {
  const socket = typeof where === 'number' ? connect(where, '127.0.0.1') : connect({ path: where });
  t.teardown(() => socket.destroy());
  let text = '';
  socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
  socket.on('error', (error) => (text += error.message));
  socket.write('GET / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n');
  return { socket, answer: once(socket, 'close').then(() => text) };
}

async function readyCount({ lines }: Held, count: number): Promise<void> {
  const isReady = (): boolean =>
    lines.filter((line) => line.includes('"msg":"ready"')).length >= count;
  await until(isReady, `start ${count}`);
}

await t.test('connections wait in the sockets of systemd while Turnout restarts', async (t) => {
  const app = await openColoredApp(t, 'blue');
  const flags = ['--blue', app.url, '--health-kind', 'none', '--workers', '2'];
  // Its own addresses are free ones: that it serves on those of the sockets is no accident.
  const listen = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  const held = await hold(t, 'http:http:admin', [...flags, ...listen]);
  const port = held.ports['http']!;
  const early = Array.from({ length: 20 }, () => asking(t, port));
  await readyCount(held, 1);
  for (const { answer } of early) t.match(await answer, /^HTTP\/1\.1 200 .*blue/s);
  const admin = new AdminClient(`127.0.0.1:${held.ports['admin']}`);
  t.teardown(() => admin.close());
  t.match((await admin.get('/v1/status')).json, { workers: { listening: 2 } });
  t.match(held.lines.join('\n'), `"admin":"127.0.0.1:${held.ports['admin']}"`);

  const first = held.pid();
  process.kill(first, 'SIGTERM');
  await until(() => held.lines.some((line) => line.includes('"msg":"stopped"')), 'a stop');
  const late = Array.from({ length: 20 }, () => asking(t, port));
  await readyCount(held, 2);
  for (const { answer } of late) t.match(await answer, /^HTTP\/1\.1 200 .*blue/s);
  t.not(held.pid(), first);
});

await t.test('each address of the configuration has the socket that is named for it', async (t) => {
  const app = await openColoredApp(t, 'blue');
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  // Free ports of its own again: what is served comes by the sockets.
  const listen = `listen: [{ address: "127.0.0.1:0" }, { address: "${ownAddress()}:0" }]`;
  const service = `{ blue: { targets: ["${app.url}"] }, health: { kind: none } }`;
  writeFileSync(file, `${listen}\npreview: { listen: "127.0.0.1:0" }\nservices: [${service}]\n`);
  const flags = ['--config', file, '--workers', '2', '--admin', '127.0.0.1:0'];
  const held = await hold(t, 'listen-2:web:preview:listen-2:web:admin', flags);
  await readyCount(held, 1);
  const admin = new AdminClient(`127.0.0.1:${held.ports['admin']}`);
  t.teardown(() => admin.close());
  const { json } = await admin.get('/v1/status');
  const found = (json['listeners'] as readonly { address: string }[]).map(({ address }) =>
    Number(address.split(':').at(-1)),
  );
  const { ports } = held;
  t.strictSame(found, [ports['web'], ports['listen-2'], ports['preview']]);
  for (const name of ['web', 'listen-2']) {
    t.match(await asking(t, ports[name]!).answer, /^HTTP\/1\.1 200 .*blue/s, name);
  }
  t.match(await asking(t, ports['preview']!).answer, /^HTTP\/1\.1 503 /);
});

await t.test('a reload in another order leaves each address its socket', async (t) => {
  const app = await openColoredApp(t, 'blue');
  const dir = temporaryDirectory(t);
  const [file, path] = [join(dir, 'turnout.yaml'), join(dir, 's')];
  const service = `{ blue: { targets: ["${app.url}"] }, health: { kind: none } }`;
  const write = (...addresses: readonly string[]): void => {
    const listen = addresses.map((address) => `{ address: "${address}" }`).join(', ');
    writeFileSync(file, `watch: false\nlisten: [${listen}]\nservices: [${service}]\n`);
  };
  write('127.0.0.1:0', `unix:${path}`);
  const flags = ['--config', file, '--workers', '2', '--admin', '127.0.0.1:0'];
  const held = await hold(t, `web:listen-2@${path}:admin`, flags);
  await readyCount(held, 1);
  const admin = new AdminClient(`127.0.0.1:${held.ports['admin']}`);
  t.teardown(() => admin.close());
  const before = statSync(path).ino;
  const isServed = async (): Promise<void> => {
    t.match(await asking(t, held.ports['web']!).answer, /^HTTP\/1\.1 200 .*blue/s);
    for (let i = 0; i < 4; i++) t.match(await asking(t, path).answer, /^HTTP\/1\.1 200 .*blue/s);
    t.equal(statSync(path).ino, before, 'the file is that of systemd');
  };
  await isServed();
  write(`unix:${path}`, '127.0.0.1:0');
  t.equal((await admin.post('/v1/reload', {})).status, 200);
  t.match((await admin.get('/v1/status')).json, {
    listeners: [{ address: `unix:${path}` }, { address: `127.0.0.1:${held.ports['web']}` }],
  });
  await isServed();
});

await t.test('one worker serves all sockets it is given, also without names', async (t) => {
  const app = await openColoredApp(t, 'blue');
  const flags = ['--blue', app.url, '--health-kind', 'none', '--workers', '1'];
  const held = await hold(t, 'one:two', [...flags, '--admin', '127.0.0.1:0']);
  await readyCount(held, 1);
  for (const name of ['one', 'two']) {
    t.match(await asking(t, held.ports[name]!).answer, /^HTTP\/1\.1 200 .*blue/s, name);
  }
});

/** A Turnout whose words to systemd are written down, one line each. */
async function overheard(t: Test): Promise<{
  readonly scene: Awaited<ReturnType<typeof openUpgradeScene>>;
  readonly words: () => readonly string[];
  /** Resolves with the first line after `count` others that `wanted` accepts. */
  readonly word: (wanted: RegExp, count?: number) => Promise<string>;
}> {
  const directory = temporaryDirectory(t);
  const heard = join(directory, 'heard');
  writeFileSync(heard, '');
  const notify = join(directory, 'systemd-notify');
  writeFileSync(notify, `#!/bin/sh\necho "$@" >> ${heard}\n`, { mode: 0o755 });
  const scene = await openUpgradeScene(t, [], {
    NOTIFY_SOCKET: join(directory, 'socket'),
    PATH: `${directory}:${process.env['PATH'] ?? ''}`,
  });
  const words = (): string[] => readFileSync(heard, 'utf8').split('\n').slice(0, -1);
  const found = (wanted: RegExp, count: number): string | undefined =>
    words()
      .slice(count)
      .find((line) => wanted.test(line));
  const word = async (wanted: RegExp, count = 0): Promise<string> => {
    await until(() => found(wanted, count) !== undefined, `${wanted} after ${count} words`);
    return found(wanted, count)!;
  };
  return { scene, words, word };
}

await t.test('systemd hears that Turnout is ready, and who is in charge', async (t) => {
  const { scene, words, word } = await overheard(t);
  const { pid: first } = scene.running.process;
  const ready = await word(/^READY=1 /);
  t.match(ready, new RegExp(`^READY=1 MAINPID=${first} STATUS=active is default: blue`));
  const count = words().length;
  const ended = once(scene.running.process, 'exit');
  const pid = await scene.upgrade();
  t.match(await word(/READY=1/, count), `READY=1 MAINPID=${pid}`);
  await ended;
  t.notMatch(words().join('\n'), 'STOPPING', 'the service goes on when its first process ends');
});

await t.test('systemd hears of switches, reloads and the stop, in this order', async (t) => {
  const { scene, words, word } = await overheard(t);
  const { process: child } = scene.running;
  await word(/^READY=1 /);
  await scene.switchTo('green');
  await word(/^STATUS=active is default: green/);

  const before = words().length;
  child.kill('SIGHUP');
  const reloading = await word(/^RELOADING=1 /, before);
  const [, since = ''] = /^RELOADING=1 MONOTONIC_USEC=(\d+) STATUS=\S/.exec(reloading) ?? [];
  const nowUs = Number(process.hrtime.bigint() / 1_000n);
  // The clock of the whole machine: within the hour, as a test takes no longer.
  t.ok(Number(since) <= nowUs && Number(since) > nowUs - 3.6e9, `${since} of ${nowUs}`);
  await word(/^READY=1 /, words().indexOf(reloading) + 1);

  child.kill('SIGTERM');
  t.equal(await scene.running.ended, 0);
  t.match(words().at(-1), /^STOPPING=1 STATUS=Stopping/, 'and nothing after that');
});

const UNITS = new URL('../../examples/systemd/', import.meta.url).pathname;

/** Lines of a unit file by section and key, in order. */
function unit(name: string): Readonly<Record<string, readonly string[]>> {
  const found: Record<string, string[]> = {};
  let section = '';
  for (const line of readFileSync(join(UNITS, name), 'utf8').split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const header = /^\[(\w+)\]$/.exec(line);
    if (header !== null) section = header[1]!;
    else {
      const [, key = '', value = ''] = /^(\w+)=(.*)$/.exec(line) ?? [];
      (found[`${section}.${key}`] ??= []).push(value);
    }
  }
  return found;
}

await t.test('the units start Turnout as it understands it', async (t) => {
  const [service, socket] = [unit('turnout.service'), unit('turnout.socket')];
  t.strictSame(service['Service.Type'], ['notify'], 'it is ready when it says so');
  t.strictSame(service['Service.NotifyAccess'], ['all'], 'the word comes from a child');
  const [command] = service['Service.ExecStart']!;
  const [, args = ''] = /^\/usr\/bin\/env turnout (.*)$/.exec(command!) ?? [];
  const { code, out } = await turnout([...args.split(' ').slice(0, 1), '--help']);
  t.equal(code, 0);
  for (const flag of args.match(/--\w+/g)!) t.match(out, flag, `${flag} is known`);
  t.strictSame(service['Service.KillMode'], ['mixed'], 'old processes are not stopped twice');
  t.strictSame(socket['Socket.Service'], ['turnout.service']);
  t.strictSame(socket['Socket.FileDescriptorName'], ['http']);
  const streams = socket['Socket.ListenStream']!;
  t.equal(new Set(streams).size, 1, 'workers share one address');
  t.strictSame(socket['Socket.ReusePort'], ['true']);
});

const skip = skipWithout('systemd-analyze');

await t.test('systemd takes the units as they are', { skip }, async (t) => {
  const files = ['turnout.service', 'turnout.socket'].map((name) => join(UNITS, name));
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', ...files], {
    encoding: 'utf8',
  });
  t.equal(status, 0, stderr);
  t.equal(`${stdout}${stderr}`, '', 'and has nothing to say');
});

/** 10 is a service with no protection at all; up to 2.5 is what this one promises. */
const EXPOSURE_MAX = 2.5;

await t.test('little is open to a process that was taken over', { skip }, async (t) => {
  const args = ['security', '--offline=true', join(UNITS, 'turnout.service')];
  const { stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  const [, exposure] = /exposure level for \S+: ([\d.]+)/.exec(stdout) ?? [];
  t.ok(Number(exposure) <= EXPOSURE_MAX, `${exposure}${stderr}`);
});

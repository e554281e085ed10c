// A killed process leaves the files of its Unix sockets behind. They must not keep the next one
// from starting, and the socket of a living one must not be taken.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openColoredApp } from '../support/colored-app.ts';
import { startTurnout, turnout } from './turnout-process.ts';

async function body(socketPath: string): Promise<string> {
  const asked = request({ socketPath, path: '/', agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of response) text += String(part);
  return text;
}

async function open(t: Test) {
  // The path of a socket has 107 bytes at most, so no directory of the test.
  const directory = mkdtempSync(join(tmpdir(), 't-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const app = await openColoredApp(t, 'blue');
  const [socket, admin] = [join(directory, 'p'), join(directory, 'a')];
  const flags = ['--blue', app.url, '--health-kind', 'none', '--listen', `unix:${socket}`];
  const args = [...flags, '--admin', `unix:${admin}`];
  return { directory, socket, admin, args };
}

await t.test('a start over the sockets of a killed process works', async (t) => {
  const { socket, admin, args } = await open(t);
  for (let round = 1; round <= 3; round++) {
    const running = await startTurnout(t, args);
    t.equal(await body(socket), 'blue');
    running.process.kill('SIGKILL');
    await running.ended;
    t.ok(existsSync(socket) && existsSync(admin), 'the files are left behind');
  }
});

await t.test('the socket of a living process is not taken', async (t) => {
  const { directory, socket, args } = await open(t);
  await startTurnout(t, args);
  const state = ['--state', join(directory, 'state')];
  const second = await turnout(['run', ...args, '--admin', '127.0.0.1:0', ...state]);
  t.match(second, {
    code: 1,
    err: `turnout: cannot listen on unix:${socket}: the address is in use`,
  });
  t.equal(await body(socket), 'blue', 'the first one goes on');
});

await t.test('a socket that cannot be made ends the start with its reason', async (t) => {
  const { directory, args } = await open(t);
  const path = join(directory, 'no such directory', 'p');
  const state = ['--state', join(directory, 'state')];
  const { code, err } = await turnout(['run', ...args, '--listen', `unix:${path}`, ...state]);
  t.equal(code, 1);
  t.match(err, `turnout: cannot listen on unix:${path}: `);
  t.equal(err.split('\n').length, 1, 'one line');
});

// The pipe behind standard output is not read: nothing waits for it.

import { closeSync, readFileSync } from 'node:fs';
import t from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { droppedLines, isJson, load, openFifo, start, switchTo } from './log-scene.ts';

/** A pipe holds 64 KiB and a worker 4 MiB: their lines are more. The long form takes many more. */
const REQUESTS = Number(process.env['TURNOUT_LOG_REQUESTS'] ?? 1_900);

await t.test('a pipe that is not read stops nothing, and what is lost is told', async (t) => {
  const fifo = openFifo(t);
  t.teardown(() => closeSync(fifo.reader));
  const { process: child, admin, proxy, ended } = await start(t, [fifo.writer, fifo.writer]);
  closeSync(fifo.writer);
  t.equal(await load(proxy, REQUESTS), REQUESTS, 'every request is answered');
  t.equal((await admin.get('/livez')).status, 200);
  t.equal((await admin.get('/readyz')).status, 200);
  // Lines of the control plane have no room either.
  for (let count = 0; count < 20; count++) {
    t.equal(await switchTo(admin, count % 2 === 0 ? 'green' : 'blue'), 200);
  }
  t.equal(await switchTo(admin, 'green'), 200);
  t.equal(await (await fetch(`http://${proxy}/`)).text(), 'green', 'the switch holds');
  const before = await droppedLines(admin);
  t.ok(before['access']! > 0, `${before['access']} lines of the access log are counted`);

  // It is read again: what was held comes, then how much is missing, then all as before.
  let text = '';
  while (!text.includes('"dropped":')) {
    text += fifo.read();
    await fetch(`http://${proxy}/flowing`).then(async (answer) => answer.arrayBuffer());
  }
  const told = text.split('\n').find((line) => line.includes('"dropped":'))!;
  const { dropped, level } = JSON.parse(told) as { dropped: number; level: string };
  t.match({ dropped, level }, { level: 'warn' });
  t.ok(dropped > 0 && dropped <= before['access']!);
  const lines = text.split('\n').slice(0, -1);
  const torn = lines.filter((line) => line.length < 4_096 && !isJson(line));
  t.strictSame(torn, [], 'no short line is torn');

  // Full again: it ends in order all the same.
  await load(proxy, REQUESTS);
  child.kill('SIGTERM');
  t.equal(await ended, 0);
});

for (const kind of ['pipe', 'sockets'] as const) {
  await t.test(`after an upgrade unread ${kind} stop nothing either`, async (t) => {
    const fifo = openFifo(t);
    t.teardown(() => closeSync(fifo.reader));
    const output = kind === 'pipe' ? ([fifo.writer, fifo.writer] as const) : kind;
    const { admin, adminAt, proxy, ended } = await start(t, output);
    closeSync(fifo.writer);
    const upgraded = await admin.post('/v1/upgrade', {});
    t.equal(upgraded.status, 200, upgraded.text);
    const { pid } = upgraded.json as { pid: number };
    t.teardown(() => isThere(pid) && process.kill(pid, 'SIGKILL'));
    // At its end the first process must not make the pipe one that is waited for.
    t.equal(await ended, 0);
    t.equal(await load(proxy, REQUESTS), REQUESTS);
    const after = new AdminClient(adminAt);
    t.teardown(() => after.close());
    t.equal(await switchTo(after, 'green'), 200);
    t.ok((await droppedLines(after))['access']! > 0);
    process.kill(pid, 'SIGTERM');
    // Whatever has taken it as its child may not have heard of its end.
    while (isThere(pid)) await after.get('/livez').catch(() => {});
  });
}

/** It runs: one that has ended, and was not asked for its exit code, does not. */
function isThere(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

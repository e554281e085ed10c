// What takes the log has gone, was never there, or has no room: it costs lines, which are counted.

import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { mountSmallDisk, skipWithoutMount } from '../support/small-disk.ts';
import { droppedLines, isJson, load, openFifo, start, switchTo } from './log-scene.ts';

await t.test('a reader that has gone costs lines alone, and they are counted', async (t) => {
  const fifo = openFifo(t);
  const { process: child, admin, proxy, ended } = await start(t, [fifo.writer, fifo.writer]);
  closeSync(fifo.writer);
  closeSync(fifo.reader);
  t.equal(await load(proxy, 50), 50);
  t.equal(await switchTo(admin, 'green'), 200);
  t.ok((await droppedLines(admin))['process']! > 0);
  child.kill('SIGTERM');
  t.equal(await ended, 0);
});

await t.test('an output that is closed ends nothing', async (t) => {
  const { process: child, admin, proxy, ended } = await start(t, 'closed');
  t.equal(await load(proxy, 50), 50);
  t.equal(await switchTo(admin, 'green'), 200);
  child.kill('SIGTERM');
  t.equal(await ended, 0);
});

const skip = skipWithoutMount();
await t.test('a full disk under the log costs lines; later ones are whole', { skip }, async (t) => {
  const disk = mountSmallDisk(t, 64);
  const path = join(disk.path, 'log');
  writeFileSync(path, '');
  const file = openSync(path, 'a');
  const { process: child, admin, proxy, ended } = await start(t, [file, file]);
  closeSync(file);
  disk.fill();
  t.equal(await load(proxy, 200), 200);
  t.equal(await switchTo(admin, 'green'), 200);
  t.equal(await (await fetch(`http://${proxy}/`)).text(), 'green');
  while (((await droppedLines(admin))['access'] ?? 0) === 0) {
    await load(proxy, 16);
  }
  disk.empty();
  while (!readFileSync(path, 'utf8').includes('"dropped":')) await load(proxy, 1);
  child.kill('SIGTERM');
  t.equal(await ended, 0);
  const last = readFileSync(path, 'utf8').split('\n').slice(0, -1).at(-1)!;
  t.ok(isJson(last), 'the last line is whole');
});

// An upgrade where traffic and operators come in through Unix sockets: their files stay, although
// the process that made them ends.

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { openUpgradeScene, until } from './upgrade-scene.ts';
import { isAlive } from '../support/is-alive.ts';

await t.test(
  'Unix sockets are handed over, and their files go with the last process',
  async (t) => {
    // The path of a socket has 106 bytes at most, so no directory of the test.
    const directory = mkdtempSync(join(tmpdir(), 't-'));
    t.teardown(() => rmSync(directory, { recursive: true, force: true }));
    const [proxy, preview, admin, metrics] = ['p', 'v', 'a', 'm'].map((name) =>
      join(directory, name),
    );
    const listen = ['--listen', `unix:${proxy}`, '--preview-listen', `unix:${preview}`];
    const operators = ['--admin', `unix:${admin}`, '--metrics', `unix:${metrics}`];
    const scene = await openUpgradeScene(t, [...listen, ...operators]);
    const paths = [proxy!, preview!, admin!, metrics!];
    let pid = scene.running.process.pid!;
    for (const to of ['green', 'blue']) {
      const old = pid;
      pid = await scene.upgrade();
      await until(
        () => !isAlive(old) || scene.running.process.exitCode !== null,
        'the end of the old one',
      );
      t.ok(
        paths.every((path) => existsSync(path)),
        'the files are there',
      );
      await scene.switchTo(to);
      t.equal(await scene.ask(), to);
    }
    t.strictSame(readdirSync(directory).toSorted(), ['a', 'm', 'p', 'v'], 'and nothing else');
    process.kill(pid, 'SIGTERM');
    await until(() => !isAlive(pid), 'the end of the last one');
    t.strictSame(readdirSync(directory), []);
  },
);

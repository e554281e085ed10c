// The words to systemd, written down by a program that stands in for systemd-notify(1).

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ServiceManager } from '../../../../src/cli/process/service-manager.ts';

interface Overheard {
  readonly manager: ServiceManager;
  readonly words: () => readonly string[];
}

function overheard(t: Test, script = 'printf "%s|" "$@" >> heard; echo >> heard'): Overheard {
  const folder = mkdtempSync(join(tmpdir(), 'turnout-notify-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'heard'), '');
  const text = `#!/bin/sh\ncd ${folder}\n${script}\n`;
  writeFileSync(join(folder, 'systemd-notify'), text, { mode: 0o755 });
  const PATH = `${folder}:${process.env['PATH'] ?? ''}`;
  const words = (): string[] =>
    readFileSync(join(folder, 'heard'), 'utf8').split('\n').slice(0, -1);
  return { manager: new ServiceManager({ NOTIFY_SOCKET: '/none', PATH }), words };
}

await t.test('words are said one after the other, a status only if it is the newest', async (t) => {
  const { manager, words } = overheard(t);
  manager.ready(7, 'one');
  for (const status of ['two', 'three', 'four']) manager.status(status);
  manager.stopping('bye');
  manager.status('never');
  manager.ready(8, 'never');
  await manager.settle();
  t.strictSame(words(), [
    'READY=1|MAINPID=7|STATUS=one|',
    'STATUS=four|',
    'STOPPING=1|STATUS=bye|',
  ]);
});

await t.test('text can not say another word', async (t) => {
  const { manager, words } = overheard(t);
  manager.status(`a\nMAINPID=1 \u{1f600} ${'x'.repeat(300)}`);
  await manager.settle();
  const [word = '', ...rest] = words();
  t.match(word, /^STATUS=a\?MAINPID=1 \?+ x+\|$/);
  t.ok(word.length < 220, `${word.length} characters`);
  t.strictSame(rest, []);
});

await t.test('a word that could not be said is told, and the next one is said', async (t) => {
  const { manager, words } = overheard(t, 'echo "$@" >> heard; exit 3');
  const troubles: string[] = [];
  manager.onTrouble = (why) => troubles.push(why);
  manager.status('one');
  manager.reloading();
  await manager.settle();
  t.equal(words().length, 2);
  t.match(words()[1], /^RELOADING=1 MONOTONIC_USEC=\d+ STATUS=\S/);
  const trouble = 'systemd-notify ended with exit code 3';
  t.strictSame(troubles, [trouble, trouble]);
});

await t.test('without systemd nothing is said', async (t) => {
  const manager = new ServiceManager({ PATH: '/none' });
  manager.onTrouble = (why) => t.fail(why);
  manager.ready(1, 'one');
  await manager.settle();
});

await t.test('a systemd-notify that hangs keeps no process from its end', async (t) => {
  const { manager, words } = overheard(t, 'echo $$ >> heard; exec sleep 60');
  manager.stopping('bye');
  await manager.settle();
  t.teardown(() => words().map((pid) => process.kill(Number(pid))));
});

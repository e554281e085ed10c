// The words that call Turnout again are those that work in the same folder of another shell.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { ownCommand } from '../../../../src/cli/steps/own-command.ts';

interface Place {
  readonly root: string;
  readonly file: (path: string) => string;
  readonly link: (path: string, to: string) => string;
}

function place(t: Test): Place {
  const root = mkdtempSync(join(tmpdir(), "it's here-"));
  t.teardown(() => rmSync(root, { recursive: true }));
  const ready = (path: string): string => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    return join(root, path);
  };
  return {
    root,
    file: (path) => {
      writeFileSync(ready(path), '');
      chmodSync(join(root, path), 0o755);
      return join(root, path);
    },
    link: (path, to) => {
      symlinkSync(to, ready(path));
      return join(root, path);
    },
  };
}

await t.test('installed for all: its name alone', async (t) => {
  const { root, file, link } = place(t);
  const script = link('bin/turnout', file('lib/turnout/dist/main.js'));
  const started = { script, node: '/usr/bin/node', cwd: '/', path: `/none:${join(root, 'bin')}` };
  t.equal(ownCommand(started), 'turnout');
});

await t.test('installed in a folder: npx, there and below; elsewhere in full', async (t) => {
  const { root, file, link } = place(t);
  const main = file('shop/node_modules/turnout/dist/main.js');
  const script = link('shop/node_modules/.bin/turnout', main);
  // npm has put this folder before PATH, but the other shell does not have it there.
  const path = `${join(root, 'shop/node_modules/.bin')}:/usr/bin`;
  const from = (cwd: string): string =>
    ownCommand({ script, node: '/usr/bin/node', cwd: join(root, cwd), path });
  t.equal(from('shop'), 'npx turnout');
  t.equal(from('shop/deeper/folder'), 'npx turnout');
  const words = script.replaceAll("'", String.raw`'\''`);
  t.equal(from('.'), `/usr/bin/node '${words}'`, 'words that a shell takes as one');
});

await t.test('another turnout on PATH is not this one', async (t) => {
  const { root, file, link } = place(t);
  file('bin/turnout');
  const script = link('node_modules/.bin/turnout', file('node_modules/turnout/dist/main.js'));
  const path = join(root, 'bin');
  t.equal(ownCommand({ script, node: '/usr/bin/node', cwd: root, path }), 'npx turnout');
});

await t.test('a checkout: by the Node that npm brought, else by the one that runs', async (t) => {
  const { root, file, link } = place(t);
  const script = file('src/main.ts');
  const node = file('node_modules/node/bin/node');
  link('node_modules/.bin/node', node);
  t.equal(ownCommand({ script, node, cwd: root, path: '' }), 'npx node src/main.ts');
  const other = ownCommand({ script, node: '/usr/bin/node', cwd: root, path: '' });
  t.match(other, /^\/usr\/bin\/node '.*src\/main\.ts'$/);
});

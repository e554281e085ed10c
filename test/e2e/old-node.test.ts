// An older Node, such as the one that a system has, says in two lines what to do: it must be able to
// read the entry for that. A newcomer's first command brings the right one.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Script } from 'node:vm';
import t from 'tap';
import { temporaryDirectory } from './turnout-process.ts';

const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'src/main.ts');

/** Returns a Node of this machine that is too old for Turnout, or undefined. */
function oldNode(): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'node'))
    .find((node) => {
      const { status, stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
      return status === 0 && Number(/^v(\d+)/.exec(stdout)?.[1]) < 24;
    });
}

const OLD = oldNode();
const skip = OLD === undefined && 'needs a Node older than 24 on PATH';

await t.test('the entry is JavaScript that any Node can read', async (t) => {
  // A script has no import statement, no export and no await at its top.
  t.doesNotThrow(() => new Script(readFileSync(MAIN, 'utf8')));
});

await t.test('an older Node names the one that npm brought, as a command', { skip }, async (t) => {
  const args = ['config', 'check', "it's none.yaml"];
  const { status, stdout, stderr } = spawnSync(OLD!, ['src/main.ts', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  t.equal(status, 1);
  t.equal(stdout, '');
  const [what = '', remedy = '', ...rest] = stderr.trimEnd().split('\n');
  t.match(what, /^turnout: expected Node 24 or newer, got v\d+\.\d+\.\d+$/);
  t.strictSame(rest, []);
  const [, command = ''] = /^use the one that npm brought: (.*)$/.exec(remedy) ?? [];
  const again = spawnSync('sh', ['-c', command], { cwd: ROOT, encoding: 'utf8' });
  t.match(again, { status: 64, stderr: /it's none\.yaml/ }, 'it works as printed');
});

await t.test('where npm brought none, an older Node says how to get one', { skip }, async (t) => {
  const folder = temporaryDirectory(t);
  mkdirSync(join(folder, 'src'));
  for (const file of ['src/main.ts', 'src/package.json', 'package-lock.json']) {
    copyFileSync(join(ROOT, file), join(folder, file));
  }
  const said = (): string[] =>
    spawnSync(OLD!, [join(folder, 'src/main.ts')], { encoding: 'utf8' }).stderr.split('\n');
  t.match(said()[1], `\`npm ci\` in ${folder} brings Node 24; \`npm start\``);
  execFileSync('rm', [join(folder, 'package-lock.json')]);
  t.match(said()[1], 'install Node 24, or let npm bring it: npm install node@24');
  t.equal(said().length, 3);
});

await t.test(
  'npm start brings what is missing, says so, and starts the demo with it',
  async (t) => {
    const folder = temporaryDirectory(t);
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    const bin = join(folder, 'node_modules/.bin');
    // As npm would: it makes the folder, and the Node in it tells how it is called.
    const npm = `#!/bin/sh
echo "npm $*"
mkdir -p ${bin}
printf '#!/bin/sh\\necho "node $*"\\n' > ${join(bin, 'node')}
chmod 755 ${join(bin, 'node')}
`;
    writeFileSync(join(folder, 'npm'), npm);
    chmodSync(join(folder, 'npm'), 0o755);
    const start = (): string[] =>
      execFileSync('sh', ['-c', scripts['start']!], {
        cwd: folder,
        encoding: 'utf8',
        env: { PATH: [bin, folder, '/usr/bin', '/bin'].join(delimiter) },
      })
        .trimEnd()
        .split('\n');
    const [line, ...first] = start();
    t.match(line, /^npm ci brings \d+ packages and Node 24 \(\d+ MB/);
    t.strictSame(first, ['npm ci --no-audit --no-fund', 'node src/main.ts demo']);
    t.strictSame(start(), ['node src/main.ts demo'], 'this once');
  },
);

// The package as a user gets it: packed, installed into an empty folder by the npm of this machine,
// started by npx, used from a program. The Node of this machine may be older than the one that
// Turnout needs: that one comes along.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { openColoredApp } from '../support/colored-app.ts';
import { walksIn } from '../support/document-walk.ts';
import { reasonForNoWalk, takeWalk, type Installed } from '../support/document-walker.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { temporaryDirectory } from './turnout-process.ts';

const ROOT = join(import.meta.dirname, '../..');
const MANIFEST = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;

interface Manifest {
  readonly version: string;
  readonly files: readonly string[];
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
}

/** The shell of a user: without what npm says to the tests that it runs. */
const SHELL = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_/.test(name))),
  PATH: (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .join(delimiter),
  LC_ALL: 'C.UTF-8',
};

/** Runs `command` in `folder` to its end, and returns what it printed. */
async function sh(folder: string, command: string): Promise<string> {
  const options = { cwd: folder, env: SHELL };
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', command], options);
  return stdout.trimEnd();
}

/** Packs a copy, as `npm pack` builds, and builds of the checkout belong to its user. */
async function packed(t: Test): Promise<string> {
  const copy = join(temporaryDirectory(t), 'checkout');
  mkdirSync(copy);
  const names = ['src', 'package.json', 'package-lock.json', 'README.md', 'LICENSE', '.npmrc'];
  const parts = MANIFEST.files.filter((name) => name !== 'dist');
  const configs = ['tsconfig.json', 'tsconfig.build.json', 'tsconfig.client.json'];
  for (const name of [...names, ...parts, ...configs]) {
    cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const made = await sh(copy, 'npm pack --json');
  const [pack] = JSON.parse(made) as { readonly filename: string }[];
  return join(copy, pack!.filename);
}

await t.test('packed, installed, tried, and used from a program', async (t) => {
  const tarball = await packed(t);
  const folder = join(temporaryDirectory(t), 'user');
  mkdirSync(folder);
  await sh(folder, `npm install --prefer-offline --no-audit --no-fund ${tarball}`);
  const listed = await sh(folder, 'ls node_modules/turnout');
  const shipped = [...MANIFEST.files, 'README.md', 'LICENSE', 'package.json'];
  t.strictSame(listed.split('\n').toSorted(), shipped.toSorted());
  t.equal(await sh(folder, 'npx turnout --version'), MANIFEST.version);

  const demo = await startDemo(t, folder);
  await t.test('the commands that the demo prints work as printed', async (t) => {
    const [traffic = '', toGreen = '', back = ''] = demo.printed.filter((line) =>
      line.startsWith('curl '),
    );
    const ask = async (): Promise<string> => sh(folder, `${traffic} --silent`);
    t.equal(await ask(), 'blue');
    const deadlineMs = performance.now() + PATIENCE_MS;
    // Green is switched to after its first passed probe, which the demo asks for at once.
    while ((await ask()) === 'blue' && performance.now() < deadlineMs) {
      await sh(folder, `${toGreen} --silent`);
    }
    t.equal(await ask(), 'green');
    t.match(await sh(folder, `${back} --silent`), /"to": ?"blue"/);
    const [again = '', watch = ''] = demo.printed.filter((line) => line.startsWith('npx turnout '));
    t.match(await sh(folder, again), /blue → green/);
    t.equal(await ask(), 'green');
    t.match(watch, / status --watch /);
    t.match(await sh(folder, watch.replace(' --watch', '')), /green is active/);
  });

  await t.test('the program of docs/client.md works, with the Node of this machine', async (t) => {
    const page = readFileSync(join(ROOT, 'docs/client.md'), 'utf8');
    const [, program = ''] = /^```js\n([^]*?)^```$/m.exec(page) ?? [];
    // How long a drain lasts is a matter of other tests.
    writeFileSync(join(folder, 'deploy.mjs'), program.replace("wait: '10m'", "wait: '1ms'"));
    const app = await openColoredApp(t, 'blue');
    const run = `TURNOUT_ADMIN=${demo.admin} node deploy.mjs`;
    const deadlineMs = performance.now() + PATIENCE_MS;
    // A release that was just registered is asked for its health first.
    let said = 'not switched';
    while (said.startsWith('not switched') && performance.now() < deadlineMs) {
      said = await sh(folder, `${run} v3 ${app.url} || [ $? = 2 ]`);
    }
    t.match(said, /^the old release/);
  });

  await t.test('the types of the client are found, and refuse', async (t) => {
    const config = {
      compilerOptions: {
        module: 'nodenext',
        strict: true,
        noEmit: true,
        types: ['node'],
        typeRoots: [join(ROOT, 'node_modules/@types')],
      },
      files: ['good.mts', 'bad.mts'],
    };
    const head = `import { TurnoutClient } from 'turnout/client';\nconst client = new TurnoutClient();\n`;
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const good = `export const { generation } = await client.switch({ to: 'green' }, { ifMatch: 1 });\n`;
    writeFileSync(join(folder, 'good.mts'), `${head}${good}generation.toFixed();\n`);
    writeFileSync(
      join(folder, 'bad.mts'),
      `${head}await client.switch({ to: true });\nexport {};\n`,
    );
    const tsc = join(ROOT, 'node_modules/.bin/tsc');
    const said = await sh(folder, `PATH=${join(ROOT, 'node_modules/.bin')}:$PATH ${tsc} || true`);
    t.match(said, /^bad\.mts\(3,\d+\): error TS/);
    t.equal(said.match(/error TS/g)?.length, 1, said);
  });

  for (const page of ['README.md', 'docs/tutorial.md']) {
    // As `npx turnout` calls it, with the Node that has come along; all else has the machine's own.
    const commands = join(folder, 'node_modules/.bin');
    const turnout = `env 'PATH=${commands}${delimiter}${SHELL.PATH}' turnout`;
    const installed: Installed = { turnout, path: SHELL.PATH };
    await t.test(`${page} from the package`, { skip: reasonForNoWalk() }, async (t) => {
      const { walks } = walksIn(readFileSync(join(ROOT, page), 'utf8'));
      for (const walk of walks) await takeWalk(t, page, walk, installed);
    });
  }

  demo.stop();
  // Its output is closed once npx and all that it has started have ended.
  await demo.ended;
  await t.rejects(fetch(`${demo.admin}/livez`), 'nothing of it is left');
});

interface Demo {
  readonly printed: readonly string[];
  /** `http://127.0.0.1:12345`. */
  readonly admin: string;
  readonly ended: Promise<unknown[]>;
  stop(): void;
}

async function startDemo(t: Test, folder: string): Promise<Demo> {
  const args = ['turnout', 'demo', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  // A group of its own: a terminal sends Ctrl-C to npx and to what it runs.
  const child = spawn('npx', args, { cwd: folder, env: SHELL, detached: true });
  const signal = (name: NodeJS.Signals): void => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, name);
  };
  t.teardown(() => signal('SIGKILL'));
  const ended = once(child, 'close');
  const printed: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    printed.push(line.trim());
    if (line.includes('Ctrl-C')) break;
  }
  const [, admin = ''] = /--admin (\S+)/.exec(printed.join('\n')) ?? [];
  return { printed, admin, ended, stop: () => signal('SIGINT') };
}

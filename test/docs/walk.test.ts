// Every command of the documents is run, in the order in which a reader would: a document that
// says what does not work is a fault like any other. Each walk has namespaces of its own, so the
// ports and addresses that a document names are free, and nothing of it stays.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { missingIn, walksIn, type Step, type Walk } from '../support/document-walk.ts';
import { skipWithout } from '../support/installed.ts';
import { DOCUMENTS } from '../tidy/documents.ts';
import { documentText, ROOT } from '../tidy/source-files.ts';

t.setTimeout(600_000);

/** Documents that only this folder's rules bind; the others show commands as they were. */
const WALKED = DOCUMENTS.filter(
  (path) => /^docs\/[^/]+\.md$/.test(path) || path.startsWith('examples/'),
);
const SCENES = join(import.meta.dirname, 'scenes.sh');
/** What stands before the commands of each step in the script. */
const BEGIN = '__step';

/** Returns the reason why no walk can be made here, or false. */
function reasonToSkip(): string | false {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root, for namespaces';
  return skipWithout('unshare', 'ip', 'curl', 'jq');
}

for (const path of WALKED) {
  const { walks, notRun, faults } = walksIn(documentText(path) ?? '');
  if (walks.length === 0 && notRun.length === 0 && faults.length === 0) continue;
  await t.test(path, { skip: reasonToSkip() }, async (t) => {
    t.strictSame(faults, [], 'every command is run, or says why not');
    for (const { line, reason } of notRun) t.comment(`line ${line} is not run: ${reason}`);
    for (const walk of walks) await takeWalk(t, path, walk);
  });
}

/** Takes the steps of `walk` in one shell, and compares what each prints. */
async function takeWalk(t: Test, path: string, { scene, steps }: Walk): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'turnout-walk-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const work = join(folder, 'work');
  mkdirSync(work);
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'walk.sh'), scriptOf(folder, scene, steps));
  writeCommand(folder, 'turnout', join(ROOT, 'src/main.ts'));
  writeCommand(folder, 'app', join(import.meta.dirname, 'app.ts'));
  const shell = spawn(
    'unshare',
    ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'bash', '../walk.sh'],
    {
      cwd: work,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: `${join(folder, 'bin')}:${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
        HOME: work,
        ROOT,
        LANG: 'C.UTF-8',
        NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/compiled-code'),
      },
    },
  );
  t.teardown(() => shell.kill('SIGKILL'));
  let said = '';
  for (const output of [shell.stdout, shell.stderr])
    output.on('data', (part: Buffer) => (said += part.toString()));
  await once(shell, 'close');
  const reached = said.match(new RegExp(`^${BEGIN} `, 'gm'))?.length ?? 0;
  t.ok(reached > 0, `the scene "${scene}" was set`);
  const commands = steps.filter((step) => step.kind === 'commands');
  for (const [index, { line, exit, prints }] of commands.entries()) {
    const output = readOutput(folder, index);
    const place = `${path}:${line}`;
    t.equal(
      endOf(said, index),
      exit,
      `${place} ends as it says\n${output}${index < reached ? '' : said}`,
    );
    const missing = missingIn(output, prints);
    t.equal(
      missing,
      undefined,
      `${place} prints what it says\n${missing === undefined ? '' : output}`,
    );
  }
}

/** Makes `name` a command that runs `file` with the Node of the tests. */
function writeCommand(folder: string, name: string, file: string): void {
  const text = `#!/bin/sh\nexec '${process.execPath}' '${file}' "$@"\n`;
  writeFileSync(join(folder, 'bin', name), text, { mode: 0o755 });
}

/** Returns `text` as one word of the shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** One script for the whole walk: each step says when it begins and how it ended. */
function scriptOf(folder: string, scene: string, steps: readonly Step[]): string {
  const lines = [
    'set -eu',
    'ip link set lo up',
    'ip addr add 10.0.0.0/24 dev lo',
    'mount -t tmpfs none /var/lib',
    `. '${SCENES}'`,
    scene,
  ];
  let index = 0;
  for (const step of steps) {
    if (step.kind === 'file') {
      const name = join(folder, 'work', step.name);
      mkdirSync(join(folder, 'files', dirname(step.name)), { recursive: true });
      writeFileSync(join(folder, 'files', step.name + index), step.text);
      lines.push(
        `mkdir -p '${dirname(name)}'`,
        `cp '${join(folder, 'files', step.name + index)}' '${name}'`,
      );
      continue;
    }
    const output = outputOf(folder, index);
    lines.push(`echo ${BEGIN} ${index}`, `becomes ${quoted(step.until)}`);
    if (step.keepsRunning !== undefined) {
      lines.push(
        `{\n${step.text}\n} >'${output}' 2>&1 &`,
        `reach '${step.keepsRunning}'`,
        `echo ended ${index} 0`,
      );
    } else {
      // No subshell: what a step changes in the shell holds for the next. "set +e" lets it end otherwise.
      const [off, on] = step.exit === 0 ? ['', ''] : ['set +e\n', 'set -e\n'];
      lines.push(
        `${off}{\n${step.text}\n} >'${output}' 2>&1 </dev/null`,
        `__code=$?\n${on}echo ended ${index} $__code`,
      );
    }
    index++;
  }
  return `${lines.join('\n')}\n`;
}

function outputOf(folder: string, index: number): string {
  return join(folder, `output-${index}`);
}

function readOutput(folder: string, index: number): string {
  try {
    return readFileSync(outputOf(folder, index), 'utf8');
  } catch {
    return ''; // The walk ended before it.
  }
}

/** Returns with what a step ended; undefined: a command failed in it, or before it. */
function endOf(said: string, index: number): number | undefined {
  const found = new RegExp(`^ended ${index} (\\d+)$`, 'm').exec(said)?.[1];
  return found === undefined ? undefined : Number(found);
}

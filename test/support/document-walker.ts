// Takes the steps of a document in one shell, in namespaces of its own: the ports and addresses that a
// document names are free there, and nothing of it stays. Compares what each step prints.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { Test } from 'tap';
import { missingIn, type Step, type Walk } from './document-walk.ts';
import { skipWithout } from './installed.ts';

const ROOT = join(import.meta.dirname, '../..');
const DOCS = join(ROOT, 'test/docs');

/** What stands before the commands of each step in the script. */
const BEGIN = '__step';

/** Returns the reason why no walk can be made here, or false. */
export function reasonForNoWalk(): string | false {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root, for namespaces';
  return skipWithout('unshare', 'ip', 'curl', 'jq');
}

/** What a reader has installed. */
export interface Installed {
  /** Words of a shell that call `turnout`. */
  readonly turnout: string;
  /** Where `node`, `npm` and all other commands are found. */
  readonly path: string;
}

/** The sources that lie here, and the Node of the tests. */
export const CHECKOUT: Installed = {
  turnout: `'${process.execPath}' '${join(ROOT, 'src/main.ts')}'`,
  path: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`,
};

/** Takes the steps of `walk` of the document `path` with what is `installed`. */
export async function takeWalk(
  t: Test,
  path: string,
  { scene, steps }: Walk,
  installed: Installed,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'turnout-walk-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const work = join(folder, 'work');
  mkdirSync(work);
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'walk.sh'), scriptOf(folder, scene, steps));
  writeCommand(folder, 'turnout', installed.turnout);
  writeCommand(folder, 'app', `'${process.execPath}' '${join(DOCS, 'app.ts')}'`);
  const shell = spawn(
    'unshare',
    ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'bash', '../walk.sh'],
    {
      cwd: work,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: `${join(folder, 'bin')}${delimiter}${installed.path}`,
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

/** Makes `name` a command of the walk that calls `words`. */
function writeCommand(folder: string, name: string, words: string): void {
  const text = `#!/bin/sh\nexec ${words} "$@"\n`;
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
    `. '${join(DOCS, 'scenes.sh')}'`,
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

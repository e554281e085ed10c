// Runs test files, each as a process of its own and some at once, passes their TAP through and ends
// with one line: "N passed, N failed, N skipped". Knows no test.
//
// node test/run.ts [file or folder ...]; without any: everything under test/
// TURNOUT_TEST_SECONDS: how long a file may take; the long forms of some tests need more.

import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import t from 'tap';

const ROOT = join(import.meta.dirname, '..');
/** The longest files take a minute of a quiet machine; only a test that hangs takes so long. */
const FILE_TIMEOUT_S = Number(process.env['TURNOUT_TEST_SECONDS'] ?? 600);
/** One more than cores: a file waits for sockets, clocks and disks a third of its time. */
const JOBS = availableParallelism() + 1;
/** Compiled code of this project and of its packages, shared by all processes of all runs. */
const COMPILE_CACHE = join(ROOT, 'node_modules/.cache/compiled-code');

/** Folders of long files come first, so that no core is idle at the end. */
const EVERYTHING = ['test/wire', 'test/e2e', 'test/security', 'test'];

const wanted = process.argv.slice(2);
const files = [...new Set((wanted.length === 0 ? EVERYTHING : wanted).flatMap(filesOf))];
if (files.length === 0) throw new Error(`expected test files, found none in ${wanted.join(', ')}`);

t.setTimeout(0); // Each file has a limit; all of them together have none.
t.jobs = JOBS;
process.once('exit', () => {
  const { pass, fail, skip } = t.counts;
  console.log(`${pass} passed, ${fail} failed, ${skip} skipped`);
});
await Promise.all(files.map(runFile));

function filesOf(path: string): string[] {
  return path.endsWith('.ts') ? [path] : globSync(`${path}/**/*.test.ts`).toSorted();
}

/** Resolves when the file has run; it starts as soon as a job is free. */
async function runFile(file: string): Promise<void> {
  // By way of `env`, because tap hands a recorder of coverage to every Node that it starts, and
  // with it to all that a test starts: 0.4 s of CPU for each start of the proxy.
  await t.spawn('env', ['--unset=NODE_OPTIONS', process.execPath, file], {
    name: file,
    cwd: ROOT,
    buffered: true,
    timeout: FILE_TIMEOUT_S * 1000,
    env: { ...process.env, TAP_TIMEOUT: `${FILE_TIMEOUT_S}`, NODE_COMPILE_CACHE: COMPILE_CACHE },
  });
}

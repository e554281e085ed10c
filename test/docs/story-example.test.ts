// examples/story: told in its short form, it ends as its README promises; and its count finds a write
// that was lost.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { temporaryDirectory } from '../e2e/turnout-process.ts';
import { skipWithout } from '../support/installed.ts';
import { ROOT } from '../tidy/source-files.ts';

const HERE = join(ROOT, 'examples/story');
const skip = skipWithout('curl', 'pg_ctlcluster');

t.setTimeout(600_000);

/** Runs a program to its end. Variables of this shell that are Turnout's or PostgreSQL's are left out. */
async function run(
  t: Test,
  command: readonly [string, ...string[]],
  { cwd = HERE, ...environment }: Readonly<Record<string, string>> = {},
) {
  const [program, ...args] = command;
  const inherited = Object.entries(process.env).filter(([name]) => !/^(?:TURNOUT_|PG)/.test(name));
  const child = spawn(program, args, {
    cwd,
    env: { ...Object.fromEntries(inherited), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // The story ends what it has started.
  t.teardown(() => child.kill('SIGTERM'));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part: Buffer) => (said += part.toString()));
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, said };
}

await t.test('the story ends as promised', { skip }, async (t) => {
  const short = { STORY_PLAN: 'all-at-once', STORY_BAKE: '3s', STORY_CLIENTS: '12' };
  const { code, said } = await run(t, [join(HERE, 'run.sh')], short);
  t.equal(code, 0, said);
  t.match(said, /rolled-back: errors: .* on v2/);
  t.match(said, 'schema-incompatible');
  t.match(said, 'point of no return is passed');
  t.notMatch(said, 'BROKEN');
});

await t.test('a write that is lost is found', { skip }, async (t) => {
  const cwd = temporaryDirectory(t);
  chmodSync(cwd, 0o755); // PostgreSQL runs as another user if the test is root.
  const folder = join(cwd, 'database');
  const database = (what: string) => run(t, [join(HERE, 'database.sh'), what, folder]);
  const node = (program: string, argument: string, environment = {}) =>
    run(t, [process.execPath, join(HERE, program), argument], { cwd, ...environment });
  const started = await database('start');
  t.equal(started.code, 0, started.said);
  t.teardown(async () => database('stop'));
  t.equal((await node('migrate.mjs', 'create')).code, 0);
  t.equal((await node('migrate.mjs', 'before', { TURNOUT_RELEASE: 'v3' })).code, 0);
  const lost = ['00000000-0000-4000-8000-000000000000', '12.50'];
  const result = join(cwd, 'load.json');
  writeFileSync(
    result,
    JSON.stringify({ requests: 2, byBug: 1, others: {}, acknowledged: [lost] }),
  );
  const { code, said } = await node('summary.mjs', result);
  t.equal(code, 1, said);
  t.match(said, 'BROKEN: writes were lost');
});

// kill -9 at any instruction of the store: what was acknowledged is there, nothing is half done, and
// the chain of the audit log is whole.
//
// TURNOUT_KILLS sets how many times.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { breakAtHead, follow, parseRow } from '../../../src/control-plane/audit-chain.ts';
import { openSqliteStore } from '../../../src/control-plane/sqlite-store.ts';
import type { Store } from '../../../src/control-plane/store.ts';
import { TestLog } from './support/fixtures.ts';

const DOOMED = fileURLToPath(new URL('./support/doomed.ts', import.meta.url));
const ROUNDS = Number(process.env['TURNOUT_KILLS'] ?? 20);

/** The last write that was told: what, generation and active color. */
type Told = readonly [what: string, generation: number, color: string];

/** Lets a process write until it has told `count` writes, kills it, returns the last told. */
async function killAfter(dir: string, count: number): Promise<Told> {
  const child = spawn(process.execPath, [DOOMED, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = '';
  child.stdout.on('data', (chunk) => {
    told += String(chunk);
    if (told.split('\n').length > count) child.kill('SIGKILL');
  });
  await once(child, 'close');
  const last = told.slice(0, told.lastIndexOf('\n')).split('\n').at(-1)!;
  const [what = '', generation, color = ''] = last.split(' ');
  return [what, Number(generation), color];
}

/** Looks at all that is stored; returns how many refusals there are. */
function look(t: Test, store: Store): number {
  const { generation, services } = store.load();
  const { active, since } = services.get('default')!;
  const switches = store.history({ service: 'default', limit: 100_000 });
  t.match(switches[0], { generation: since, to: active }, 'the last switch is the active color');

  const { anchor, head } = store.audit.ends();
  const rows = store.audit.after(anchor.seq, 1_000_000);
  const end = follow(anchor, rows);
  t.ok('hash' in end, `the chain is whole: ${JSON.stringify(end)}`);
  if ('hash' in end) t.equal(breakAtHead(end, head), undefined, 'up to its head');

  const entries = rows.map((row) => parseRow(row)!);
  const done = entries.filter(({ outcome }) => outcome === 'done').map((one) => one.generation);
  const all = Array.from({ length: generation - 1 }, (_, index) => index + 2);
  t.strictSame(done, all, 'each change has its entry, and no entry is without its change');
  const answered = all.filter((one) => store.answers.find(`key-${one}`, 0) !== undefined);
  t.strictSame(answered, all, 'and each change has its answer');
  return entries.length - done.length;
}

await t.test('what was acknowledged is there after kill -9, and nothing half done', async (t) => {
  const dir = t.testdir();
  let refused = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    // A different count each time, so that the kill meets different moments.
    const [what, generation, color] = await killAfter(dir, 1 + ((round * 7) % 50));
    const log = new TestLog();
    const store = openSqliteStore(dir, log);
    const state = store.load();
    t.ok(state.generation >= generation, `round ${round}: generation ${generation} is not lost`);
    if (state.generation === generation) t.equal(state.services.get('default')?.active, color);
    const before = refused;
    refused = look(t, store);
    if (what === 'refused') t.ok(refused > before, 'the refusal is not lost');
    t.same(log.lines, [], 'and the file is sound');
    await store.close();
  }
});

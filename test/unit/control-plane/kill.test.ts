import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { openSqliteStore } from '../../../src/control-plane/sqlite-store.ts';
import { TestLog } from './support/fixtures.ts';

const DOOMED = fileURLToPath(new URL('./support/doomed.ts', import.meta.url));
const ROUNDS = 20;

/** Lets a process switch until it has told `count` switches, kills it, returns the last told. */
async function killAfter(dir: string, count: number): Promise<readonly [number, string]> {
  const child = spawn(process.execPath, [DOOMED, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = '';
  child.stdout.on('data', (chunk) => {
    told += String(chunk);
    if (told.split('\n').length > count) child.kill('SIGKILL');
  });
  await once(child, 'close');
  const last = told.slice(0, told.lastIndexOf('\n')).split('\n').at(-1)!;
  const [generation, color] = last.split(' ');
  return [Number(generation), color!];
}

await t.test('what was acknowledged is there after kill -9, and nothing half done', async (t) => {
  const dir = t.testdir();
  for (let round = 1; round <= ROUNDS; round++) {
    // A different count each time, so that the kill meets different moments.
    const [generation, color] = await killAfter(dir, round * 3);
    const log = new TestLog();
    const store = openSqliteStore(dir, log);
    const state = store.load();
    const service = state.services.get('default')!;
    const [latest] = store.history({ service: 'default', limit: 1 });
    t.ok(state.generation >= generation, `round ${round}: generation ${generation} is not lost`);
    if (state.generation === generation) t.equal(service.active, color);
    t.match(latest, { generation: state.generation, to: service.active });
    t.equal(service.since, state.generation);
    t.same(log.lines, [], 'and the file is sound');
    await store.close();
  }
});

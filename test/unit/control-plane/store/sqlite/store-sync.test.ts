// Which writes wait for the disk: what was acknowledged must survive a power cut, and what may be lost
// must not cost a wait. Told by the setting of the database itself, at the end of each transaction.

import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { openSqliteStore } from '../../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import type { Store } from '../../../../../src/control-plane/store/store.ts';
import { commit } from '../../support/commit.ts';
import { TestLog } from '../../support/fixtures.ts';
import { notes } from '../../support/notes.ts';
import { TOKEN } from '../../support/stored.ts';

/** https://sqlite.org/pragma.html#pragma_synchronous */
const NAMES = ['off', 'normal', 'full', 'extra'];

/** Returns a list that gets the setting in force at each end of a transaction. */
function watchCommits(t: Test): string[] {
  const seen: string[] = [];
  const { value } = Object.getOwnPropertyDescriptor(DatabaseSync.prototype, 'exec')!;
  const exec = value as DatabaseSync['exec'];
  t.teardown(() => (DatabaseSync.prototype.exec = exec));
  DatabaseSync.prototype.exec = function spied(this: DatabaseSync, sql: string) {
    if (sql.includes('COMMIT')) {
      const { synchronous } = this.prepare('PRAGMA synchronous').get()!;
      seen.push(NAMES[Number(synchronous)]!);
    }
    exec.call(this, sql);
  };
  return seen;
}

async function register(store: Store, epoch: number): Promise<void> {
  await commit(store, { epoch });
}

const DURABLE: Readonly<Record<string, (store: Store) => Promise<void>>> = {
  'the first table': async (store) => register(store, 1),
  'a change of the table': async (store) => register(store, 2),
  'a freeze': async (store) => store.setFreeze({ reason: 'sale', actor: 'ann', atMs: 1 }, notes()),
  'the end of a freeze': async (store) => store.setFreeze(undefined, notes()),
  'a call that must be in the log': async (store) => store.note(notes(), { mayBeLost: false }),
  'a new token': async (store) => store.tokens.add(TOKEN, notes()),
  'a token that is revoked': async (store) => store.tokens.revoke('id', 2, notes()),
};

const LOSSY: Readonly<Record<string, (store: Store) => Promise<void>>> = {
  'how long a switch took': async (store) => store.recordTook(2, 1.5),
  'a refusal': async (store) => store.note(notes({ outcome: 'refused' }), { mayBeLost: true }),
  'the last use of a token': async (store) => store.tokens.touch('id', 3),
  'the rest of an answer': async (store) => store.answers.complete('key', 'body'),
};

await t.test('what was acknowledged waits for the disk, and nothing else does', async (t) => {
  const seen = watchCommits(t);
  const store = openSqliteStore(t.testdir(), new TestLog());
  t.teardown(async () => store.close());
  t.strictSame(seen.splice(0), ['full'], 'the tables of a new file');
  for (const [what, write] of Object.entries(DURABLE)) {
    await write(store);
    t.strictSame(seen.splice(0), ['full'], what);
  }
  for (const [index, [what, write]] of Object.entries(LOSSY).entries()) {
    await write(store);
    t.strictSame(seen.splice(0), ['normal'], what);
    await register(store, 3 + index);
    t.strictSame(seen.splice(0), ['full'], `${what}, and what comes after it waits again`);
  }
});

await t.test(
  'a write that may be lost and fails does not take the wait from the next',
  async (t) => {
    const seen = watchCommits(t);
    const store = openSqliteStore(t.testdir(), new TestLog());
    t.teardown(async () => store.close());
    seen.length = 0;
    const wrong = notes();
    const broken = { ...wrong, audit: { ...wrong.audit, service: null as never } };
    await t.rejects(store.note(broken, { mayBeLost: true }));
    await register(store, 1);
    t.strictSame(seen, ['full']);
  },
);

// Which writes wait for the disk: what was acknowledged must survive a power cut, and what may be lost
// must not cost a wait. Told by the setting of the database itself, at the end of each transaction.

import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { openSqliteStore } from '../../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import type { Store } from '../../../../../src/control-plane/store/store.ts';
import { TestLog } from '../../support/fixtures.ts';
import { notes } from '../../support/notes.ts';
import { SERVICE, TOKEN } from '../../support/stored.ts';

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

function register(store: Store, generation: number): void {
  store.commit({ generation, fingerprint: '', services: [SERVICE], record: undefined });
}

const DURABLE: Readonly<Record<string, (store: Store) => void>> = {
  'the first table': (store) => store.begin({ generation: 1, fingerprint: '' }, [SERVICE]),
  'a change of the table': (store) => register(store, 2),
  'a freeze': (store) => store.setFreeze({ reason: 'sale', actor: 'ann', atMs: 1 }, notes()),
  'the end of a freeze': (store) => store.setFreeze(undefined, notes()),
  'a call that must be in the log': (store) => store.note(notes(), { mayBeLost: false }),
  'a new token': (store) => store.tokens.add(TOKEN, notes()),
  'a token that is revoked': (store) => store.tokens.revoke('id', 2, notes()),
};

const LOSSY: Readonly<Record<string, (store: Store) => void>> = {
  'how long a switch took': (store) => store.recordTook(2, 1.5),
  'a refusal': (store) => store.note(notes({ outcome: 'refused' }), { mayBeLost: true }),
  'the last use of a token': (store) => store.tokens.touch('id', 3),
  'the rest of an answer': (store) => store.answers.complete('key', 'body'),
};

await t.test('what was acknowledged waits for the disk, and nothing else does', async (t) => {
  const seen = watchCommits(t);
  const store = openSqliteStore(t.testdir(), new TestLog());
  t.teardown(async () => store.close());
  t.strictSame(seen.splice(0), ['full'], 'the tables of a new file');
  for (const [what, write] of Object.entries(DURABLE)) {
    write(store);
    t.strictSame(seen.splice(0), ['full'], what);
  }
  for (const [index, [what, write]] of Object.entries(LOSSY).entries()) {
    write(store);
    t.strictSame(seen.splice(0), ['normal'], what);
    register(store, 3 + index);
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
    t.throws(() => store.note(broken, { mayBeLost: true }));
    register(store, 1);
    t.strictSame(seen, ['full']);
  },
);

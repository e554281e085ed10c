// A process that opens a state directory and ends, as by a kill, before the statement with the given
// number. It tells when it has come to the end.

import { DatabaseSync, StatementSync } from 'node:sqlite';
import { openSqliteStore } from '../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import { TestLog } from './fixtures.ts';

const [, , dir = '', last = ''] = process.argv;
let count = 0;

function countOne(): void {
  if (++count === Number(last)) process.kill(process.pid, 'SIGKILL');
}

for (const [prototype, names] of [
  [DatabaseSync.prototype, ['exec']],
  [StatementSync.prototype, ['run']],
] as const) {
  for (const name of names) {
    const { value } = Object.getOwnPropertyDescriptor(prototype, name)!;
    const method = value as (...given: unknown[]) => unknown;
    Object.defineProperty(prototype, name, {
      value(...given: unknown[]) {
        countOne();
        return method.apply(this, given);
      },
    });
  }
}

openSqliteStore(dir, new TestLog());
process.stdout.write('opened\n', () => process.kill(process.pid, 'SIGKILL'));

// A process that switches as fast as it can and tells each acknowledged switch on its
// standard output, until somebody kills it.

import { writeSync } from 'node:fs';
import { openSqliteStore } from '../../../../src/control-plane/sqlite-store.ts';
import { otherColor } from '../../../../src/contract/table.ts';
import { TestLog } from './fixtures.ts';

const store = openSqliteStore(process.argv[2]!, new TestLog());
let { generation } = store.load();
let active = store.load().services.get('default')?.active ?? 'blue';
if (generation === 0) {
  generation = 1;
  store.adopt({ generation, fingerprint: '' }, [
    { name: 'default', active, since: 1, sinceAtMs: 0 },
  ]);
}
for (;;) {
  const to = otherColor(active);
  generation++;
  store.commit({
    generation,
    service: 'default',
    from: active,
    to,
    release: '',
    atMs: generation,
    outcome: 'switched',
    forced: false,
    reason: '',
    actor: 'test',
  });
  active = to;
  writeSync(1, `${generation} ${to}\n`);
  store.recordTook(generation, 1);
}

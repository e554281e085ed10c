// A process that switches as fast as it can and tells each acknowledged switch on its
// standard output, until somebody kills it.

import { writeSync } from 'node:fs';
import { openSqliteStore } from '../../../../src/control-plane/sqlite-store.ts';
import { otherColor } from '../../../../src/contract/table.ts';
import { NO_STATE } from '../../../../src/control-plane/service-state.ts';
import type { StoredService } from '../../../../src/control-plane/store.ts';
import { TestLog } from './fixtures.ts';

const store = openSqliteStore(process.argv[2]!, new TestLog());
let { generation } = store.load();
let active = store.load().services.get('default')?.active ?? 'blue';
if (generation === 0) {
  generation = 1;
  store.adopt({ generation, fingerprint: '' }, [service()]);
}

function service(): StoredService {
  return { name: 'default', active, since: generation, sinceAtMs: generation, state: NO_STATE };
}

for (;;) {
  const from = active;
  active = otherColor(active);
  generation++;
  store.commit({
    generation,
    fingerprint: '',
    service: service(),
    record: {
      generation,
      service: 'default',
      from,
      to: active,
      release: '',
      atMs: generation,
      outcome: 'switched',
      left: { release: '', urls: [] },
      forced: false,
      reason: '',
      actor: 'test',
    },
  });
  writeSync(1, `${generation} ${active}\n`);
  store.recordTook(generation, 1);
}

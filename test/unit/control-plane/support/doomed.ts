// A process that switches, registers and writes down refusals as fast as it can, and tells each
// acknowledged write on its standard output, until it is killed.

import { writeSync } from 'node:fs';
import { openSqliteStore } from '../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import { otherColor } from '../../../../src/contract/table.ts';
import { NO_STATE } from '../../../../src/control-plane/store/service-state.ts';
import type { StoredService } from '../../../../src/control-plane/store/store.ts';
import { TestLog } from './fixtures.ts';
import { notes } from './notes.ts';

const store = openSqliteStore(process.argv[2]!, new TestLog());
let { generation } = store.load();
let active = store.load().services.get('default')?.active ?? 'blue';
if (generation === 0) {
  generation = 1;
  store.begin({ generation, fingerprint: '' }, [service()]);
}

function service(): StoredService {
  return { name: 'default', active, since: generation, sinceAtMs: generation, state: NO_STATE };
}

function tell(what: string): void {
  writeSync(1, `${what} ${generation} ${active}\n`);
}

function register(): void {
  generation++;
  const noted = notes({ generation, key: `key-${generation}` });
  const since = store.load().services.get('default')!;
  store.commit({ generation, fingerprint: '', services: [since], record: undefined, notes: noted });
  tell('registered');
}

function switchOver(): void {
  const from = active;
  active = otherColor(active);
  generation++;
  store.commit({
    generation,
    fingerprint: '',
    services: [service()],
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
    notes: notes({ generation, key: `key-${generation}` }),
  });
  tell('switched');
  store.recordTook(generation, 1);
  store.answers.complete(`key-${generation}`, 'complete');
}

for (let round = 0; ; round++) {
  switchOver();
  register();
  store.note(notes({ generation, outcome: 'refused' }), { mayBeLost: true });
  tell('refused');
}

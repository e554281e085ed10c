import t from 'tap';
import { startNotes } from '../../../../src/control-plane/audit/audit-log.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { startingTable } from '../../../../src/control-plane/switching/starting-table.ts';
import type { StoredState } from '../../../../src/control-plane/store/store.ts';
import {
  fingerprintOf,
  storedService,
} from '../../../../src/control-plane/switching/table-state.ts';
import {
  config,
  NOTHING_STORED,
  QUIET,
  serviceConfig,
  target,
  TestLog,
} from '../support/fixtures.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { drain, oneService } from '../support/tables.ts';

const CONFIG = config('/nowhere');

function notes(generation: number) {
  return startNotes('1', generation, undefined);
}

function begin(stored: StoredState, store = new MemoryStore(), given = CONFIG) {
  const log = new TestLog();
  const slots = new Slots(QUIET);
  const parts = { config: given, store, stored, slots, notes, log };
  return { store, log, run: (nowMs: number) => startingTable(parts, nowMs) };
}

/** What is stored of a service that drains until 9,000 ms. */
function drainingState(): StoredState {
  const table = oneService({ draining: [drain(1)], policy: CONFIG.services[0]!.policy }, 5);
  const service = storedService(table.services[0]!, 100, CONFIG.services[0]!);
  const services = new Map([['default', service]]);
  return { generation: 5, fingerprint: fingerprintOf(table), services, freeze: undefined };
}

await t.test('a new table is stored together with its entry in the audit log', async (t) => {
  const { store, run } = begin(NOTHING_STORED);
  t.match(run(1_000), { isNew: true, table: { generation: 1 } });
  t.equal(store.generation, 1);
  const [row] = store.audit.latest({ services: undefined, before: undefined, limit: 9 });
  t.match(row?.text, /"actor":"turnout".*"action":"start".*"generation":1/);
});

await t.test('the same table is not stored again', async (t) => {
  const { store, run } = begin(drainingState());
  t.match(run(1_000), { isNew: false, table: { generation: 5 } });
  t.equal(store.generation, 0, 'nothing was written');
});

await t.test('a drain that has ended meanwhile is a new table', async (t) => {
  const { store, run } = begin(drainingState());
  t.match(run(20_000), { isNew: true, table: { generation: 6, services: [{ draining: [] }] } });
  t.equal(store.generation, 6);
});

class FullStore extends MemoryStore {
  override begin(): void {
    throw new Error('the disk is full');
  }
}

await t.test(
  'if that cannot be stored, it drains on, and traffic is served as before',
  async (t) => {
    const { run, log } = begin(drainingState(), new FullStore());
    t.match(run(20_000), {
      isNew: false,
      table: { generation: 5, services: [{ draining: [{}] }] },
    });
    t.match(log.lines, [{ level: 'error', message: /traffic is served as before/ }]);
  },
);

await t.test('a configuration that is new and cannot be stored ends the start', async (t) => {
  const green = { release: 'v9', targets: [target(3_009)] };
  const other = config('/nowhere', { services: [serviceConfig({ green })] });
  const { run } = begin(drainingState(), new FullStore(), other);
  t.throws(() => run(1_000), {
    name: 'StartError',
    message: /could not be stored: the disk is full/,
  });
  t.throws(() => begin(NOTHING_STORED, new FullStore()).run(1_000), { name: 'StartError' });
});

// A reload and a restart with the same file: what both accept leaves the same states, and what the
// one refuses, the other refuses with the same words.

import * as fc from 'fast-check';
import t from 'tap';
import { loadText, type Loaded } from '../../../../src/config/load.ts';
import { AuditLog } from '../../../../src/control-plane/audit/audit-log.ts';
import { messageOf, StartError } from '../../../../src/control-plane/base/problems.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { LiveConfig } from '../../../../src/control-plane/reload/live-config.ts';
import { Reloader } from '../../../../src/control-plane/reload/reloader.ts';
import type { ServiceState } from '../../../../src/control-plane/store/service-state.ts';
import { beginning } from '../../../../src/control-plane/switching/starting-table.ts';
import { board, change } from '../support/board.ts';
import { QUIET, TestLog } from '../support/fixtures.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { notes } from '../support/notes.ts';

interface Side {
  readonly release: string;
  readonly ports: readonly number[];
}

interface Wanted {
  readonly blue: Side;
  readonly green: Side;
  readonly host: string;
}

const port = fc.integer({ min: 3_001, max: 3_030 });
const side = fc.record<Side>({
  release: fc.constantFrom('v1', 'v2', 'v3', ''),
  ports: fc.oneof(
    { weight: 9, arbitrary: fc.uniqueArray(port, { minLength: 1, maxLength: 2 }) },
    { weight: 1, arbitrary: fc.constant([]) },
  ),
});
const service = fc.record<Wanted>({
  blue: side,
  green: side,
  host: fc.constantFrom('a.example', 'b.example'),
});
const services = fc.dictionary(fc.constantFrom('one', 'two'), service, { minKeys: 1 });

function saidOf({ release, ports }: Side): object {
  const targets = ports.map((one) => `http://127.0.0.1:${one}`);
  return release === '' ? { targets } : { release, targets };
}

function textOf(all: Readonly<Record<string, Wanted>>): string {
  const rows = Object.entries(all).map(([name, { blue, green, host }]) => ({
    name,
    hosts: [`${name}.${host}`],
    health: { kind: 'none' },
    blue: saidOf(blue),
    green: saidOf(green),
  }));
  return JSON.stringify({ services: rows });
}

function loaded(text: string): Loaded {
  const machine = { platform: 'linux', cpus: 2, descriptors: Infinity };
  return loadText('turnout.yaml', text, { environment: {}, flags: {}, machine });
}

/** Returns what of the states does not tell the two ways apart. */
function comparable(states: ReadonlyMap<string, ServiceState>): unknown {
  const told = JSON.stringify([...states.values()], (key, value: unknown) =>
    /^(?:actor|.*Ms)$/.test(key) ? undefined : value,
  );
  return JSON.parse(told);
}

/** Returns the states after a reload, or why it was refused. */
async function reloaded(first: Loaded & { ok: true }, next: Loaded, isFrozen: boolean) {
  const parts = board(first.config.services);
  const { switchboard, store, slots, log } = parts;
  if (isFrozen) await switchboard.freeze.set({ reason: 'r', actor: 'a', atMs: 1 }, () => notes());
  const before = store.state;
  const reloader = new Reloader({
    live: new LiveConfig(first),
    switchboard,
    slots,
    audit: new AuditLog({ store, log }),
    log,
    checkFiles: async () => [],
    lookAtFiles: async () => [],
    open: async () => ({ use: () => {}, close: async () => {} }),
    spotCheck: async (_subject, known) => known,
    health: () => [{ state: 'up', reason: '' }],
    findPlaces: async () => new Map(),
    oursAmong: async () => new Set(),
    load: () => next,
  });
  try {
    await reloader.reload({ ...change({ actor: 'SIGHUP' }), dryRun: false });
    return { before, result: comparable(store.state.services) };
  } catch (error) {
    return { before, result: messageOf(error) };
  }
}

/** Returns the states that a process begins with, or why it does not start. */
async function restarted(stored: MemoryStore['state'], next: Loaded & { ok: true }) {
  const store = new MemoryStore(stored);
  try {
    await beginning({
      config: next.config,
      store,
      stored,
      slots: new Slots(QUIET),
      notes: () => notes(),
      log: new TestLog(),
      nowMs: Date.now(),
      findPlaces: async () => new Map(),
      oursAmong: async () => new Set(),
      ask: async () => () => undefined,
      isStrict: true,
    });
    return comparable(store.state.services);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return error.message;
  }
}

await t.test(
  'a reload makes what a restart would make, or refuses with the same words',
  async (t) => {
    const seen = { made: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(services, services, fc.nat(4), async (one, other, chance) => {
        const [first, next] = [loaded(textOf(one)), loaded(textOf(other))];
        if (!first.ok || !next.ok) return;
        const parts = await reloaded(first, next, chance === 0).catch(() => undefined);
        if (parts === undefined) return; // The first one can't be started with.
        const { before, result } = parts;
        const again = await restarted(before, next);
        if (JSON.stringify(again) !== JSON.stringify(result))
          throw new Error(`reload: ${JSON.stringify(result)}, restart: ${JSON.stringify(again)}`);
        seen[typeof result === 'string' ? 'refused' : 'made']++;
      }),
      { numRuns: 200 },
    );
    t.ok(seen.made > 20, `${seen.made} were made`);
    t.ok(seen.refused > 20, `${seen.refused} were refused`);
  },
);

// What a process begins with: what is stored, brought to what is configured, and durable before a
// worker serves from it.

import t from 'tap';
import type { ServiceConfig } from '../../../../src/config/config.ts';
import { startNotes } from '../../../../src/control-plane/audit/audit-log.ts';
import { OperatorError } from '../../../../src/control-plane/base/problems.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import type { StoredState } from '../../../../src/control-plane/store/store.ts';
import {
  beginning,
  type StartingParts,
} from '../../../../src/control-plane/switching/starting-table.ts';
import { begun } from '../support/begun.ts';
import {
  config,
  NOTHING_STORED,
  QUIET,
  serviceConfig,
  target,
  TestLog,
} from '../support/fixtures.ts';
import { MemoryStore } from '../support/memory-store.ts';

const NOW_MS = 1_000_000;

/** Another release for the color that is active. */
const REPLACED = serviceConfig({ blue: { release: 'v9', targets: [target(3009)] } });

/** Returns what a first start has stored, in the epoch 5, and a drain until 9,000 ms. */
function drainingState(): StoredState {
  const { stored } = begun();
  const service = stored.services.get('default')!;
  const drain = { deployment: 2, startedAtMs: 1_000, sessionsUntilMs: 5_000, endsAtMs: 9_000 };
  const draining = [{ ...drain, longLived: 'spread' as const }];
  const services = new Map([['default', { ...service, draining }]]);
  return { ...stored, epoch: 5, services, freeze: undefined, rollouts: new Map() };
}

function begin(stored: StoredState, parts: Partial<StartingParts> = {}) {
  const log = new TestLog();
  const store = new MemoryStore(stored);
  const run = async (services: readonly ServiceConfig[] = [serviceConfig()], nowMs = NOW_MS) =>
    beginning({
      config: config('/nowhere', { services }),
      store,
      stored,
      slots: new Slots(QUIET),
      notes: (generation) => startNotes('1', generation, undefined),
      log,
      nowMs,
      findPlaces: async () => new Map(),
      oursAmong: async () => new Set(),
      ask: async () => () => undefined,
      isStrict: false,
      ...parts,
    });
  return { store, log, run };
}

/** A store that can't be written to. */
function fullStore(stored: StoredState): MemoryStore {
  const store = new MemoryStore(stored);
  store.onCommit = () => {
    throw new Error('the disk is full');
  };
  return store;
}

await t.test('the first decision has the epoch 1 and the configured color', async (t) => {
  const { store, run } = begin(NOTHING_STORED);
  t.match(await run([serviceConfig({ active: 'green' })]), {
    isNew: true,
    table: {
      version: 1,
      epoch: 1,
      services: [{ active: 'green', green: { number: 2, servedSince: 1 }, blue: { number: 1 } }],
    },
  });
  t.match(store.state, { epoch: 1, nextDeployment: 3 });
});

await t.test('a new decision is stored together with its entry in the audit log', async (t) => {
  const { store, run } = begin(NOTHING_STORED);
  await run();
  const [row] = store.audit.latest({ services: undefined, before: undefined, limit: 9 });
  t.match(row?.text, /"actor":"turnout".*"action":"start".*"generation":1/);
});

await t.test('where nothing has changed, nothing is stored again', async (t) => {
  const { store, run } = begin(drainingState());
  store.onCommit = () => t.fail('nothing is written');
  t.match(await run([serviceConfig()], 2_000), { isNew: false, table: { version: 1, epoch: 5 } });
});

await t.test('the color that operators made active wins over the configured one', async (t) => {
  const stored = drainingState();
  const service = { ...stored.services.get('default')!, active: 'green' as const, draining: [] };
  const { run } = begin({ ...stored, services: new Map([['default', service]]) });
  t.match(await run(), { table: { epoch: 5, services: [{ active: 'green' }] } });
});

await t.test('a service that is new takes its configured color', async (t) => {
  const { run } = begin(drainingState());
  const shop = serviceConfig({
    name: 'shop',
    active: 'green',
    blue: { release: 's1', targets: [target(4001)] },
    green: { release: 's2', targets: [target(4002)] },
  });
  t.match(await run([serviceConfig(), shop]), {
    isNew: true,
    table: {
      epoch: 6,
      services: [
        { name: 'default', active: 'blue', blue: { number: 1, servedSince: 1 } },
        { name: 'shop', active: 'green', green: { number: 4, servedSince: 6 } },
      ],
    },
  });
});

await t.test('other hosts or another policy are no decision at a restart', async (t) => {
  const { run } = begin(drainingState());
  const { table, isNew } = await run([serviceConfig({ hosts: ['a.example'], paths: ['/api'] })]);
  t.match(table, { epoch: 5, services: [{ hosts: ['a.example'], paths: ['/api'] }] });
  t.equal(isNew, false);
});

await t.test('a drain that has ended meanwhile is forgotten, which is no decision', async (t) => {
  const { store, run } = begin(drainingState());
  t.match(await run([serviceConfig()], 20_000), {
    isNew: false,
    table: { epoch: 5, services: [{ draining: { length: 0 } }] },
  });
  t.match(store.services.get('default'), {
    draining: { length: 0 },
    deployments: [{}, { number: 2, previewSeries: 1 }],
  });
});

await t.test(
  'if that cannot be stored, it drains on, and traffic is served as before',
  async (t) => {
    const stored = drainingState();
    const { run, log } = begin(stored, { store: fullStore(stored) });
    t.match(await run([serviceConfig()], 20_000), {
      isNew: false,
      table: { epoch: 5, services: [{ draining: [{}] }] },
    });
    t.match(log.lines, [{ level: 'error', message: /traffic is served as before/ }]);
  },
);

await t.test('a decision that cannot be stored ends the start', async (t) => {
  const green = { release: 'v9', targets: [target(3_009)] };
  for (const stored of [drainingState(), NOTHING_STORED]) {
    const { run } = begin(stored, { store: fullStore(stored) });
    await t.rejects(run([serviceConfig({ green })]), {
      name: 'StartError',
      message: /could not be stored: the disk is full/,
    });
  }
});

await t.test('new targets of the active color are asked before traffic goes there', async (t) => {
  const asked: unknown[] = [];
  const { run } = begin(drainingState(), {
    ask: async ({ toAsk }) => {
      asked.push(...toAsk);
      return () => undefined;
    },
  });
  t.match(await run([REPLACED], 20_000), {
    table: {
      epoch: 6,
      services: [
        { blue: { release: 'v9', servedSince: 6 }, draining: [{ deployment: { number: 1 } }] },
      ],
    },
  });
  t.match(asked, [{ service: 'default', deployment: { urls: ['http://127.0.0.1:3009'] } }]);
});

const SILENT = async () => (): OperatorError =>
  new OperatorError('target-unhealthy', 'default: no target of blue is up');

await t.test('where they do not answer, a restart keeps what was stored and says so', async (t) => {
  const { run, log, store } = begin(drainingState(), { ask: SILENT });
  t.match(await run([REPLACED], 2_000), {
    isNew: false,
    table: { epoch: 5, services: [{ blue: { number: 1, release: 'v1' } }] },
  });
  t.match(log.lines, [
    {
      level: 'warn',
      fields: { code: 'target-unhealthy' },
      message: 'not followed, what was stored goes on: default: no target of blue is up',
    },
  ]);
  t.equal(store.epoch, 5);
});

await t.test('a process that takes over does not start then', async (t) => {
  const { run } = begin(drainingState(), { ask: SILENT, isStrict: true });
  await t.rejects(run([REPLACED]), {
    name: 'StartError',
    message: 'default: no target of blue is up',
  });
});

await t.test(
  'while all switching is frozen, the active one stays, also over a restart',
  async (t) => {
    const freeze = { reason: 'black friday', actor: 'ann', atMs: 1_000 };
    const stored = { ...drainingState(), freeze };
    const ask = () => t.fail('nothing is asked') as never;
    const { run, log } = begin(stored, { ask });
    t.match(await run([REPLACED], 2_000), { table: { services: [{ blue: { release: 'v1' } }] } });
    t.match(log.lines, [
      { level: 'warn', message: /: ann has frozen all switching at .* friday; / },
    ]);
    await t.rejects(begin(stored, { ask, isStrict: true }).run([REPLACED]), {
      name: 'StartError',
      message: /^ann has frozen all switching/,
    });
  },
);

await t.test('an active color that would be empty is refused in the same way', async (t) => {
  const empty = serviceConfig({ blue: { release: '', targets: [] } });
  const restarted = begin(drainingState());
  t.match(await restarted.run([empty], 2_000), {
    table: { services: [{ active: 'blue', blue: { release: 'v1' } }] },
  });
  t.match(restarted.log.lines, [{ level: 'warn', fields: { code: 'no-targets' } }]);
  const upgraded = begin(drainingState(), { isStrict: true });
  await t.rejects(upgraded.run([empty]), { name: 'StartError', message: /would have no target/ });
});

await t.test('what a first start must not have ends it with one line', async (t) => {
  const { run } = begin(NOTHING_STORED);
  const both = { release: 'v2', targets: [target(3001)] };
  await t.rejects(run([serviceConfig({ green: both })]), {
    name: 'StartError',
    message: /^http:\/\/127\.0\.0\.1:3001 gets the traffic of v1 \(deployment 1\)/,
  });
});

await t.test('a target that is a listener of Turnout ends any start with one line', async (t) => {
  const asked: string[] = [];
  const oursAmong: StartingParts['oursAmong'] = async (targets) => {
    asked.push(...targets.map(({ url }) => url));
    return new Set(asked.slice(0, 1));
  };
  for (const stored of [NOTHING_STORED, drainingState()]) {
    const { run, store } = begin(stored, { oursAmong });
    store.onCommit = () => t.fail('nothing is stored');
    await t.rejects(run(), {
      name: 'StartError',
      message: /^http:\/\/127\.0\.0\.1:3001 is a listener of Turnout itself/,
    });
  }
  t.strictSame(new Set(asked), new Set([target(3001).url, target(3002).url]));
});

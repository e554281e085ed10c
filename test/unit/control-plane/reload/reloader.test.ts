// A reload as the process makes it: a text that is really read, a real switchboard, and listeners and
// a log of which the test keeps the books.

import t from 'tap';
import { loadText, type Loaded } from '../../../../src/config/load.ts';
import { AuditLog } from '../../../../src/control-plane/audit/audit-log.ts';
import { Call } from '../../../../src/control-plane/audit/call.ts';
import { LiveConfig } from '../../../../src/control-plane/reload/live-config.ts';
import {
  AUDIT_DETAIL_CHARS_MAX,
  RELOAD_FAULTS_MAX,
} from '../../../../src/control-plane/base/control-limits.ts';
import { changeOf } from '../../../../src/control-plane/deployments/change.ts';
import { splitBegun } from '../../../../src/control-plane/deployments/split-edit.ts';
import { OperatorError } from '../../../../src/control-plane/base/problems.ts';
import type { SpotCheck } from '../../../../src/control-plane/switching/spot-check.ts';
import { Reloader, type ReloadRequest } from '../../../../src/control-plane/reload/reloader.ts';
import type { Deployment } from '../../../../src/contract/table.ts';
import type { TargetHealth } from '../../../../src/control-plane/switching/switch-check.ts';
import { board, change, DOWN, notReady, only, to } from '../support/board.ts';
import { notes } from '../support/notes.ts';

const DEFAULT = `
  - name: default
    health: { kind: none }
    blue: { targets: ["http://127.0.0.1:3001"] }
    green: { targets: ["http://127.0.0.1:3002"] }`;
const SHOP = DEFAULT.replace('default', 'shop').replace(
  'health',
  'hosts: [shop.example]\n    health',
);
const FIRST = `services: ${DEFAULT}`;
const OTHER = `exposeColor: true\n${FIRST}`;

function request(changes: Partial<ReloadRequest> = {}): ReloadRequest {
  return { ...change({ actor: 'SIGHUP' }), dryRun: false, ...changes };
}

const UP: TargetHealth = { state: 'up', reason: '' };

type Opened = 'open' | 'used' | 'closed';

function scene() {
  const file = { text: FIRST, cpus: 2 };
  const load = (): Loaded => {
    const machine = { platform: 'linux', cpus: file.cpus, descriptors: Infinity };
    return loadText('turnout.yaml', file.text, { environment: {}, flags: {}, machine });
  };
  const first = load();
  if (!first.ok) throw new Error(first.faults[0]!.message);
  const parts = board(first.config.services);
  const { switchboard, store, slots, log } = parts;
  const live = new LiveConfig(first);
  const audit = new AuditLog({ store, log });
  const listeners: Opened[] = [];
  const doors = { fault: undefined as OperatorError | undefined };
  const open = async () => {
    if (doors.fault !== undefined) throw doors.fault;
    const at = listeners.push('open') - 1;
    return {
      use: () => void (listeners[at] = 'used'),
      close: async () => void (listeners[at] = 'closed'),
    };
  };
  const files = { looks: 0, wrong: [] as string[] };
  const lookAtFiles = async (): Promise<string[]> => {
    files.looks++;
    return files.wrong;
  };
  const checkFiles = async (): Promise<void> => {
    if (doors.fault !== undefined) throw doors.fault;
  };
  const asked: Deployment[] = [];
  const answers = { health: UP, ours: new Set<string>() };
  const spotCheck: SpotCheck = async ({ deployment }) => {
    asked.push(deployment);
    return () => [answers.health];
  };
  const findPlaces = async () => parts.hooks.places;
  const health = () => [UP];
  const oursAmong = async () => answers.ours;
  const own = {
    live,
    switchboard,
    slots,
    checkFiles,
    lookAtFiles,
    open,
    audit,
    log,
    spotCheck,
    health,
    findPlaces,
    oursAmong,
  };
  const reloader = new Reloader({ ...own, load });
  /** Reads `text` instead. */
  const reload = async (text: string, changes: Partial<ReloadRequest> = {}) => {
    file.text = text;
    return reloader.reload(request(changes));
  };
  const entries = async () => audit.latest({ services: undefined, before: undefined, limit: 100 });
  const blind = new Reloader({ ...own, load: undefined });
  return {
    ...parts,
    file,
    live,
    reload,
    reloader,
    blind,
    doors,
    files,
    listeners,
    entries,
    asked,
    answers,
  };
}

await t.test('a configuration whose target is a listener of Turnout is refused', async (t) => {
  const { reload, answers, live, switchboard, listeners } = scene();
  answers.ours = new Set(['unix:/run/./admin.sock']);
  const refused = {
    code: 'target-invalid',
    message: /^unix:\/run\/\.\/admin\.sock is a listener of Turnout itself/,
  };
  await t.rejects(reload(OTHER, { dryRun: true }), refused);
  await t.rejects(reload(OTHER), refused);
  t.equal(live.config.dataPlane.exposeColor, false);
  t.equal(switchboard.table.epoch, 1);
  t.strictSame(listeners, []);
});

await t.test('files that it names are looked at where an operator asks', async (t) => {
  const { reload, files, doors, live } = scene();
  files.wrong = ['/a.pem is empty'];
  const answer = await reload(FIRST);
  t.match(answer, { changed: false, warnings: ['/a.pem is empty'] });
  t.equal(files.looks, 1);
  t.match(await reload(OTHER), { changed: true, warnings: ['/a.pem is empty'] });
  t.equal(files.looks, 2);
  await reload(FIRST, { actor: 'file' });
  t.equal(files.looks, 2, 'the watch of the configuration leaves them to their own');
  doors.fault = new OperatorError('certificate-invalid', 'empty');
  await t.rejects(reload(OTHER, { dryRun: true }), { code: 'certificate-invalid' });
  t.equal(files.looks, 2, 'a dry run changes nothing');
  t.equal(live.config.dataPlane.exposeColor, false);
});

await t.test('what differs comes into force with one table and one entry', async (t) => {
  const { reload, reloader, live, switchboard, listeners, entries } = scene();
  const answer = await reload(OTHER, { reason: 'why' });
  t.match(answer, { changed: true, generation: 1, differences: [{ setting: 'exposeColor' }] });
  t.equal(live.config.dataPlane.exposeColor, true);
  t.match(live.said?.values, { exposeColor: true });
  t.equal(switchboard.table.settings?.exposeColor, true);
  t.equal(switchboard.table.version, 2, 'it is another table, and no decision of an operator');
  t.strictSame(listeners, ['used']);
  t.match(await entries(), [
    { action: 'reload', actor: 'SIGHUP', outcome: 'done', reason: 'why', generation: 1 },
  ]);
  t.equal((await entries())[0]!.detail, 'exposeColor');
  t.match(reloader.last, { actor: 'SIGHUP', problem: /^$/ });
  t.match(
    await reload(OTHER),
    { changed: false, generation: 1 },
    'and the next one compares with it',
  );
});

await t.test('where nothing differs nothing is made', async (t) => {
  const { reload, reloader, workers, listeners, entries } = scene();
  t.match(await reload(FIRST), { changed: false, differences: { length: 0 }, generation: 1 });
  t.strictSame([workers.prepared, listeners, await entries()], [[], [], []]);
  t.match(reloader.last, { problem: /^$/ }, 'but somebody has asked');
});

await t.test('a dry run tells, and changes nothing at all', async (t) => {
  const { reload, reloader, live, workers, listeners } = scene();
  t.match(await reload(OTHER, { dryRun: true }), {
    changed: false,
    generation: 1,
    differences: [{ setting: 'exposeColor' }],
  });
  await t.rejects(reload('services: 7', { dryRun: true }), { code: 'config-invalid' });
  t.equal(live.config.dataPlane.exposeColor, false);
  t.strictSame([workers.prepared, listeners], [[], []]);
  t.equal(reloader.last, undefined, 'it is no reload');
});

await t.test('a service that comes is known while its table is prepared', async (t) => {
  const { reload, live, workers, switchboard } = scene();
  const seen: unknown[] = [];
  workers.onPrepare = async () => {
    seen.push(live.service('shop')?.name, live.config.services.length);
  };
  await reload(`${FIRST}${SHOP}`);
  t.strictSame(seen, ['shop', 1], 'what is in force has not changed by then');
  t.equal(switchboard.table.services.length, 2);
  t.equal(live.config.services.length, 2);
  workers.onPrepare = async () => {
    seen.push(live.service('shop')?.name);
  };
  await reload(FIRST);
  t.equal(seen.at(-1), 'shop', 'and one that goes for as long');
  t.equal(live.service('shop'), undefined);
});

await t.test('until it is in force, a service is as it was configured before', async (t) => {
  const { reload, live, workers } = scene();
  const seen: unknown[] = [];
  const timeout = () => live.service('default')?.health.timeoutMs;
  workers.onPrepare = async () => {
    seen.push(timeout());
  };
  const before = timeout();
  await reload(FIRST.replace('kind: none', 'kind: none, timeout: 1234ms'));
  t.strictSame([...seen, timeout()], [before, 1_234]);
});

await t.test('what fails leaves everything as it was, and is written down', async (t) => {
  const { reload, reloader, live, workers, switchboard, listeners, entries, log } = scene();
  workers.onPrepare = async () => {
    throw notReady();
  };
  await t.rejects(reload(`exposeColor: true\n${FIRST}${SHOP}`), { code: 'workers-not-ready' });
  t.equal(switchboard.table.epoch, 1);
  t.equal(live.config.dataPlane.exposeColor, false);
  t.equal(live.service('shop'), undefined, 'what was to come does not come');
  t.strictSame(listeners, ['closed']);
  t.match(reloader.last, { actor: 'SIGHUP', problem: /worker 0 is silent/ });
  t.match(await entries(), [{ action: 'reload', outcome: 'failed', code: 'workers-not-ready' }]);
  t.match(log.lines.at(-1), { level: 'error', message: /^the reload was not done: worker 0/ });
  workers.onPrepare = async () => {};
  t.match(await reload(OTHER), { changed: true }, 'and the next one can be made');
});

await t.test('a fault of our own is written down as a failure, too', async (t) => {
  const { reload, workers, entries } = scene();
  workers.onPrepare = async () => {
    throw new TypeError('not a function');
  };
  await t.rejects(reload(OTHER), { message: 'not a function' });
  t.match(await entries(), [{ outcome: 'failed', status: 500, code: 'internal' }]);
});

await t.test('listeners that cannot be opened end it before anything else', async (t) => {
  const { reload, doors, live, workers } = scene();
  doors.fault = new OperatorError('listener-unavailable', 'in use');
  await t.rejects(reload(`${FIRST}${SHOP}`), { code: 'listener-unavailable' });
  t.strictSame(workers.prepared, []);
  t.equal(live.service('shop'), undefined);
});

await t.test('an operator who asked has an entry already', async (t) => {
  const { reload, entries } = scene();
  const head = { actor: 'ann', address: '', action: 'POST', service: '', request: '', reason: '' };
  const call = new Call({ head, key: { key: 'k', digest: 'd' } });
  await t.rejects(reload('services: 7', { call }), { code: 'config-invalid' });
  t.strictSame(await entries(), []);
});

await t.test('a call with a key stores its answer with the table', async (t) => {
  const { reload, store } = scene();
  const head = { actor: 'ann', address: '', action: 'POST', service: '', request: '', reason: '' };
  const call = new Call({ head, key: { key: 'k', digest: 'd' } });
  await reload(OTHER, { call });
  const stored = store.answers.find('k', 0);
  t.match(stored, { status: 200, generation: 1 });
  t.strictSame(JSON.parse(stored!.body), { changed: true, generation: 1 });
});

const FIXED: Readonly<Record<string, string>> = {
  'state.dir': 'state: { dir: ./other }',
  instance: 'instance: other',
  workers: 'workers: 1',
  'resolve.servers': 'resolve: { servers: ["127.0.0.1"] }',
  'admin.hosts': 'admin: { hosts: [a.example] }',
};

for (const [setting, text] of Object.entries(FIXED)) {
  await t.test(`${setting} needs another process`, async (t) => {
    const { reload, live, listeners } = scene();
    await t.rejects(reload(`${text}\n${OTHER}`), {
      code: 'restart-required',
      message: new RegExp(`^${setting}.* cannot change .*nothing has changed`),
      members: { settings: [setting] },
    });
    await t.rejects(reload(`${text}\n${OTHER}`, { dryRun: true }), { code: 'restart-required' });
    t.equal(live.config.dataPlane.exposeColor, false);
    t.strictSame(listeners, []);
  });
}

await t.test('so does a number of workers that follows the machine', async (t) => {
  const { reload, file } = scene();
  file.cpus = 4;
  await t.rejects(reload(OTHER), {
    code: 'restart-required',
    message: /^workers \(2 now, 4 with the new settings\) cannot change/,
  });
});

await t.test('the number of workers that runs may be written down', async (t) => {
  const { reload } = scene();
  t.match(await reload(`workers: 2\n${FIRST}`), { changed: true, generation: 1 });
});

/** The same with named releases; blue is active. */
function named(blue: string, bluePort: number, green = 'v2', greenPort = 3002): string {
  return `
services:
  - name: default
    health: { kind: none }
    blue: { release: ${blue}, targets: ["http://127.0.0.1:${bluePort}"] }
    green: { release: ${green}, targets: ["http://127.0.0.1:${greenPort}"] }`;
}

/** Releases with names are in force. */
async function withNames() {
  const parts = scene();
  await parts.reload(named('v1', 4001, 'v2', 4002));
  parts.asked.length = 0;
  return parts;
}

await t.test('a target of another release is refused, and the reason is true', async (t) => {
  const { reload } = await withNames();
  await t.rejects(reload(named('v1', 4001, 'v3', 4001)), {
    code: 'address-in-use',
    message: /^http:\/\/127\.0\.0\.1:4001 gets the traffic of v1 \(deployment 3\): use other addr/,
  });
});

await t.test('a reload that is refused again and again warns of nothing meanwhile', async (t) => {
  const { reload, doors, log } = scene();
  const twice = FIRST.replace('3002', '3001');
  doors.fault = new OperatorError('listener-unavailable', 'the address is in use for 4 s');
  await t.rejects(reload(twice, { actor: 'file' }));
  const told = log.lines.length;
  doors.fault = new OperatorError('listener-unavailable', 'the address is in use for 6 s');
  await t.rejects(reload(twice, { actor: 'file' }));
  t.equal(log.lines.length, told, 'the same refusal is no news');
  doors.fault = undefined;
  const warnings = () => log.lines.filter(({ level }) => level === 'warn').length;
  t.equal(warnings(), 0);
  await reload(twice, { actor: 'file' });
  t.equal(warnings(), 1, 'what is in force is warned of');
});

await t.test('what idles at an address is not said to be taken over by a reload', async (t) => {
  const { reload } = await withNames();
  await t.rejects(reload(named('v9', 4002, 'v2', 4003)), {
    code: 'address-in-use',
    message: /is registered for v2 .*: wait until it has ended, or use other addresses$/,
  });
});

await t.test('without names, both colors may be at one place', async (t) => {
  const { reload, switchboard } = scene();
  t.match(await reload(FIRST.replace('3002', '3001')), { changed: true });
  await switchboard.switch(to('green'));
  t.equal(only(switchboard.table).active, 'green');
});

await t.test(
  'what takes the place of the active one is asked, and recorded as a switch',
  async (t) => {
    const { reload, switchboard, store, asked } = await withNames();
    const { version } = switchboard.table;
    t.match(await reload(named('v9', 4009, 'v2', 4002), { reason: 'by file' }), { generation: 3 });
    t.match(
      asked.map(({ release }) => release),
      ['v9'],
    );
    t.match(switchboard.table, { version: version + 1, epoch: 3 });
    t.match(only(switchboard.table), {
      active: 'blue',
      blue: { release: 'v9', servedSince: 3 },
      draining: [{ deployment: { release: '' } }, { deployment: { release: 'v1' } }],
    });
    t.match(store.records[0], {
      epoch: 3,
      from: 'blue',
      to: 'blue',
      release: 'v9',
      outcome: 'switched',
      reason: 'by file',
      actor: 'SIGHUP',
    });
    const back = { ...change(), restick: 'all', lockOut: true } as const;
    t.match(await switchboard.rollback(back), { release: 'v1' }, 'and can be taken back');
  },
);

await t.test('what does not answer does not get the traffic', async (t) => {
  const { reload, switchboard, answers } = await withNames();
  answers.health = DOWN;
  await t.rejects(reload(named('v9', 4009, 'v2', 4002)), {
    code: 'target-unhealthy',
    message: /4009 is down \(connection refused\)/,
  });
  t.match(only(switchboard.table).blue, { release: 'v1' });
  t.match(await reload(named('v1', 4001, 'v9', 4009)), { changed: true }, 'idle it may be');
});

await t.test('while all switching is frozen, the active one stays', async (t) => {
  const { reload, switchboard, asked } = await withNames();
  await switchboard.freeze.set({ reason: 'sale', actor: 'ann', atMs: 1 }, () => notes());
  const other = named('v9', 4009, 'v2', 4002);
  await t.rejects(reload(other), { code: 'switching-frozen', status: 423 });
  t.strictSame(asked, []);
  t.match(only(switchboard.table).blue, { release: 'v1' });
  t.match(
    await reload(named('v1', 4001, 'v8', 4008)),
    { changed: true },
    'what is idle may change',
  );
});

await t.test('more targets of the active release are a scaling, and no switch', async (t) => {
  const { reload, switchboard, store, asked } = await withNames();
  const { number } = only(switchboard.table).blue;
  const records = store.records.length;
  const more = '"http://127.0.0.1:4001", "http://127.0.0.1:4011"';
  await reload(named('v1', 4001, 'v2', 4002).replace('"http://127.0.0.1:4001"', more));
  t.match(only(switchboard.table).blue, { number, endpoints: { length: 2 } });
  t.strictSame([asked.length, store.records.length], [0, records]);
});

await t.test('of many faults some are told, and how many there are', async (t) => {
  const { reload, entries } = scene();
  const wrong = Array.from({ length: RELOAD_FAULTS_MAX + 5 }, (_, index) => `wrong${index}: 1`);
  const error = await reload(`${wrong.join('\n')}\n${FIRST}`).catch((thrown: unknown) => thrown);
  t.match(error, { code: 'config-invalid', message: /^25 faults, nothing has changed: .*wrong0/ });
  t.equal((error as { members: { faults: string[] } }).members.faults.length, RELOAD_FAULTS_MAX);
  t.match(await entries(), [{ outcome: 'refused', code: 'config-invalid' }]);
});

await t.test('what goes into the audit log is bounded', async (t) => {
  const { reload, entries } = scene();
  const services = Array.from({ length: 60 }, (_, index) =>
    SHOP.replace('shop', `shop-number-${index}`).replace('shop.', `shop${index}.`),
  );
  await t.rejects(reload(`${'x'.repeat(600)}: 1\n${FIRST}`));
  await reload(`${FIRST}${services.join('')}`);
  for (const { detail } of await entries()) t.equal(detail.length, AUDIT_DETAIL_CHARS_MAX);
  t.equal((await entries()).length, 2);
});

await t.test('warnings of the new configuration are logged', async (t) => {
  const { reload, log } = scene();
  const { warnings } = await reload(
    FIRST.replace('health', 'failover: { mode: auto }\n    health'),
  );
  t.match(warnings, [/failover.mode is auto, but health.kind is none/]);
  const logged = log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
  t.strictSame(logged, warnings);
});

await t.test('where nothing was read, nothing can be read again', async (t) => {
  const { blind } = scene();
  await t.rejects(blind.reload(request()), { code: 'reload-unavailable' });
});

await t.test(
  'a service that comes or goes is a decision, another order of lines is none',
  async (t) => {
    const { reload } = scene();
    const before = named('v1', 3001);
    const { generation } = await reload(before);
    const blog =
      '  - { name: blog, hosts: [b.test], blue: { targets: ["http://127.0.0.1:3100"] } }';
    t.match(await reload(`${before}\n${blog}`), { changed: true, generation: generation + 1 });
    t.match(await reload(before), { changed: true, generation: generation + 2 });
    const two = (a: number, b: number) =>
      before.replace('"http://127.0.0.1:3001"', `"http://127.0.0.1:${a}", "http://127.0.0.1:${b}"`);
    t.match(await reload(two(3001, 3003)), { generation: generation + 3 }, 'it is scaled');
    t.match(await reload(two(3003, 3001)), { changed: true, generation: generation + 3 });
  },
);

await t.test('a service is not removed while a rollout shifts its sessions', async (t) => {
  const { reload, switchboard, live } = scene();
  const how = { share: 1_000, ramp: undefined, sessions: 'new', by: 'session' } as const;
  await switchboard.reconfigure(
    change(),
    async (basis) => {
      const state = basis.stored.services.get('default')!;
      const states = [splitBegun({ ...how, epoch: 2, nowMs: 1_000 })(state)];
      return changeOf(basis, { states }, { answer: undefined, notes: undefined });
    },
    () => {},
  );
  const without = `services: ${SHOP}`;
  for (const dryRun of [true, false]) {
    await t.rejects(reload(without, { dryRun }), { code: 'rollout-running' });
  }
  t.strictSame(
    live.config.services.map(({ name }) => name),
    ['default'],
  );
  t.match(only(switchboard.table), { name: 'default', split: { deployment: 2 } });
});

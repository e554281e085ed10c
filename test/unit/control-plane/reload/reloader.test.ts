// A reload as a whole: what comes into force at once, what leaves everything as it was, and what is
// written down of it.

import t from 'tap';
import { Call } from '../../../../src/control-plane/audit/call.ts';
import {
  AUDIT_DETAIL_CHARS_MAX,
  RELOAD_FAULTS_MAX,
} from '../../../../src/control-plane/base/control-limits.ts';
import { OperatorError } from '../../../../src/control-plane/base/problems.ts';
import { notReady } from '../support/board.ts';
import { FIRST, OTHER, request, scene, SHOP } from '../support/reload-scene.ts';

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

await t.test('what is odd about its files is warned of, and by a dry run, too', async (t) => {
  const { reload, doors, log } = scene();
  doors.warnings = ['no certificate is for a.test'];
  const dry = await reload(OTHER, { dryRun: true });
  t.strictSame(dry.warnings, doors.warnings);
  t.notOk(log.has(/no certificate is for/), 'a dry run leaves nothing in the log');
  t.strictSame((await reload(OTHER)).warnings, doors.warnings);
  t.ok(log.has(/no certificate is for a\.test/));
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

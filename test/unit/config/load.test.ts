// What the sources make together: precedence, defaults, all faults at once with their places.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Config } from '../../../src/config/config.ts';
import { printFault } from '../../../src/config/fault.ts';
import { loadConfig, loadText, type Loaded } from '../../../src/config/load.ts';
import { FILE_BYTES_MAX } from '../../../src/config/read-text.ts';

const MACHINE = { platform: 'linux', cpus: 3, descriptors: Infinity };
const TARGETS = { blue: 'http://b:1', green: 'http://g:1' };

interface Given {
  readonly text?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly flags?: Readonly<Record<string, string>>;
  readonly platform?: string;
}

function load({ text, environment = {}, flags = {}, platform = 'linux' }: Given): Loaded {
  const sources = { environment, flags, machine: { ...MACHINE, platform } };
  return text === undefined
    ? loadConfig({ file: '', ...sources })
    : loadText('turnout.yaml', text, sources);
}

function configOf(t: Test, given: Given): Config {
  const loaded = load(given);
  if (loaded.ok) return loaded.config;
  t.fail(loaded.faults.map(printFault).join('\n'));
  throw new Error('no configuration');
}

/** Compares the printed faults with `lines`; a line need only begin as given. */
function checkFaults(t: Test, given: Given, lines: readonly string[]): void {
  const loaded = load(given);
  const printed = loaded.ok ? [] : loaded.faults.map(printFault);
  const begins = printed.map((line, index) => line.slice(0, lines[index]?.length ?? line.length));
  t.same(begins, lines, printed.join('\n'));
}

await t.test('a sidecar needs no file', async (t) => {
  const config = configOf(t, {
    environment: { TURNOUT_BLUE: 'http://b:1, http://b:2', TURNOUT_GREEN: 'unix:/g' },
  });
  t.match(config, {
    dataPlane: { listeners: [{ address: { kind: 'tcp', host: '0.0.0.0', port: 8080 } }] },
    admin: { listen: { kind: 'tcp', host: '127.0.0.1', port: 8081 } },
    workers: 3,
    services: [{ name: 'default', hosts: [], paths: [], active: 'blue' }],
  });
  const urls = config.services[0]!.blue.targets.map(({ url }) => url);
  t.same(urls, ['http://b:1', 'http://b:2']);
});

await t.test(
  'a flag wins over a variable, a variable over the file, the file over the default',
  async (t) => {
    const file = 'log: { level: warn }\nservices: [{ blue: { targets: [http://file:1] } }]';
    const environment = { TURNOUT_LOG_LEVEL: 'error', TURNOUT_BLUE: 'http://variable:1' };
    const flags = { 'log-level': 'debug', blue: 'http://flag:1' };
    const seen = (given: Given): readonly unknown[] => {
      const { log, services } = configOf(t, given);
      return [log.level, services[0]!.blue.targets[0]!.authority];
    };
    t.same(seen({ text: '', flags: { blue: 'http://x:1' } }), ['info', 'x:1']);
    t.same(seen({ text: file }), ['warn', 'file:1']);
    t.same(seen({ text: file, environment }), ['error', 'variable:1']);
    t.same(seen({ text: file, environment, flags }), ['debug', 'flag:1']);
  },
);

await t.test('a flag changes one setting of a section and leaves the others', async (t) => {
  const text =
    'client: { requests: 5, headSize: 2KiB, targetSize: 1KiB }\nservices: [{ health: { rise: 7 } }]';
  const flags = { 'client-requests': '6', 'health-fall': '9', ...TARGETS };
  const { dataPlane, services } = configOf(t, { text, flags });
  t.match(dataPlane.client, { requestsMax: 6, headBytesMax: 2_048 });
  t.match(services[0]!.health, { rise: 7, fall: 9 });
});

await t.test('an empty variable counts as not set', async (t) => {
  const environment = { TURNOUT_BLUE: 'http://b:1', TURNOUT_GREEN: '', TURNOUT_WORKERS: '' };
  t.match(configOf(t, { environment }), { workers: 3, services: [{ green: { targets: [] } }] });
});

await t.test('the configuration is frozen all the way down', async (t) => {
  const config = configOf(t, { flags: TARGETS });
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    t.ok(Object.isFrozen(value));
    Object.values(value).forEach(visit);
  };
  visit(config);
});

await t.test('all faults come at once, each with its place and in order', async (t) => {
  const text = `listen: 99999
lisen: 3
client:
  headSize: 1KB
  headTimeout: 30
services:
  - name: a b
    blue: { targets: [ftp://x, http://ok, http://u:secret@h] }
    health: { timeout: 5 parsecs }
  - blue: { targets: [http://h:1, http://h:1] }
    green: { targets: http://h }
  - 3
`;
  const given = {
    text,
    environment: { TURNOUT_WORKERS: 'many' },
    flags: { 'log-level': 'loud', active: 'blue' },
  };
  checkFaults(t, given, [
    'turnout.yaml:1:9: listen: expected host:port',
    'turnout.yaml:2:1: lisen: unknown setting: did you mean listen?',
    'turnout.yaml:4:13: client.headSize: expected a size',
    'turnout.yaml:5:16: client.headTimeout: expected a duration',
    'turnout.yaml:7:11: services[0].name: expected a name',
    'turnout.yaml:8:23: services[0].blue.targets[0]: expected http(s)://host:port',
    'turnout.yaml:8:43: services[0].blue.targets[2]: expected http(s)://host:port',
    'turnout.yaml:9:24: services[0].health.timeout: expected a duration',
    'turnout.yaml:10:5: services[1]: expected hosts and paths of its own',
    'turnout.yaml:10:35: services[1].blue.targets[1]: http://h:1 is listed twice',
    'turnout.yaml:11:23: services[1].green.targets: expected a list, got "http://h"',
    'turnout.yaml:12:5: services[2]: expected a mapping, got 3',
    'TURNOUT_WORKERS: expected a whole number from 1 to 64, got "many"',
    '--log-level: expected one of fatal',
    '--active: expected one service, got 3',
  ]);
  const loaded = load(given);
  t.notMatch(loaded.ok ? '' : loaded.faults.map(printFault).join(), /secret/);
});

await t.test('a wrong line is named even where a flag wins over it', async (t) => {
  const flags = { ...TARGETS, listen: '127.0.0.1:1' };
  checkFaults(t, { text: 'listen: nowhere', flags }, ['turnout.yaml:1:9: listen: expected']);
});

await t.test(
  'a fault of a flag names the flag, also where it is one between settings',
  async (t) => {
    checkFaults(t, { text: 'client: { targetSize: 64KiB }', flags: TARGETS }, [
      'turnout.yaml:1:23: client.targetSize: expected at most client.headSize',
    ]);
    checkFaults(t, { text: '', flags: { ...TARGETS, 'client-target-size': '64KiB' } }, [
      '--client-target-size: expected at most client.headSize',
    ]);
    checkFaults(t, { environment: { TURNOUT_BLUE: 'http://h:1,http://h:1' } }, [
      'TURNOUT_BLUE: http://h:1 is listed twice',
    ]);
  },
);

await t.test('a wrong target is one fault and not also a missing one', async (t) => {
  checkFaults(t, { flags: { blue: 'ftp://x' } }, ['--blue: expected http(s)://host:port']);
});

await t.test('unknown keys get the nearest known one, and their own place', async (t) => {
  checkFaults(t, { text: 'admn: {}\nlog: { lvel: info }\nzzz: 1\n__proto__: 1', flags: TARGETS }, [
    'turnout.yaml:1:1: admn: unknown setting: did you mean admin?',
    'turnout.yaml:2:8: log.lvel: unknown setting: did you mean level?',
    'turnout.yaml:3:1: zzz: unknown setting',
    'turnout.yaml:4:1: __proto__: unknown setting',
  ]);
});

await t.test('settings that this version has not got are refused', async (t) => {
  const text = 'services:\n  - stickiness: { mode: drain }\n    gates: []';
  checkFaults(t, { text, flags: TARGETS }, [
    'turnout.yaml:2:5: services[0].stickiness: unknown setting',
    'turnout.yaml:3:5: services[0].gates: unknown setting: did you mean services[].rollout.gates?',
  ]);
});

await t.test('a setting at the wrong place is told its own, where it has one', async (t) => {
  const text =
    'tls: { certificates: [] }\nlisten: [{ address: 8443, tls: { acme: true, cert: a.pem } }]\nacme: { domains: [a.test] }\nredirect: true\ncert: a.pem';
  checkFaults(t, { text, flags: TARGETS }, [
    'turnout.yaml:1:8: tls.certificates: unknown setting: did you mean listen[].tls.certificates?',
    'turnout.yaml:2:46: listen[0].tls.cert: unknown setting: did you mean listen[].tls.certificates[].cert?',
    'turnout.yaml:4:1: redirect: unknown setting: did you mean listen[].redirect?',
    'turnout.yaml:5:1: cert: unknown setting',
  ]);
});

await t.test(
  'variables that look like ours and are not get a warning with the nearest name',
  async (t) => {
    const environment = {
      TURNOUT_WORKER: 'secret',
      TURNOUT_XYZZYPLUGH: '1',
      TURNOUT_CONFIG: '',
      TURNOUT_SERVICE: 'shop',
      TURNOUT_JSON: 'true',
      OTHER: '1',
    };
    t.same(load({ environment, flags: TARGETS }).warnings, [
      'TURNOUT_WORKER: unknown variable, ignored: did you mean TURNOUT_WORKERS?',
      'TURNOUT_XYZZYPLUGH: unknown variable, ignored',
    ]);
  },
);

await t.test('what Kubernetes adds for a service of our name is no mistake', async (t) => {
  const environment = {
    TURNOUT_SERVICE_HOST: '10.0.0.1',
    TURNOUT_SERVICE_PORT: '80',
    TURNOUT_SERVICE_PORT_HTTP: '80',
    TURNOUT_PORT: 'tcp://10.0.0.1:80',
    TURNOUT_PORT_80_TCP: 'tcp://10.0.0.1:80',
    TURNOUT_PORT_80_TCP_ADDR: '10.0.0.1',
    TURNOUT_ADMIN_SERVICE_HOST: '10.0.0.1',
    TURNOUT_ADMIN_PORT_8081_TCP_PROTO: 'tcp',
  };
  const loaded = load({ environment, flags: TARGETS });
  t.match(loaded, { ok: true, warnings: [] });
});

await t.test('a socket or a system that shares no listener gets one worker', async (t) => {
  t.equal(configOf(t, { flags: { ...TARGETS, listen: 'unix:/t' } }).workers, 1);
  t.equal(configOf(t, { flags: TARGETS, platform: 'darwin' }).workers, 1);
  const loaded = load({ flags: { ...TARGETS, listen: 'unix:/t', workers: '2' } });
  t.match(loaded, { ok: true, warnings: [/^workers: 2 were asked for/] });
});

/** Returns the connections of a worker and the warnings, or the faults. */
function fitting(flags: Readonly<Record<string, string>>, descriptors: number): unknown {
  const machine = { ...MACHINE, descriptors };
  const loaded = loadConfig({
    file: '',
    environment: {},
    flags: { ...TARGETS, ...flags },
    machine,
  });
  if (!loaded.ok) return loaded.faults;
  return [loaded.config.dataPlane.client.connectionsMax, ...loaded.warnings];
}

await t.test(
  'connections that do not fit into the descriptors are said and not taken',
  async (t) => {
    const workers = '1';
    t.match(fitting({ workers }, 200), [
      47,
      'client.connections: 16384 do not fit into 200 file descriptors: a worker takes 47; ' +
        'raise LimitNOFILE= or ulimit -n',
    ]);
    t.same(fitting({ workers }, 8_000), [5_360], 'what fits of the default is plenty');
    t.match(fitting({ workers, 'client-connections': '9000' }, 8_000), [
      5_360,
      /^client.connections/,
    ]);
    t.same(fitting({ workers, 'client-connections': '9000' }, 20_000), [9_000]);
  },
);

await t.test('without blue, green is the active color', async (t) => {
  t.equal(configOf(t, { flags: { green: 'http://g:1' } }).services[0]!.active, 'green');
});

await t.test('a prefix of / is any path', async (t) => {
  t.same(configOf(t, { flags: { ...TARGETS, paths: '/a,/' } }).services[0]!.paths, []);
});

await t.test(
  'a file is read within bounds, and a bad one is a fault of what names it',
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'turnout-load-'));
    t.teardown(() => {
      rmSync(directory, { recursive: true });
    });
    const write = (name: string, content: string | Uint8Array): string => {
      const path = join(directory, name);
      writeFileSync(path, content);
      return path;
    };
    t.same(faultsOf(write('good.yaml', '\uFEFFlisten: 1\n')), []);
    t.match(faultsOf(join(directory, 'none')), [/^--config: expected a file .*ENOENT/]);
    t.match(faultsOf(directory), [/^--config: expected a file .*EISDIR/]);
    t.match(faultsOf('', { TURNOUT_CONFIG: directory }), [/^TURNOUT_CONFIG: expected a file/]);
    t.match(faultsOf('/dev/zero'), [/^--config: expected at most 1048576 bytes/]);
    t.match(faultsOf(write('long', '#'.repeat(FILE_BYTES_MAX + 1))), [/expected at most 1048576/]);
    t.match(faultsOf(write('latin1', Uint8Array.of(0x23, 0xe9, 0x0a))), [/expected UTF-8/]);
  },
);

function faultsOf(file: string, environment = {}): readonly string[] {
  const loaded = loadConfig({ file, environment, flags: TARGETS, machine: MACHINE });
  return loaded.ok ? [] : loaded.faults.map(printFault);
}

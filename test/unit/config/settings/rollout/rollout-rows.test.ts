// The settings of rollouts, gates, hooks and notifications: what they become, every bound, and all faults
// at once with their lines.

import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import type { Config } from '../../../../../src/config/config.ts';
import { printFault } from '../../../../../src/config/fault.ts';
import { loadText } from '../../../../../src/config/load.ts';
import { testRollout } from '../../../../support/rollout.ts';

const SOURCES = {
  environment: {},
  flags: {},
  machine: { platform: 'linux', cpus: 2, descriptors: Infinity },
};

const validate = new Ajv({ strict: false }).compile(
  JSON.parse(
    readFileSync(new URL('../../../../../config/schema.json', import.meta.url), 'utf8'),
  ) as object,
);

function file(rollout: string, rest = ''): string {
  return `${rest}services:\n- blue: { targets: [http://b:1] }\n  rollout:${rollout}`;
}

function configOf(text: string): Config {
  const loaded = loadText('f', text, SOURCES);
  if (!loaded.ok) throw new Error(loaded.faults.map(printFault).join('\n'));
  return loaded.config;
}

function checkFaults(t: Test, text: string, lines: readonly string[]): void {
  const loaded = loadText('f', text, SOURCES);
  t.same(loaded.ok ? [] : loaded.faults.map(printFault), lines);
}

await t.test(
  'without a section there are the defaults, and a plain switch stays one',
  async (t) => {
    const bare = configOf('services: [{ blue: { targets: [http://b:1] } }]');
    t.same(bare.services[0]!.rollout, testRollout());
    t.equal(bare.services[0]!.isRolloutConfigured, false);
    t.same(bare.notify, []);
    const written = configOf(file(' {}'));
    t.same(written.services[0]!.rollout, testRollout());
    t.equal(written.services[0]!.isRolloutConfigured, true);
  },
);

await t.test('a variable or a flag is a section, too', async (t) => {
  const sources = { ...SOURCES, environment: { TURNOUT_ROLLOUT_PLAN: 'canary-10-5m' } };
  const flags = { 'rollout-bake': '0s', 'rollout-guard-mode': 'watch' };
  const loaded = loadText('f', file(' {}').replace(/rollout.*/, ''), { ...sources, flags });
  t.match(loaded, {
    ok: true,
    config: {
      services: [
        {
          isRolloutConfigured: true,
          rollout: { plan: 'canary-10-5m', bakeMs: 0, guard: { mode: 'watch' } },
        },
      ],
    },
  });
});

const ALL_KINDS = `
    plan: '10%:5m, 50%:pause'
    guard: { ignorePaths: [/reports/*], errors: { floor: 0.2%, statuses: '500-599, 404' } }
    warmup: { requests: [/start], connections: 4 }
    gates:
      - name: smoke
        kind: requests
        targets: one
        requests:
          - method: POST
            path: /login?a=b
            fields: { Content-Type: application/json }
            body: '{"user":"probe"}'
            status: 200, 302-303
            field: { Location: /home* }
            match: a*b
            json: { '$.ok': true, '$["a b"][0]': 1.5, '$': null }
            within: 2s
            take: { token: 'json:$.token', at: 'field:Location' }
          - path: /orders/\${token}
            fields: { authorization: 'Bearer \${token}' }
      - { name: e2e, kind: webhook, at: step, url: 'https://ci.example/x', secretFile: /s, try: 5s, timeout: 2s }
      - { name: check, kind: command, command: [check, --fast], onFail: warn }
      - { name: errors, kind: prometheus, url: 'http://p:9090', query: sum(x), max: 0.01 }
      - { name: shadow, kind: shadow, share: 0.5%, ignore: ['"at":"*"'], fields: [ETag] }
      - { name: sign-off, kind: approve, by: others, onTimeout: proceed }
    hooks:
      - { on: [afterDrain], command: [systemctl, stop, shop] }
      - { on: [afterSwitch, onRollback], url: 'http://h/a b'.replace }
notify:
  - { url: 'https://chat.example/k', events: [rollout.*, gate.result], services: [default], secretFile: /n }
`.replace(`'http://h/a b'.replace`, `'http://h/a', timeout: 5s`);

await t.test('each kind of gate, hook and notification becomes what it says', async (t) => {
  const { services, notify } = configOf(file(ALL_KINDS));
  const { gates, hooks, guard } = services[0]!.rollout;
  t.match(guard.errors, { floor: 0.002, statuses: [{ min: 500 }, { min: 404, max: 404 }] });
  const [smoke, ...others] = gates;
  if (smoke?.kind !== 'requests') throw new Error('expected requests first');
  t.match(smoke, {
    at: 'before',
    timeoutMs: 120_000,
    tryMs: 30_000,
    onFail: 'stop',
    targets: 'one',
  });
  const [login, order] = smoke.requests;
  t.same(login, {
    method: 'POST',
    path: '/login?a=b',
    fields: new Map([['content-type', 'application/json']]),
    body: '{"user":"probe"}',
    status: [
      { min: 200, max: 200 },
      { min: 302, max: 303 },
    ],
    field: new Map([['location', { text: '/home*', parts: ['/home'] }]]),
    match: { text: 'a*b', parts: ['a', 'b'] },
    json: new Map<string, unknown>([
      ['$.ok', true],
      ['$["a b"][0]', 1.5],
      ['$', null],
    ]),
    withinMs: 2_000,
    take: new Map<string, unknown>([
      ['token', { from: 'json', path: ['token'] }],
      ['at', { from: 'field', name: 'location' }],
    ]),
  });
  t.match(order, { method: 'GET', body: '', match: undefined, withinMs: 0 });
  t.same(
    [...order!.status, order!.fields.get('authorization')],
    [{ min: 200, max: 299 }, 'Bearer ${token}'],
  );
  t.match(others, [
    { kind: 'webhook', at: 'step', url: 'https://ci.example/x', secretFile: '/s', tryMs: 2_000 },
    { kind: 'command', command: ['check', '--fast'], onFail: 'warn', tryMs: 600_000 },
    { kind: 'prometheus', at: 'after', url: 'http://p:9090/', max: 0.01, min: undefined },
    { kind: 'shadow', share: 0.005, mismatch: 0.01, fields: ['etag'] },
    { kind: 'approve', by: 'others', onTimeout: 'proceed', timeoutMs: 86_400_000 },
  ]);
  t.match(hooks, [
    { on: ['afterDrain'], kind: 'command', command: ['systemctl', 'stop', 'shop'] },
    { on: ['afterSwitch', 'onRollback'], kind: 'webhook', url: 'http://h/a', timeoutMs: 5_000 },
  ]);
  t.same(notify, [
    {
      url: 'https://chat.example/k',
      secretFile: '/n',
      caFile: undefined,
      events: ['rollout.*', 'gate.result'],
      services: ['default'],
    },
  ]);
  t.ok(validate(parse(file(ALL_KINDS))), JSON.stringify(validate.errors));
});

await t.test('all faults come at once, each with its line', async (t) => {
  checkFaults(
    t,
    file(`
    plan: 10
    guard: { errors: { floor: 1, limit: 101% }, alpha: 2 }
    gates:
      - name: Smoke
        kind: requests
        requests:
          - path: login
            fields: { 'a b': x, Connection: close, y: "\\n" }
            json: { a: 1, $.b: [] }
            take: { 9: json:$, t: text }
            match: '**'
      - { kind: webhook, url: 'ftp://h', secret: x }
      - { name: x, kind: other }
      - { name: x }
      - { name: c, kind: command, command: [] }
      - { name: c, kind: command }
      - nothing
    hooks:
      - { on: [later], url: 'http://u:p@h/' }
`),
    [
      'f:4:11: services[0].rollout.plan: expected a plan such as canary-10-5m, got 10',
      'f:5:31: services[0].rollout.guard.errors.floor: expected a share such as 1% or 0.2%, got 1 (the % is missing)',
      'f:5:41: services[0].rollout.guard.errors.limit: expected at most 100%, got "101%"',
      'f:5:56: services[0].rollout.guard.alpha: expected a number from 0.000001 to 0.1, got 2',
      'f:7:15: services[0].rollout.gates[0].name: expected a name of small letters, digits and - (at most 63), got "Smoke"',
      'f:10:19: services[0].rollout.gates[0].requests[0].path: expected a path such as /start, got "login"',
      'f:11:30: services[0].rollout.gates[0].requests[0].fields.a b: expected the name of a field such as content-type, got "a b"',
      'f:11:45: services[0].rollout.gates[0].requests[0].fields.Connection: expected a field of the request, got "Connection" (Turnout itself sets this field)',
      'f:11:55: services[0].rollout.gates[0].requests[0].fields.y: expected a value of at most 4096 characters of ASCII, got "\\n"',
      'f:12:24: services[0].rollout.gates[0].requests[0].json.a: expected a path such as $.items[0].id, got "a"',
      'f:12:32: services[0].rollout.gates[0].requests[0].json.$.b: expected a text, a number, true, false or null, got a list',
      'f:13:24: services[0].rollout.gates[0].requests[0].take.9: expected a name such as token, got "9"',
      'f:13:35: services[0].rollout.gates[0].requests[0].take.t: expected json:$.path or field:name, got "text"',
      'f:14:20: services[0].rollout.gates[0].requests[0].match: expected a text of at most 1024 characters, with * for anything, got "**" (* alone says nothing)',
      'f:15:9: services[0].rollout.gates[1].name: expected a name of small letters, digits and - (at most 63), got nothing',
      'f:15:31: services[0].rollout.gates[1].url: expected a URL such as https://hooks.example.com/turnout, got "ftp://h"',
      'f:15:42: services[0].rollout.gates[1].secret: unknown setting',
      'f:16:26: services[0].rollout.gates[2].kind: expected one of requests, webhook, command, prometheus, shadow, approve, got "other"',
      'f:17:9: services[0].rollout.gates[3].kind: expected one of requests, webhook, command, prometheus, shadow, approve, got nothing',
      'f:18:44: services[0].rollout.gates[4].command: expected at least 1 of them, got none',
      'f:19:9: services[0].rollout.gates[5].command: expected a list, got nothing',
      'f:19:17: services[0].rollout.gates[5].name: expected a name of its own, got c twice',
      'f:20:9: services[0].rollout.gates[6]: expected a mapping, got "nothing"',
      'f:22:16: services[0].rollout.hooks[0].on[0]: expected one of afterSwitch, afterDrain, onRollback, got "later"',
      'f:22:29: services[0].rollout.hooks[0].url: expected a URL such as https://hooks.example.com/turnout, got "http://***@h/" (a user or password stands in secretFile)',
    ],
  );
});

await t.test('gates, hooks and notifications go together', async (t) => {
  checkFaults(
    t,
    file(
      `
    gates:
      - { name: a, kind: prometheus, url: http://p, query: '\${relase}', user: u }
      - { name: a, kind: prometheus, url: http://p, query: up, min: 2, max: 1 }
      - name: b
        kind: requests
        requests:
          - { path: '/\${id}', take: { id: json:$.id } }
          - { path: '/\${id}', body: '\${no}', fields: { x: '\${nor}' } }
    hooks:
      - { on: [afterDrain] }
      - { on: [afterDrain], url: http://h, command: [x] }
      - { on: [afterDrain], command: [x], secretFile: /s }
`,
      'notify: [{ url: http://h, services: [default, shop] }]\n',
    ),
    [
      'f:1:47: notify[0].services[1]: expected the name of a service, got shop, which there is not',
      'f:6:9: services[0].rollout.gates[0]: expected min or max, got none',
      'f:6:60: services[0].rollout.gates[0].query: ${relase} is none of service, release, color, from_release, from_color',
      'f:6:79: services[0].rollout.gates[0].user: expected secretFile beside a user, got none',
      'f:7:17: services[0].rollout.gates[1].name: expected a name of its own, got a twice',
      'f:7:69: services[0].rollout.gates[1].min: expected at most max (1), got 2',
      'f:11:21: services[0].rollout.gates[2].requests[0].path: no request before this one takes ${id}',
      'f:12:37: services[0].rollout.gates[2].requests[1].body: no request before this one takes ${no}',
      'f:12:59: services[0].rollout.gates[2].requests[1].fields.x: no request before this one takes ${nor}',
      'f:14:9: services[0].rollout.hooks[0]: expected url or command, got none',
      'f:15:9: services[0].rollout.hooks[1]: expected url or command, got both',
      'f:16:55: services[0].rollout.hooks[2].secretFile: expected secretFile beside a url, got it beside a command',
    ],
  );
});

function many(count: number, entry: (index: number) => string): string {
  return `[${Array.from({ length: count }, (_, index) => entry(index)).join(', ')}]`;
}

function full(gates: number, hooks: number, sinks: number): string {
  return file(
    `
    gates: ${many(gates, (index) => `{ name: g${index}, kind: approve }`)}
    hooks: ${many(hooks, () => '{ on: [afterDrain], command: [x] }')}
`,
    `notify: ${many(sinks, () => '{ url: http://h }')}\n`,
  );
}

await t.test('there are so many gates, hooks and notifications, and no more', async (t) => {
  t.equal(configOf(full(32, 32, 16)).services[0]!.rollout.gates.length, 32);
  checkFaults(t, full(33, 33, 17), [
    'f:1:9: notify: expected at most 16 of them, got more',
    'f:5:12: services[0].rollout.gates: expected at most 32 of them, got more',
    'f:6:12: services[0].rollout.hooks: expected at most 32 of them, got more',
  ]);
});

await t.test('a word that is nearly a setting of a gate is recognised', async (t) => {
  checkFaults(t, file(' { gates: [{ name: a, kind: approve, onTimout: stop }] }'), [
    'f:3:48: services[0].rollout.gates[0].onTimout: unknown setting: did you mean onTimeout?',
  ]);
});

/** `[where, fits, does not]` */
const EDGES: readonly (readonly [
  place: string,
  good: readonly string[],
  bad: readonly string[],
])[] = [
  ['health', ['1s', '24h'], ['999ms', '86400001ms']],
  ['onInconclusive', ['proceed', 'pause', 'rollback'], ['wait']],
  ['split.sessions', ['new', 'all'], ['old']],
  ['split.by', ['session', 'address', 'request'], ['user']],
  ['rollback.restick', ['all', 'new'], ['old']],
  ['rollback.ramp', ['0s', '10m'], ['600001ms']],
  ['rollback.lockOut', ['true', 'false'], ['1']],
  ['guard.patience', ['calm', 'normal', 'quick'], ['fast']],
  ['guard.alpha', ['0.000001', '0.1'], ['0', '0.11', '"0.1"']],
  ['guard.clients', ['1', '100'], ['0', '101']],
  ['guard.errors.ratio', ['1', '1.5', '100'], ['0.9', '101']],
  ['guard.errors.floor', ['0.01%', '50%'], ['0', '0.001%', '51%', '0.00001%']],
  ['guard.errors.limit', ['0.01%', '50%'], ['0', '51%']],
  ['guard.errors.statuses', ['404', '"500-599, 404"'], ['99', '"500-599,"', '[500]']],
  ['guard.latency.mode', ['"off"', 'compare'], ['p99', 'false']],
  ['guard.latency.ratio', ['1', '100'], ['0.5']],
  ['guard.latency.grace', ['0s', '1h'], ['3600001ms']],
  ['guard.latency.p99', ['0s', '1h'], ['3600001ms']],
  ['warmup.requests', ['[/, /a?b=c]', '[]'], ['[a]', '/', '["/a#b"]']],
  ['warmup.repeat', ['1', '1000'], ['0', '1001']],
  ['warmup.parallel', ['1', '64'], ['0', '65']],
  ['warmup.connections', ['0', '256'], ['-1', '257']],
  ['warmup.within', ['1s', '1h'], ['999ms', '3600001ms']],
  ['warmup.required', ['true'], ['required']],
];

await t.test('every bound of a rollout holds, on both of its sides', async (t) => {
  for (const [place, good, bad] of EDGES) {
    const text = (value: string): string =>
      file(` ${place.split('.').reduceRight((inner, key) => `{ ${key}: ${inner} }`, value)}`);
    for (const value of good) t.doesNotThrow(() => configOf(text(value)), `${place} ${value}`);
    for (const value of bad) {
      const loaded = loadText('f', text(value), SOURCES);
      t.equal(loaded.ok, false, `${place} ${value}`);
    }
  }
});

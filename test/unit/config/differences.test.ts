// What differs between two configurations, as a person wrote it.

import t from 'tap';
import { differences, type Difference } from '../../../src/config/differences.ts';
import type { Said } from '../../../src/config/build.ts';
import { loadText } from '../../../src/config/load.ts';

function said(text: string, flags: Readonly<Record<string, string>> = {}): Said {
  const machine = { platform: 'linux', cpus: 2, descriptors: 20_000 };
  const loaded = loadText('f.yaml', text, { environment: {}, flags, machine });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  return loaded.said;
}

const BLUE = 'blue: { targets: [http://b:1] }';

/** `[before, after, what differs]` */
const CASES: readonly (readonly [string, string, readonly Difference[]])[] = [
  [`services: [{ ${BLUE} }]`, `services: [{ ${BLUE} }]`, []],
  [
    `services: [{ ${BLUE}, drain: { requests: 30s } }]`,
    `services: [{ ${BLUE}, drain: { requests: 30000ms } }]`,
    [],
  ],
  [
    `services: [{ ${BLUE} }]`,
    `listen: 127.0.0.1:9\nservices: [{ ${BLUE}, drain: { requests: 1m }, hosts: [a, b.c] }]`,
    [
      { setting: 'listen', from: '0.0.0.0:8080', to: '127.0.0.1:9' },
      { setting: 'services.default.hosts', from: 'any host', to: 'a, b.c' },
      { setting: 'services.default.drain.requests', from: '30s', to: '1m' },
    ],
  ],
  [
    `listen: 1\nservices: [{ ${BLUE} }]`,
    `listen: [{ address: 1, tls: { certificates: [{ cert: c, key: k }] } }, { address: 2 }]\nservices: [{ ${BLUE} }]`,
    [
      { setting: 'listen.0.tls.certificates.0', from: 'none', to: 'added' },
      { setting: 'listen.1', from: 'none', to: 'added' },
    ],
  ],
  [
    `listen: [{ address: 1, tls: { acme: true } }]\nacme: { domains: [a] }\nservices: [{ ${BLUE} }]`,
    `listen: 2\nacme: { domains: [a] }\nservices: [{ ${BLUE} }]`,
    [
      { setting: 'listen.0.address', from: '1', to: '2' },
      { setting: 'listen.0.tls.acme', from: 'true', to: 'false' },
    ],
  ],
  [
    `listen: [{ address: 1 }]\nservices: [{ ${BLUE} }]`,
    `listen: [{ address: 1, proxyProtocol: { from: [10.0.0.0/8] } }]\nservices: [{ ${BLUE} }]`,
    [{ setting: 'listen.0.proxyProtocol.from', from: 'none', to: '10.0.0.0/8' }],
  ],
  [
    `services: [{ name: a, ${BLUE}, hosts: [a] }, { name: b, ${BLUE}, hosts: [b] }]`,
    `services: [{ name: c, ${BLUE}, hosts: [c] }, { name: a, ${BLUE}, hosts: [x] }]`,
    [
      { setting: 'services.a.hosts', from: 'a', to: 'x' },
      { setting: 'services.b', from: 'there', to: 'removed' },
      { setting: 'services.c', from: 'none', to: 'added' },
    ],
  ],
  [
    `services: [{ ${BLUE}, maintenance: { page: "<p>one</p>" } }]`,
    `services: [{ ${BLUE}, maintenance: { page: "two\\u001b[31m" } }]`,
    [
      {
        setting: 'services.default.maintenance.page',
        from: '"<p>one</p>"',
        to: '"two\\u001b[31m"',
      },
    ],
  ],
];

const URL = 'url: https://h.example/key';
const SMOKE = '{ name: smoke, kind: requests, requests: [{ path: / }] }';
const ASK = `{ name: ask, kind: webhook, ${URL} }`;

function gates(list: string): string {
  return `services: [{ ${BLUE}, rollout: { gates: [${list}] } }]`;
}

/** As `CASES`: entries of lists are told apart by name, and addresses are not shown. */
const LIST_CASES: typeof CASES = [
  [gates(SMOKE), gates(SMOKE.replace('path: /', 'path: "/"')), []],
  [
    gates(SMOKE),
    gates(`${ASK}, ${SMOKE.replace('/ ', '/a, within: 2s ')}`),
    [
      { setting: 'services.default.rollout.gates.smoke.requests.0.path', from: '/', to: '/a' },
      { setting: 'services.default.rollout.gates.smoke.requests.0.within', from: '0s', to: '2s' },
      { setting: 'services.default.rollout.gates.ask', from: 'none', to: 'added' },
    ],
  ],
  [
    gates(ASK),
    gates(ASK.replace('key', 'other').replace('}', ', try: 5s }')),
    [
      { setting: 'services.default.rollout.gates.ask.try', from: '30s', to: '5s' },
      { setting: 'services.default.rollout.gates.ask.url', from: 'not shown', to: 'changed' },
    ],
  ],
  [
    gates(ASK),
    gates('{ name: ask, kind: approve }'),
    [{ setting: 'services.default.rollout.gates.ask.kind', from: 'webhook', to: 'approve' }],
  ],
  [
    gates(`${ASK}, ${SMOKE}`),
    gates(`${SMOKE}, ${ASK}`),
    [{ setting: 'services.default.rollout.gates', from: 'ask, smoke', to: 'smoke, ask' }],
  ],
  [
    gates(SMOKE),
    gates(SMOKE.replace('/ ', '/, fields: { Accept: a } ')),
    [
      {
        setting: 'services.default.rollout.gates.smoke.requests.0.fields',
        from: 'none',
        to: '{"Accept":"a"}',
      },
    ],
  ],
  [
    `services: [{ ${BLUE} }]\nnotify: [{ ${URL}, events: [a.b] }]`,
    `services: [{ ${BLUE} }]\nnotify: [{ ${URL}, events: [rollout.*] }]`,
    [{ setting: 'notify.0.events', from: 'a.b', to: '"rollout.*"' }],
  ],
];

await t.test('settings that differ in value are named, with what was written', async (t) => {
  for (const [before, after, expected] of [...CASES, ...LIST_CASES]) {
    t.strictSame(differences(said(before), said(after)), expected, after);
  }
});

function withTimeout(ms: number): string {
  return `client: { headTimeout: ${ms}ms }\nservices: [{ ${BLUE} }]`;
}

await t.test('a flag wins over the file here too', async (t) => {
  const flags = { 'client-head-timeout': '9s' };
  t.strictSame(differences(said(withTimeout(1_000), flags), said(withTimeout(2_000), flags)), []);
});

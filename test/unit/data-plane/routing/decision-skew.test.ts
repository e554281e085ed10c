// Version skew: requests follow the release they name, page loads go to the active deployment.

import t from 'tap';
import type { Service } from '../../../../src/contract/table.ts';
import {
  ACTIVE_SLOT,
  Deciding,
  drain,
  DRAINING_SLOTS,
  DEPLOYMENT,
  deploymentAt,
  lockedOut,
  NOW_S,
  shop,
  tokenOf,
  type Outcome,
} from '../../../support/deciding.ts';
import type { PolicyPatch } from '../../../support/policy.ts';

const { active, draining } = DEPLOYMENT;
const ON = { affinity: { mode: 'drain' }, skew: { isOn: true } } as const;
const PAGE = 'Sec-Fetch-Dest: document';
const SESSION = `Cookie: turnout=${tokenOf(draining)}`;

function ask(
  fields: readonly string[],
  {
    target = '/',
    policy = ON,
    service = {},
  }: {
    readonly target?: string;
    readonly policy?: PolicyPatch;
    readonly service?: Partial<Service>;
  } = {},
): Outcome {
  return new Deciding(policy, service).ask(fields, { target });
}

function id(release: string): string {
  return `X-Deployment-Id: ${release}`;
}

await t.test('a request goes to the release that its field names', async (t) => {
  const outcome = ask([id('r2')]);
  t.equal(outcome.to, 'draining');
  t.equal(outcome.reason, 'release');
  t.equal(outcome.gives, undefined, 'and needs no session');
  t.equal(outcome.hasSession, false);
});

await t.test('a request goes to the release that its query names', async (t) => {
  for (const target of ['/a.js?dpl=r2', '/a.js?v=1&dpl=%722', 'http://shop.test/?dpl=r2']) {
    const outcome = ask([], { target });
    t.equal(outcome.to, 'draining', target);
    t.equal(outcome.reason, 'release');
  }
});

await t.test('the field comes before the query, and both before the session', async (t) => {
  t.equal(ask([id('r2'), SESSION], { target: '/?dpl=r3' }).to, 'draining');
  t.equal(ask([id('r3'), SESSION], { target: '/?dpl=r2' }).to, 'active');
  t.equal(ask([SESSION], { target: '/?dpl=r3' }).to, 'active');
  t.equal(ask([SESSION]).to, 'draining', 'the session, where nothing is named');
  t.equal(ask([SESSION]).reason, 'session');
});

await t.test('a release id that no deployment has is ignored', async (t) => {
  t.equal(ask([id('r9')]).to, 'active');
  t.equal(ask([id('r9')]).reason, 'active');
  t.equal(ask([id('')]).reason, 'active');
  t.equal(ask([id('r9')], { target: '/?dpl=r2' }).to, 'draining', 'then the query counts');
  t.equal(ask([id('r9'), SESSION], { target: '/?dpl=r9' }).reason, 'session', 'then the session');
  t.equal(ask([id('R2')]).to, 'active', 'an id is compared as it is');
});

await t.test('the active release can be named', async (t) => {
  const outcome = ask([id('r3')]);
  t.equal(outcome.to, 'active');
  t.equal(outcome.reason, 'release');
  t.equal(outcome.gives?.deployment, active);
});

await t.test('a release that never served cannot be reached by its id', async (t) => {
  for (const fields of [[id('r4')], [id('r4'), SESSION], []]) {
    const { to } = ask(fields, { target: '/?dpl=r4' });
    t.not(to, 'idle', fields.join(' · '));
  }
});

await t.test('a deployment that only a preview leads to cannot either', async (t) => {
  t.equal(ask([id('r0')], { target: '/?dpl=r0' }).to, 'active');
});

await t.test('a release whose sessions are over cannot be reached by its id', async (t) => {
  t.equal(ask([id('r1')], { target: '/?dpl=r1' }).reason, 'active');
  const deciding = new Deciding(ON);
  const toAt = (afterS: number): string => {
    deciding.wall.seconds = NOW_S + afterS;
    return deciding.ask([id('r2')]).to;
  };
  t.strictSame([599, 600, 601].map(toAt), ['draining', 'active', 'active']);
});

await t.test('an idle release that has served and drained cannot be reached either', async (t) => {
  const { blue } = shop();
  const service = { draining: [], blue: { ...blue, servedSince: 35 } };
  t.equal(ask([id('r4')], { service, target: '/?dpl=r4' }).reason, 'active');
});

await t.test('an idle release can while it drains', async (t) => {
  const { draining: drains } = shop();
  const service = { blue: drains.at(-1)!.deployment };
  const outcome = ask([id('r2')], { service });
  t.equal(outcome.to, 'draining');
  t.equal(outcome.reason, 'release');
});

await t.test('a release that is locked out cannot, although it drains', async (t) => {
  const { draining: drains } = shop();
  const service = {
    draining: drains.map((one) => ({ ...one, deployment: lockedOut(one.deployment) })),
  };
  t.equal(ask([id('r2')], { service, target: '/?dpl=r2' }).reason, 'active');
  t.equal(ask([id('r3')], { service }).reason, 'release', 'the active one can');
});

await t.test('a release that is known to be down gives way to the next rule', async (t) => {
  for (const mode of ['drain', 'strict', 'off'] as const) {
    const deciding = new Deciding({ ...ON, affinity: { mode } });
    deciding.setDown([DRAINING_SLOTS[0]]);
    t.equal(deciding.ask([id('r2')]).to, 'draining', 'one of two is down');
    deciding.setDown(DRAINING_SLOTS);
    t.equal(deciding.ask([id('r2')], { target: '/?dpl=r2' }).reason, 'active', mode);
    t.equal(deciding.ask([id('r2')], { target: '/?dpl=r3' }).reason, 'release', mode);
  }
});

await t.test(
  'the active release can be named although it is down: it is all there is',
  async (t) => {
    const deciding = new Deciding(ON);
    deciding.setDown([ACTIVE_SLOT]);
    t.equal(deciding.ask([id('r3')]).to, 'active');
  },
);

await t.test('a release without endpoints cannot be reached by its id', async (t) => {
  const empty = deploymentAt('draining', { color: 'blue', release: 'r2', slots: [] });
  t.equal(ask([id('r2')], { service: { draining: [drain(empty, 600)] } }).reason, 'active');
});

await t.test('of two deployments with one release, the later one is meant', async (t) => {
  const first = deploymentAt('over', { color: 'green', release: 'r2', slots: [3] });
  const [, second] = shop().draining;
  const service = { draining: [drain(first, 600), second!] };
  t.equal(ask([id('r2')], { service }).to, 'draining');
});

await t.test('where the active one has the same release, that is meant', async (t) => {
  const { green } = shop();
  const outcome = ask([id('r2')], { service: { green: { ...green, release: 'r2' } } });
  t.equal(outcome.to, 'active');
  t.equal(outcome.reason, 'release');
});

await t.test('a release without a name cannot be asked for', async (t) => {
  const nameless = deploymentAt('draining', { color: 'blue', release: '', slots: DRAINING_SLOTS });
  const service = { draining: [drain(nameless, 600)] };
  t.equal(ask([id('')], { service, target: '/?dpl=' }).to, 'active');
});

await t.test(
  'a page load goes to the active deployment, whatever it names or brings',
  async (t) => {
    for (const fields of [[id('r2')], [SESSION], [id('r2'), SESSION], []]) {
      const outcome = ask([...fields, PAGE], { target: '/?dpl=r2' });
      t.equal(outcome.to, 'active', fields.join(' · '));
      t.equal(outcome.reason, 'active');
      t.equal(outcome.gives?.deployment, active, 'its session begins anew');
    }
  },
);

await t.test('a page load keeps the session that it has on the active deployment', async (t) => {
  const outcome = ask([`Cookie: turnout=${tokenOf(active)}`, PAGE]);
  t.equal(outcome.hasSession, true);
  t.equal(outcome.gives, undefined);
});

await t.test('only a document is a page load', async (t) => {
  for (const kind of ['script', 'empty', 'iframe', 'Document', 'documents', '']) {
    t.equal(ask([SESSION, `Sec-Fetch-Dest: ${kind}`]).to, 'draining', kind);
  }
});

await t.test(
  'a session is counted at its own deployment, also when a release is named',
  async (t) => {
    const deciding = new Deciding(ON);
    const same = deciding.ask([id('r2'), SESSION]);
    t.equal(same.hasSession, true, 'it asks for the deployment of its session');
    const other = deciding.ask([id('r3'), SESSION]);
    t.equal(other.to, 'active');
    t.equal(other.hasSession, false);
    t.strictSame(deciding.sessionsSeen(), { draining: 1 });
  },
);

await t.test('without sessions releases can be named all the same', async (t) => {
  const policy = { skew: { isOn: true } };
  const outcome = ask([id('r2'), SESSION], { policy });
  t.equal(outcome.to, 'draining');
  t.equal(outcome.gives, undefined);
  t.equal(ask([SESSION], { policy }).to, 'active');
});

await t.test('with skew off no id and no kind of request counts', async (t) => {
  const policy = { affinity: { mode: 'drain' } } as const;
  t.equal(ask([id('r2')], { policy, target: '/?dpl=r2' }).to, 'active');
  t.equal(ask([id('r3'), SESSION], { policy }).to, 'draining');
  t.equal(ask([SESSION, PAGE], { policy }).to, 'draining');
});

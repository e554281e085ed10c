// Before traffic moves to a deployment its targets are asked once more, while a caller waits.

import t from 'tap';
import type { HealthConfig } from '../../../../../src/config/config.ts';
import { isLive, type Endpoint, type RoutingTable } from '../../../../../src/contract/table.ts';
import {
  SPOT_ANSWER_KEPT_MS,
  SPOT_CHECK_MS,
  SPOT_PROBES_MAX,
} from '../../../../../src/control-plane/base/control-limits.ts';
import {
  spotCheck,
  type SpotCheckSubject,
} from '../../../../../src/control-plane/switching/checks/spot-check.ts';
import type { TargetHealth } from '../../../../../src/control-plane/switching/checks/switch-check.ts';
import { DOWN, UNKNOWN } from '../../support/board.ts';
import { NO_CHECKS } from '../../support/fixtures.ts';
import { service } from '../../support/tables.ts';

const CHECKED: HealthConfig = { ...NO_CHECKS, kind: 'http', timeoutMs: 5_000 };
const UP: TargetHealth = { state: 'up', reason: '' };
const NOW_MS = 10_000;

interface Scene {
  readonly needs?: SpotCheckSubject['needs'];
  /** Why the probe of each port fails; empty: it passes; null: it never ends. */
  readonly answers: Readonly<Record<number, string | null>>;
  readonly known?: Readonly<Record<number, TargetHealth>>;
  readonly config?: HealthConfig | undefined;
  /** No table has the deployment. */
  readonly isKept?: boolean;
  /** Ports of targets that are names which lead nowhere, once they were looked up anew. */
  readonly denied?: readonly number[];
  /** How long each probe takes. */
  readonly probeMs?: number;
}

function scene({ answers, known = {}, needs = 'all', isKept = false, ...more }: Scene) {
  const config = 'config' in more ? more.config : CHECKED;
  const clock = { ms: NOW_MS };
  const asked: number[] = [];
  const closed: number[] = [];
  const timeouts: number[] = [];
  const prepared: RoutingTable[] = [];
  const refreshed: Endpoint[] = [];
  const isDenied = (one: Endpoint): boolean => refreshed.length > 0 && denied.has(portOf(one));
  const denied = new Set(more.denied);
  const health = (endpoint: Endpoint): TargetHealth[] => {
    if (isDenied(endpoint)) return [{ state: 'down', reason: 'DNS says: no such name' }];
    return [known[portOf(endpoint)] ?? (isKept ? UNKNOWN : UP)];
  };
  const check = spotCheck({
    prober: (endpoint, { timeoutMs }) => ({
      async ask() {
        const port = portOf(endpoint);
        asked.push(port);
        timeouts.push(timeoutMs);
        const answer = answers[port];
        clock.ms += more.probeMs ?? 0;
        if (answer === undefined) throw new Error('the check broke');
        return answer ?? (await new Promise<string>(() => {}));
      },
      close: () => closed.push(portOf(endpoint)),
    }),
    configOf: () => config && { health: config },
    names: {
      of: (endpoint) => (isLive(endpoint) && !isDenied(endpoint) ? [endpoint] : []),
      prepare: async (table) => void prepared.push(table),
      refresh: async (endpoints) => void refreshed.push(...endpoints),
    },
    table: () => ({ version: 1, epoch: 1, services: [one] }),
    now: () => clock.ms,
  });
  const endpoints = Object.keys(answers).map((port, slot) => endpointAt(Number(port), slot));
  const deployment = { ...service().green, endpoints };
  const one = service({ green: isKept ? { ...deployment, endpoints: [] } : deployment });
  const judged = async () => check({ service: one, deployment, needs }, health);
  return {
    asked,
    closed,
    timeouts,
    prepared,
    refreshed,
    /** Returns what is known of a target elsewhere after the check. */
    elsewhere: async (port: number) => (await judged())(endpointAt(port, 99)),
    run: async () => {
      const after = await judged();
      return endpoints.flatMap((endpoint) => after(endpoint));
    },
  };
}

function endpointAt(port: number, slot: number): Endpoint {
  const address = { kind: 'tcp', host: '127.0.0.1', port } as const;
  return { slot, deployment: 2, url: `http://127.0.0.1:${port}`, address, authority: '' };
}

function portOf({ address }: Endpoint): number {
  return address.kind === 'tcp' ? address.port : 0;
}

const REFUSED = { state: 'down', reason: 'asked just now: connection refused' } as const;

await t.test('every target of a switch is asked, and one that answers stays up', async (t) => {
  const { run, asked, closed, refreshed, prepared } = scene({ answers: { 1: '', 2: '' } });
  t.same(await run(), [UP, UP]);
  t.same(asked, [1, 2]);
  t.same(closed, [], 'nothing was left open');
  t.equal(refreshed.length, 2, 'names are looked up once more');
  t.same(prepared, []);
});

await t.test('one that counts as up and does not answer is down, with the reason', async (t) => {
  const known = { 1: { state: 'up', reason: 'connection refused' } } as const;
  const { run } = scene({ answers: { 1: 'connection refused' }, known });
  t.same(await run(), [REFUSED]);
});

await t.test(
  'the first that fails decides a switch, the first that passes a rollback',
  async (t) => {
    const answers = { 1: null, 2: 'connection refused', 3: null, 4: '' };
    const forSwitch = scene({ answers });
    t.match(await forSwitch.run(), [UP, REFUSED, UP, UP]);
    t.same(forSwitch.closed, [1, 3], 'no other is waited for');
    const forRollback = scene({ answers, needs: 'one' });
    t.match(await forRollback.run(), [UP, REFUSED, UP, UP]);
    t.same(forRollback.closed, [1, 3]);
  },
);

await t.test('an answer that comes after the decision changes nothing', async (t) => {
  const late = Promise.withResolvers<string>();
  const config = { ...CHECKED };
  const one = service({
    green: { ...service().green, endpoints: [endpointAt(1, 0), endpointAt(2, 1)] },
  });
  const check = spotCheck({
    prober: (endpoint) => ({
      ask: async () => (portOf(endpoint) === 1 ? late.promise : ''),
      close: () => late.resolve('the probe was closed'),
    }),
    configOf: () => ({ health: config }),
    names: { of: (target) => [target as never], prepare: async () => {}, refresh: async () => {} },
    table: () => ({ version: 1, epoch: 1, services: [one] }),
    now: () => NOW_MS,
  });
  const judged = await check({ service: one, deployment: one.green, needs: 'one' }, () => [UP]);
  await late.promise;
  await new Promise(setImmediate);
  t.same(judged(one.green.endpoints[0]!), [UP]);
});

await t.test('a rollback asks all that may be up, and none that is known to be down', async (t) => {
  const known = { 1: DOWN, 2: UNKNOWN };
  const { run, asked } = scene({ answers: { 1: '', 2: 'no', 3: 'no' }, known, needs: 'one' });
  t.match(await run(), [DOWN, { state: 'down' }, { state: 'down' }]);
  t.same(asked, [2, 3]);
});

await t.test(
  'a target of which nothing is known is enough for a rollback if it answers',
  async (t) => {
    const { run } = scene({ answers: { 1: '' }, known: { 1: UNKNOWN }, needs: 'one' });
    t.match(await run(), [UP]);
  },
);

await t.test('a switch that is refused anyway asks nobody', async (t) => {
  for (const state of [DOWN, UNKNOWN]) {
    const { run, asked } = scene({ answers: { 1: '', 2: '' }, known: { 2: state } });
    t.match(await run(), [UP, state], 'one answer does not replace as many as `rise` wants');
    t.same(asked, []);
  }
});

await t.test('a name that DNS denies just now refuses a switch', async (t) => {
  const { run, asked } = scene({ answers: { 1: '', 2: '' }, denied: [2] });
  t.match(await run(), [UP, { state: 'down', reason: 'DNS says: no such name' }]);
  t.same(asked, []);
});

await t.test(
  'a deployment that no table has is looked up, and one answer of each will do',
  async (t) => {
    const { run, asked, prepared, refreshed } = scene({ answers: { 1: '', 2: '' }, isKept: true });
    t.match(await run(), [UP, UP]);
    t.same(asked, [1, 2]);
    t.match(prepared, [{ services: [{ green: { endpoints: { length: 2 } } }] }]);
    t.same(refreshed, []);
    const other = scene({ answers: { 1: '', 2: 'connection refused' }, isKept: true });
    t.match(await other.run(), [{}, REFUSED]);
  },
);

await t.test('a new answer counts: it is not asked for again', async (t) => {
  const recent = NOW_MS - SPOT_ANSWER_KEPT_MS;
  const known = {
    1: { ...UP, answeredAtMs: recent },
    2: { ...UP, answeredAtMs: recent - 1 },
  };
  const { run, asked } = scene({ answers: { 1: 'never asked', 2: '' }, known });
  t.match(await run(), [UP, UP]);
  t.same(asked, [2]);
  const failed = {
    1: { state: 'up', reason: 'connection refused', answeredAtMs: recent },
  } as const;
  const other = scene({ answers: { 1: '', 2: '' }, known: failed });
  t.match(await other.run(), [REFUSED, UP]);
  t.same(other.asked, [], 'and it may decide');
});

await t.test('a probe gets a second, or less where its timeout is shorter', async (t) => {
  const { run, timeouts } = scene({ answers: { 1: '' } });
  await run();
  const short = scene({ answers: { 1: '' }, config: { ...CHECKED, timeoutMs: 300 } });
  await short.run();
  t.same([...timeouts, ...short.timeouts], [SPOT_CHECK_MS, 300]);
});

await t.test('a bounded number is asked at once, and none when the second is over', async (t) => {
  const ports = Array.from({ length: SPOT_PROBES_MAX + 6 }, (_, index) => 1 + index);
  const silent = scene({ answers: Object.fromEntries(ports.map((port) => [port, null])) });
  void silent.run();
  await new Promise(setImmediate);
  t.equal(silent.asked.length, SPOT_PROBES_MAX);
  const all = scene({ answers: Object.fromEntries(ports.map((port) => [port, ''])) });
  await all.run();
  t.equal(all.asked.length, ports.length, 'the others have their turn');
  const slow = scene({
    answers: Object.fromEntries(ports.map((port) => [port, ''])),
    probeMs: SPOT_CHECK_MS / 10,
  });
  t.same((await slow.run()).at(-1), UP, 'of these the checks tell');
  t.equal(slow.asked.length, 10);
  t.equal(slow.timeouts.at(-1), SPOT_CHECK_MS / 10, 'a late one gets what is left');
});

await t.test('targets that cannot be asked count as up, as everywhere', async (t) => {
  const given = { answers: { 1: '' }, config: NO_CHECKS };
  const { run, asked } = scene({ ...given, isKept: true });
  t.match(await run(), [UP]);
  t.same(asked, []);
});

await t.test('of other targets is known what was known before', async (t) => {
  const { elsewhere } = scene({ answers: { 1: '' }, known: { 7: DOWN } });
  t.same(await elsewhere(7), [DOWN]);
});

await t.test('a service that is about to go is not asked for', async (t) => {
  const { run, asked } = scene({ answers: { 1: '' }, config: undefined });
  t.same(await run(), [UP]);
  t.same(asked, []);
});

await t.test('a check that breaks is no answer', async (t) => {
  const { run } = scene({ answers: { 1: undefined as never } });
  t.match(await run(), [{ state: 'down', reason: 'asked just now: the check broke' }]);
});

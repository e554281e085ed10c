// Targets of which nothing is known are asked once, while a caller waits.

import t from 'tap';
import type { HealthConfig } from '../../../../src/config/config.ts';
import { isLive, type Endpoint, type Service } from '../../../../src/contract/table.ts';
import { SPOT_PROBES_MAX } from '../../../../src/control-plane/base/control-limits.ts';
import { spotCheck } from '../../../../src/control-plane/switching/spot-check.ts';
import type { TargetHealth } from '../../../../src/control-plane/switching/switch-check.ts';
import { DOWN, UNKNOWN } from '../support/board.ts';
import { NO_CHECKS } from '../support/fixtures.ts';
import { service } from '../support/tables.ts';

const CHECKED: HealthConfig = { ...NO_CHECKS, kind: 'http' };

/** `answers`: why the check of each port fails; empty: it passes; null: it never ends. */
interface Scene {
  readonly answers: Readonly<Record<number, string | null>>;
  readonly known?: Readonly<Record<number, TargetHealth>>;
  readonly config?: HealthConfig | undefined;
}

function scene({ answers, known = {}, ...more }: Scene) {
  const config = 'config' in more ? more.config : CHECKED;
  const asked: number[] = [];
  const closed: number[] = [];
  const prepared: Service[] = [];
  const health = (endpoint: Endpoint) => [known[portOf(endpoint)] ?? UNKNOWN];
  const check = spotCheck({
    prober: (endpoint) => ({
      async ask() {
        const port = portOf(endpoint);
        asked.push(port);
        const answer = answers[port];
        if (answer === undefined) throw new Error('the check broke');
        return answer ?? (await new Promise<string>(() => {}));
      },
      close: () => closed.push(portOf(endpoint)),
    }),
    configOf: () => config && { health: config },
    names: {
      of: (endpoint) => (isLive(endpoint) ? [endpoint] : []),
      prepare: async ({ services }) => void prepared.push(...services),
    },
  });
  const endpoints = Object.keys(answers).map((port, slot) => endpointAt(Number(port), slot));
  const one = service({ green: { ...service().green, endpoints } });
  return {
    asked,
    closed,
    prepared,
    /** Returns what is known of a target elsewhere after the check. */
    elsewhere: async (port: number) => (await check(one, 'green', health))(endpointAt(port, 99)),
    run: async () => {
      const after = await check(one, 'green', health);
      return endpoints.flatMap((endpoint) => after(endpoint));
    },
  };
}

function endpointAt(port: number, slot: number): Endpoint {
  const address = { kind: 'tcp', host: '127.0.0.1', port } as const;
  return { slot, url: `http://127.0.0.1:${port}`, address, authority: '' };
}

function portOf({ address }: Endpoint): number {
  return address.kind === 'tcp' ? address.port : 0;
}

await t.test('an unknown target that answers is up', async (t) => {
  const { run, asked, closed, prepared } = scene({ answers: { 1: '' } });
  t.match(await run(), [{ state: 'up', reason: /^$/ }]);
  t.strictSame([asked, closed], [[1], [1]]);
  t.equal(prepared.length, 1, 'names of a release that comes back are looked up first');
});

await t.test('one that does not is down, with the reason', async (t) => {
  const { run } = scene({ answers: { 1: 'connection refused' } });
  t.match(await run(), [{ state: 'down', reason: 'connection refused' }]);
});

await t.test('the first that is up ends the wait', async (t) => {
  const { run, closed } = scene({ answers: { 1: null, 2: '', 3: null } });
  t.match(await run(), [{ state: 'unknown' }, { state: 'up' }, { state: 'unknown' }]);
  t.strictSame(closed, [1, 2, 3], 'nobody is asked any longer');
});

await t.test('what is known is not asked again', async (t) => {
  const { run, asked } = scene({ answers: { 1: '', 2: '' }, known: { 1: DOWN } });
  t.match(await run(), [DOWN, { state: 'up' }]);
  t.strictSame(asked, [2]);
});

await t.test('where one is up, nobody is asked', async (t) => {
  const up: TargetHealth = { state: 'up', reason: '' };
  const { run, asked } = scene({ answers: { 1: '', 2: '' }, known: { 1: up } });
  t.match(await run(), [{ state: 'up' }, UNKNOWN]);
  t.strictSame(asked, []);
});

await t.test('targets that cannot be asked count as up, as everywhere', async (t) => {
  const { run, asked } = scene({ answers: { 1: '' }, config: NO_CHECKS });
  t.match(await run(), [{ state: 'up' }]);
  t.strictSame(asked, []);
});

await t.test('of other targets is known what was known before', async (t) => {
  const { elsewhere } = scene({ answers: { 1: '' }, known: { 7: DOWN } });
  t.same(await elsewhere(7), [DOWN]);
});

await t.test('a service that is about to go is not asked for', async (t) => {
  const { run, asked } = scene({ answers: { 1: '' }, config: undefined });
  t.same(await run(), [UNKNOWN]);
  t.strictSame(asked, []);
});

await t.test('a check that breaks is no answer', async (t) => {
  const { run } = scene({ answers: { 1: undefined as never } });
  t.match(await run(), [{ state: 'down', reason: 'the check broke' }]);
});

await t.test('a bounded number of targets is asked at once', async (t) => {
  const ports = Array.from({ length: SPOT_PROBES_MAX + 5 }, (_, index) => 1 + index);
  const { run, asked } = scene({ answers: Object.fromEntries(ports.map((port) => [port, 'no'])) });
  t.match((await run()).at(-1), UNKNOWN);
  t.equal(asked.length, SPOT_PROBES_MAX);
});

// The desk: gates are asked by name, each try within its time.

import t from 'tap';
import type { GateSettings } from '../../../../src/config/settings/rollout/rollout-settings.ts';
import type { Gate } from '../../../../src/control-plane/gates/asked-gate.ts';
import { gateDesk, type GateDeskParts } from '../../../../src/control-plane/gates/gate-desk.ts';
import { testRollout } from '../../../support/rollout.ts';
import { endpointOf, gateContext, gateParts, NEVER, serve, talk } from '../support/gate-scene.ts';

const COMMON = { at: 'before', timeoutMs: 60_000, tryMs: 50, onFail: 'stop' } as const;
const FILES = { secretFile: undefined, caFile: undefined } as const;

function webhook(port: number, tryMs = 30_000): GateSettings {
  return {
    kind: 'webhook',
    name: 'hook',
    ...COMMON,
    tryMs,
    url: `http://127.0.0.1:${port}/`,
    ...FILES,
  };
}

const SHADOW: GateSettings = {
  kind: 'shadow',
  name: 'shadow',
  ...COMMON,
  share: 0.1,
  mismatch: 0.01,
  fields: [],
  ignore: [],
  ignorePaths: [],
  minimum: 1,
  bodyBytesMax: 1_024,
  slowerMs: 0,
};
const APPROVE: GateSettings = {
  kind: 'approve',
  name: 'sign',
  ...COMMON,
  by: 'others',
  onTimeout: 'stop',
};

function desk(gates: readonly GateSettings[], changes: Partial<GateDeskParts> = {}) {
  const silent: Gate = { ask: async () => new Promise(() => {}) };
  return gateDesk({
    ...gateParts(),
    gatesOf: (service) => (service === 'shop' ? gates : []),
    warmupOf: () => testRollout().warmup,
    shadows: { gate: () => silent },
    ...changes,
  });
}

await t.test('a gate is asked by its name', async (t) => {
  const port = await serve(t, (_, response) => response.end());
  const asked = desk([webhook(port), APPROVE]);
  const ask = async (service: string, name: string) =>
    asked.ask({ service, name }, gateContext(), NEVER);
  t.match(await ask('shop', 'hook'), { verdict: 'ok' });
  t.match(await ask('shop', 'sign'), { verdict: 'later' });
  const gone = { verdict: 'error', detail: 'it is not configured any more' };
  t.same(await ask('shop', 'other'), gone);
  t.same(await ask('blog', 'hook'), gone);
});

await t.test('a try ends after its time, whatever the gate does', async (t) => {
  const hangs = await talk(t, () => {});
  const asked = desk([webhook(hangs, 50), SHADOW]);
  for (const name of ['hook', 'shadow']) {
    const result = await asked.ask({ service: 'shop', name }, gateContext(), NEVER);
    t.match(result, { verdict: 'error', detail: /^no (?:result|answer) after 50ms$/ });
  }
  const called = new AbortController();
  const result = asked.ask({ service: 'shop', name: 'shadow' }, gateContext(), called.signal);
  called.abort();
  t.same(await result, { verdict: 'error', detail: 'called off' });
});

await t.test('a gate stays the same while its settings do', async (t) => {
  let opened = 0;
  const gate = (): Gate => {
    opened++;
    return { ask: async () => ({ verdict: 'later', detail: `${opened}` }) };
  };
  const asked = desk([SHADOW], { shadows: { gate } });
  for (let time = 0; time < 3; time++) {
    await asked.ask({ service: 'shop', name: 'shadow' }, gateContext(), NEVER);
  }
  t.equal(opened, 1);
});

await t.test('each service is warmed by its own settings', async (t) => {
  const port = await serve(t, (_, response) => response.end());
  const [subject] = gateContext().subjects;
  const two = gateContext({ subjects: [subject!, { ...subject!, service: 'blog' }] });
  const asked = desk([], {
    ...gateParts([endpointOf(port)]),
    warmupOf: (service) => ({
      ...testRollout().warmup,
      requests: service === 'shop' ? ['/'] : [],
    }),
  });
  t.same(await asked.warm(two, NEVER), {
    verdict: 'ok',
    detail: '3 requests, 0 connections; nothing to do',
  });
  const none = desk([], { warmupOf: () => ({ ...testRollout().warmup, requests: ['/'] }) });
  t.match(await none.warm(gateContext(), NEVER), { verdict: 'ok' });
});

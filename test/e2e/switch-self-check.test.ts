// The thousand switches prove something only if their load sees a proxy that does it wrong.

import t, { type Test } from 'tap';
import { openColoredApp } from '../support/colored-app.ts';
import { openFlawedProxy, type Flaw } from '../support/flawed-proxy.ts';
import { startLoad, type Verdict } from '../support/load-process.ts';

const SWITCHES = 20;

async function verdictOn(t: Test, flaw: Flaw): Promise<Verdict> {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const proxy = await openFlawedProxy(t, flaw, { blue: blue.port, green: green.port });
  const load = await startLoad(t, {
    ...proxy,
    active: 'blue',
    connections: 12,
    probes: 6,
    reopens: true,
    straddles: true,
  });
  await load.switch(SWITCHES);
  return load.close();
}

await t.test('a proxy that switches right passes', async (t) => {
  const verdict = await verdictOn(t, 'none');
  t.match(verdict, { switches: SWITCHES, wrong: 0, failed: 0, failures: {} });
});

await t.test('a proxy that switches a few requests late is seen', async (t) => {
  const verdict = await verdictOn(t, 'late');
  t.ok(verdict.wrong > 0, `${verdict.wrong} of ${verdict.judged} requests were wrong`);
  t.equal(verdict.failed, 0);
});

await t.test('a proxy that cuts what runs while it switches is seen', async (t) => {
  const verdict = await verdictOn(t, 'cutting');
  t.ok(verdict.failed > 0, `${verdict.failed} requests failed`);
});

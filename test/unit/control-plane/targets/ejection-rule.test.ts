// When an endpoint counts as broken by its requests, compared with its siblings.

import t from 'tap';
import { EJECTION_MEMORY } from '../../../../src/control-plane/base/control-limits.ts';
import {
  ejectionMs,
  isOutlier,
  NO_OUTCOMES,
  remember,
  timesNow,
} from '../../../../src/control-plane/targets/ejection-rule.ts';

const CONFIG = { mode: 'on', failures: 5, timeMs: 30_000, timeMaxMs: 100_000 } as const;

await t.test('what an endpoint did lately outweighs what it did before', async (t) => {
  t.strictSame(remember(NO_OUTCOMES, { failed: 1, answered: 3 }), { failed: 1, answered: 3 });
  t.strictSame(remember({ failed: 5, answered: 9 }, NO_OUTCOMES), { failed: 5, answered: 9 });
  const flood = remember({ failed: 5, answered: 9 }, { failed: 0, answered: 10_000 });
  t.strictSame(flood, { failed: 0, answered: EJECTION_MEMORY });
  let recent = { failed: EJECTION_MEMORY, answered: 0 };
  for (let i = 0; i < 4 * EJECTION_MEMORY; i++)
    recent = remember(recent, { failed: 0, answered: 1 });
  t.ok(recent.failed < 1, `${recent.failed}`);
  t.ok(recent.answered + recent.failed <= EJECTION_MEMORY + 1e-9);
});

await t.test('a run of failures counts where the siblings answer', async (t) => {
  t.ok(isOutlier(5, [{ failed: 0, answered: 5 }]));
  t.ok(isOutlier(5, [{ failed: 1, answered: 31 }]));
  t.ok(isOutlier(5, [NO_OUTCOMES, { failed: 0, answered: 5 }]), 'one of them is enough');
  t.ok(isOutlier(3, [{ failed: 0, answered: 32 }]), 'the smallest number that can be set');
});

await t.test('where nothing is known of siblings, or they fail too, it is the app', async (t) => {
  for (const run of [5, 50, 5_000]) {
    t.notOk(isOutlier(run, []));
    t.notOk(isOutlier(run, [NO_OUTCOMES]));
    t.notOk(isOutlier(run, [{ failed: 32, answered: 0 }]));
    t.notOk(isOutlier(run, [{ failed: 16, answered: 16 }]), 'half of them');
  }
});

await t.test('the more the siblings fail, the longer the run has to be', async (t) => {
  const siblings = [{ failed: 10, answered: 22 }];
  t.notOk(isOutlier(7, siblings), 'a third of the requests fails: that happens');
  t.ok(isOutlier(9, siblings));
});

await t.test('each time in a row lasts longer, up to a bound', async (t) => {
  t.strictSame(
    [1, 2, 3, 4, 1e9].map((times) => ejectionMs(times, CONFIG)),
    [30_000, 60_000, 90_000, 100_000, 100_000],
  );
  t.equal(ejectionMs(3, { ...CONFIG, timeMaxMs: 1_000 }), 30_000, 'never shorter than the first');
});

await t.test('an endpoint that serves well is forgiven step by step', async (t) => {
  t.equal(timesNow({ times: 0, servedMs: 0 }, CONFIG), 1);
  t.equal(timesNow({ times: 3, servedMs: 0 }, CONFIG), 4);
  t.equal(timesNow({ times: 3, servedMs: -90_000 }, CONFIG), 4);
  t.equal(timesNow({ times: 3, servedMs: 29_999 }, CONFIG), 4);
  t.equal(timesNow({ times: 3, servedMs: 60_000 }, CONFIG), 2);
  t.equal(timesNow({ times: 3, servedMs: 1e9 }, CONFIG), 1);
});

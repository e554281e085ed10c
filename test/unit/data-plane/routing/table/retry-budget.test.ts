// How many requests may be sent again because of a status.

import t from 'tap';
import { RETRY_BURST } from '../../../../../src/base/limits.ts';
import { RetryBudget } from '../../../../../src/data-plane/routing/table/retry-budget.ts';

/** Lets `requests` come, each of which would be sent again if it may; returns how many are. */
function outage(budget: RetryBudget, requests: number): number {
  let taken = 0;
  for (let i = 0; i < requests; i++) {
    budget.requestBegan();
    if (budget.take()) taken++;
  }
  return taken;
}

await t.test('a few may be sent again at once, then a share of what comes', async (t) => {
  const budget = new RetryBudget({ isOn: true, budgetPercent: 20 });
  const taken = outage(budget, 10_000);
  t.ok(taken >= 2_000 && taken <= 2_000 + RETRY_BURST, `${taken}`);
  t.equal(outage(budget, 1_000), 200);
});

await t.test('what is not used is kept up to a bound', async (t) => {
  const budget = new RetryBudget({ isOn: true, budgetPercent: 100 });
  for (let i = 0; i < 1_000; i++) budget.requestBegan();
  let taken = 0;
  while (budget.take()) taken++;
  t.equal(taken, RETRY_BURST);
});

await t.test('where it is off, nothing is sent again', async (t) => {
  t.equal(outage(new RetryBudget({ isOn: false, budgetPercent: 100 }), 100), 0);
});

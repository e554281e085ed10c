import t from 'tap';
import { Turns } from '../../../../src/base/turns.ts';
import {
  RolloutTally,
  type RunningRollout,
} from '../../../../src/control-plane/memory/rollout-tally.ts';
import { renderFamilies } from '../../../../src/control-plane/metrics/prometheus.ts';
import { rolloutFamilies } from '../../../../src/control-plane/metrics/rollout-families.ts';

const SHIFTING: RunningRollout = {
  service: 'shop',
  stage: 'shifting',
  status: 'approval',
  share: { wanted: 0.1, measured: 0.096 },
  evidence: [{ signal: 'errors', value: 0.31 }],
  isBlind: false,
};

async function linesOf(tally: RolloutTally, running: readonly RunningRollout[]): Promise<string[]> {
  const families = rolloutFamilies({
    services: [{ name: 'shop' }, { name: 'admin' }],
    rollouts: { tally, running: () => running },
    hookFailures: new Map([['afterDrain', 2]]),
  });
  return (await renderFamilies(families, new Turns(1_000))).split('\n');
}

await t.test('a rollout that runs shows its stage, status, share and evidence', async (t) => {
  const lines = await linesOf(new RolloutTally(), [SHIFTING]);
  for (const line of [
    'turnout_rollout_stage{service="shop",stage="shifting"} 1',
    'turnout_rollout_stage{service="shop",stage="baking"} 0',
    'turnout_rollout_stage{service="admin",stage="shifting"} 0',
    'turnout_rollout_status{service="shop",status="approval"} 1',
    'turnout_rollout_status{service="admin",status="running"} 0',
    'turnout_rollout_share{service="shop",kind="wanted"} 0.1',
    'turnout_rollout_share{service="shop",kind="measured"} 0.096',
    'turnout_guard_evidence{service="shop",signal="errors"} 0.31',
    'turnout_guard_blind{service="shop"} 0',
    'turnout_guard_blind{service="admin"} 0',
    'turnout_hook_failures_total{hook="afterDrain"} 2',
  ]) {
    t.ok(lines.includes(line), line);
  }
});

await t.test('a share that nothing was measured of is left out', async (t) => {
  const lines = await linesOf(new RolloutTally(), [
    { ...SHIFTING, share: { wanted: 0.1, measured: undefined } },
  ]);
  t.notOk(lines.some((line) => line.includes('kind="measured"')));
});

await t.test('ends, verdicts and gates are counted, with how long they took', async (t) => {
  const tally = new RolloutTally();
  const end = { service: 'shop', outcome: 'rolled-back', cause: 'guard' };
  tally.ended(end, { tookMs: 45_000, atMs: 5_000 });
  tally.ended(end, { tookMs: 8 * 86_400_000, atMs: 7_000 });
  tally.judged({ service: 'shop', verdict: 'fail', mode: 'rollback' });
  tally.asked({ service: 'shop', gate: 'smoke', verdict: 'ok' }, 840);
  tally.asked({ service: 'shop', gate: 'smoke', verdict: 'fail' }, 100);
  const lines = await linesOf(tally, []);
  for (const line of [
    'turnout_rollouts_total{service="shop",outcome="rolled-back",cause="guard"} 2',
    'turnout_rollout_duration_seconds_bucket{le="30"} 0',
    'turnout_rollout_duration_seconds_bucket{le="60"} 1',
    'turnout_rollout_duration_seconds_bucket{le="604800"} 1',
    'turnout_rollout_duration_seconds_bucket{le="+Inf"} 2',
    'turnout_rollout_last_end_timestamp_seconds{service="shop",outcome="rolled-back"} 7',
    'turnout_guard_verdicts_total{service="shop",verdict="fail",mode="rollback"} 1',
    'turnout_gate_results_total{service="shop",gate="smoke",verdict="ok"} 1',
    'turnout_gate_results_total{service="shop",gate="smoke",verdict="fail"} 1',
    'turnout_gate_duration_seconds_bucket{gate="smoke",le="0.1"} 1',
    'turnout_gate_duration_seconds_count{gate="smoke"} 2',
  ]) {
    t.ok(lines.includes(line), line);
  }
});

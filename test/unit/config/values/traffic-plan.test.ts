// Plans as operators write them, and as AWS names them.

import { array, assert, constantFrom, oneof, property, string } from 'fast-check';
import t from 'tap';
import { visibleText } from '../../../../src/base/visible-text.ts';
import {
  parseTrafficPlan,
  PLAN_NAMES,
  planText,
  WHOLE_SHARE,
} from '../../../../src/config/values/traffic-plan.ts';

function stepsOf(text: string): string {
  const plan = parseTrafficPlan(text);
  if (!plan.ok) throw new Error(`${text}: ${plan.problem}`);
  return planText(plan.value);
}

function problemOf(text: unknown): string {
  const plan = parseTrafficPlan(text);
  return plan.ok ? `understood: ${planText(plan.value)}` : plan.problem;
}

const LINEAR = [10, 20, 30, 40, 50, 60, 70, 80, 90];
const linear = (time: string): string =>
  [...LINEAR.map((share) => `${share}%:${time}`), '100%'].join(', ');

await t.test('names mean what they say', async (t) => {
  t.equal(stepsOf('all-at-once'), '100%');
  t.equal(stepsOf('canary-10-5m'), '10%:5m, 100%');
  t.equal(stepsOf('canary-2.5-90s'), '2.5%:1m30s, 100%');
  t.equal(stepsOf('linear-10-1m'), linear('1m'));
  t.equal(stepsOf('linear-30-1m'), '30%:1m, 60%:1m, 90%:1m, 100%');
  t.equal(stepsOf('linear-50-1m'), '50%:1m, 100%');
});

await t.test('names of AWS mean the same, with or without prefix, in any case', async (t) => {
  const rows: Readonly<Record<string, string>> = {
    'CodeDeployDefault.ECSAllAtOnce': '100%',
    'CodeDeployDefault.LambdaAllAtOnce': '100%',
    'CodeDeployDefault.AllAtOnce': '100%',
    BLUE_GREEN: '100%',
    ECSCanary10Percent5Minutes: '10%:5m, 100%',
    'codedeploydefault.ecscanary10percent15minutes': '10%:15m, 100%',
    LambdaCanary10Percent10Minutes: '10%:10m, 100%',
    LambdaCanary10Percent30Minute: '10%:30m, 100%',
    'CodeDeployDefault.ECSLinear10PercentEvery1Minutes': linear('1m'),
    'CodeDeployDefault.ECSLinear10PercentEvery3Minutes': linear('3m'),
    LambdaLinear10PercentEvery1Minute: linear('1m'),
    LambdaLinear10PercentEvery2Minutes: linear('2m'),
    LambdaLinear10PercentEvery10Minutes: linear('10m'),
    CANARY: '5%:10m, 100%',
    linear: linear('6m'),
  };
  for (const [name, steps] of Object.entries(rows)) t.equal(stepsOf(name), steps, name);
  for (const name of PLAN_NAMES) t.match(stepsOf(name), /100%$/, name);
});

await t.test('own steps', async (t) => {
  t.equal(
    stepsOf('10%:5m, 25%:10m:approve, 50%:pause, 100%'),
    '10%:5m, 25%:10m:approve, 50%:pause, 100%',
  );
  t.equal(stepsOf('0.1%:10s,99.9%:7d'), '0.1%:10s, 99.9%:7d, 100%');
  t.equal(stepsOf('5% : approve : 30s'), '5%:30s:approve, 100%');
  t.equal(stepsOf('100%'), '100%');
});

await t.test('a ramp stands behind any plan', async (t) => {
  t.equal(stepsOf('all-at-once+ramp-20s'), '100%+ramp-20s');
  t.equal(stepsOf('canary-10-5m +ramp-1m30s'), '10%:5m, 100%+ramp-1m30s');
  t.equal(stepsOf('10%:5m+ramp-10m'), '10%:5m, 100%+ramp-10m');
});

await t.test('what is no plan is refused with what to write', async (t) => {
  t.match(problemOf('canary-10-5'), /unit is missing|duration/);
  t.match(problemOf('canary-100-5m'), /all-at-once/);
  t.match(problemOf('canary-0-5m'), /from 0\.1% to 100%/);
  t.match(problemOf('canary-10-5s'), /from 10s to 7d/);
  t.match(problemOf('linear-0.5-1m'), /at most 100 steps/);
  t.match(problemOf('canari-10-5m'), /did you mean canary-10-5m/);
  t.match(problemOf('canary-10'), /known: all-at-once/);
  t.match(problemOf('all-at-once-5m'), /there is no plan/);
  t.match(problemOf('10%:5m, 10%:5m'), /shares must grow: 10% after 10%/);
  t.match(problemOf('50%:5m, 25%:5m'), /shares must grow/);
  t.match(problemOf('10%, 100%'), /needs a time, pause or approve/);
  t.match(problemOf('10%:5m, 100%:5m'), /set "bake"/);
  t.match(problemOf('10%:5m:6m'), /two times/);
  t.match(problemOf('10%:pause:approve'), /says twice/);
  t.match(problemOf('10.25%:5m'), /one decimal/);
  t.match(problemOf('101%:5m'), /from 0\.1% to 100%/);
  t.match(problemOf('10%:5m,'), /expected a share/);
  t.match(problemOf('all-at-once+ramp-20m'), /ramp takes from 1s to 10m/);
  t.match(problemOf('all-at-once+ramp-1s+ramp-2s'), /expected a duration/);
  for (const raw of ['', '  ', 7, null, undefined, ['10%:5m'], {}]) {
    t.match(problemOf(raw), /expected a plan such as/);
  }
  t.match(problemOf('1%:5m,'.repeat(1_000)), /2,048/);
  t.match(problemOf(`canary-10-5m\u001b[2J`), /there is no plan|duration/);
});

await t.test('whatever is understood grows to the whole, and reads back as the same', async () => {
  const piece = constantFrom(
    '10',
    '25.5',
    '%',
    ':',
    '5m',
    'pause',
    'approve',
    ',',
    '-',
    'canary',
    'linear',
    '+ramp-',
    '20s',
    ' ',
    '100',
    'ECS',
  );
  assert(
    property(
      oneof(
        string({ unit: 'binary', maxLength: 40 }),
        array(piece, { maxLength: 12 }).map((all) => all.join('')),
      ),
      (text) => {
        const plan = parseTrafficPlan(text);
        if (!plan.ok) return visibleText(plan.problem) === plan.problem;
        const { steps, rampMs } = plan.value;
        const shares = steps.map(({ share }) => share);
        const again = parseTrafficPlan(planText(plan.value));
        return (
          shares.every((share, at) => share > (shares[at - 1] ?? 0)) &&
          shares.at(-1) === WHOLE_SHARE &&
          again.ok &&
          JSON.stringify(again.value.steps) === JSON.stringify(steps) &&
          again.value.rampMs === rampMs
        );
      },
    ),
    { numRuns: 2_000 },
  );
});

import t from 'tap';
import {
  judge,
  UNKNOWN,
  type ProbeOutcome,
  type Verdict,
} from '../../../../src/control-plane/targets/health-verdict.ts';

const RULE = { rise: 2, fall: 3 };

function after(outcomes: readonly ProbeOutcome[], from: Verdict = UNKNOWN): Verdict {
  return outcomes.reduce((verdict, outcome) => judge(verdict, outcome, RULE), from);
}

const UP = after(['pass', 'pass']);
const DOWN = after(['fail', 'fail', 'fail']);

await t.test('a target that was never asked is unknown', async (t) => {
  t.equal(UNKNOWN.state, 'unknown');
});

await t.test('every state moves as rise and fall say', async (t) => {
  const rows: readonly (readonly [Verdict, readonly ProbeOutcome[], Verdict['state']])[] = [
    [UNKNOWN, ['pass'], 'unknown'],
    [UNKNOWN, ['fail'], 'unknown'],
    [UNKNOWN, ['pass', 'pass'], 'up'],
    [UNKNOWN, ['fail', 'fail', 'fail'], 'down'],
    [UNKNOWN, ['fail', 'fail', 'pass'], 'unknown'],
    [UNKNOWN, ['fail', 'fail', 'pass', 'fail'], 'unknown'],
    [UP, ['pass'], 'up'],
    [UP, ['fail'], 'up'],
    [UP, ['fail', 'fail'], 'up'],
    [UP, ['fail', 'fail', 'fail'], 'down'],
    [UP, ['fail', 'fail', 'pass', 'fail', 'fail'], 'up'],
    [DOWN, ['fail'], 'down'],
    [DOWN, ['pass'], 'down'],
    [DOWN, ['pass', 'pass'], 'up'],
    [DOWN, ['pass', 'fail', 'pass'], 'down'],
  ];
  for (const [from, outcomes, state] of rows) {
    t.equal(after(outcomes, from).state, state, `${from.state} then ${outcomes.join(', ')}`);
  }
});

await t.test('a streak never counts further than what decides', async (t) => {
  t.equal(after(Array.from({ length: 100 }, () => 'pass' as const)).streak, RULE.rise);
  t.equal(after(Array.from({ length: 100 }, () => 'fail' as const)).streak, RULE.fall);
});

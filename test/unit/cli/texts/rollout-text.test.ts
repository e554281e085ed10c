// A rollout as text: whatever it is about, it says how far it is, why it waits and until when, and it
// fits its window.

/* oxlint-disable no-control-regex -- signs beyond ASCII */

import t from 'tap';
import {
  rolloutView as schema,
  ROLLOUT_ENDS,
  ROLLOUT_STAGES,
  type RolloutView,
} from '../../../../src/api/rollout-views.ts';
import { rolloutsAnswer } from '../../../../src/api/rollouts.ts';
import { readLeniently } from '../../../../src/cli/client/answer.ts';
import { briefTexts, eventText } from '../../../../src/cli/texts/rollout-state-text.ts';
import { rolloutsText, rolloutText } from '../../../../src/cli/texts/rollout-text.ts';
import { ASCII_SIGNS } from '../../../../src/cli/terminal/signs.ts';
import { widthOf } from '../../../../src/cli/terminal/width.ts';
import { rolloutView } from '../../../support/rollout-view.ts';
import { NOW_MS } from '../support/fake-api.ts';
import { fakeTerminal } from '../support/terminal.ts';

const BASE = rolloutView();
const SINCE = new Date(NOW_MS - 60_000).toISOString();
const UNTIL = new Date(NOW_MS + 600_000).toISOString();

function textOf(changes: unknown, columns?: number): string {
  const window = columns === undefined ? {} : { window: { columns, rows: 40 } };
  return rolloutText(fakeTerminal(window), readLeniently(schema, changes));
}

const END = {
  outcome: 'rolled-back',
  cause: 'guard',
  reason: 'errors: 5.1 % of 1,512 on v42, 0.1 % of 60,120 on v41; evidence 1,204 : 1 after 15 s',
  at: SINCE,
  actor: '',
  restick: 'all',
  lockedOut: true,
} as const;

const STATUSES: readonly RolloutView['status'][] = [
  { kind: 'running' },
  { kind: 'paused', by: 'mia', reason: 'lunch', since: SINCE },
  { kind: 'waiting', for: 'approval', gate: 'qa', since: SINCE, until: UNTIL, onTimeout: 'stop' },
  { kind: 'waiting', for: 'inconclusive', since: SINCE },
  { kind: 'waiting', for: 'plan', since: SINCE },
  { kind: 'blocked', why: 'switching-frozen', reason: 'by mia', since: SINCE },
];

const VIEWS: readonly RolloutView[] = [
  ...ROLLOUT_STAGES.map((stage) => rolloutView({ stage })),
  ...STATUSES.map((status) => rolloutView({ status })),
  ...ROLLOUT_ENDS.map((outcome) => rolloutView({ stage: outcome, end: { ...END, outcome } })),
  rolloutView({ guard: { ...BASE.guard, mode: 'off', signals: [] } }),
  rolloutView({ guard: { ...BASE.guard, mode: 'watch', verdict: 'blind', recent: [] } }),
  rolloutView({
    services: [...BASE.services, { ...BASE.services[0]!, service: 'api' }],
    reason: 'word '.repeat(100),
    warnings: ['warm-up: 3 of 30 requests failed'],
    pointOfNoReturn: { actor: 'mia', at: SINCE, reason: 'columns are gone' },
    skipped: { gates: ['smoke'], reason: 'it is broken' },
  }),
  rolloutView({
    steps: [10, 25, 50, 100].map((share, at) => ({
      share,
      for: at === 3 ? null : '10m',
      pause: at === 2,
      approve: at === 1,
      state: at === 0 ? 'done' : at === 1 ? 'running' : 'next',
      observed: at === 1 ? '1m' : null,
    })),
    step: 1,
  }),
  rolloutView({ reason: '部署'.repeat(60), actor: 'a'.repeat(200), plan: 'x'.repeat(500) }),
];

await t.test('every view fits a window of any width', async (t) => {
  for (const columns of [1, 4, 9, 20, 33, 59, 60, 80, 120, 400]) {
    for (const [index, view] of VIEWS.entries()) {
      const wide = textOf(view, columns)
        .split('\n')
        .filter((line) => widthOf(line) > columns);
      t.same(wide, [], `view ${index} in ${columns} columns`);
    }
  }
});

await t.test('a terminal without UTF-8 gets ASCII alone', async (t) => {
  const terminal = fakeTerminal({ signs: ASCII_SIGNS, window: { columns: 100, rows: 40 } });
  for (const view of VIEWS.slice(0, -1)) {
    t.notMatch(rolloutText(terminal, readLeniently(schema, view)), /[^\n\u0020-\u007E]/);
  }
});

await t.test('no color is set where a terminal wants none', async (t) => {
  for (const view of VIEWS) t.notMatch(textOf(view), /\u001B/);
  const terminal = fakeTerminal({ hasColors: true, window: { columns: 80, rows: 40 } });
  t.match(rolloutText(terminal, readLeniently(schema, BASE)), /\u001B\[32m/);
});

await t.test('it says how far it is, when it goes on, and what was counted', async (t) => {
  const text = textOf(BASE);
  t.match(text, /^shop · r-118 · v41 on blue → v42 on green · canary-10-5m · by ci: build 1182/);
  t.match(text, /✔ gated +approved by mia: "looks good" +2m10s$/m);
  t.match(text, /▶ shifting +10 % of new sessions \(9.6 % of requests\) +1m52s of 5m$/m);
  t.match(text, /next 100 % at .*needs: guard pass/);
  t.match(text, /· baking +5m$/m);
  t.match(text, /rolls back at 1,000 : 1 · evidence 0.3 : 1 ▁+ · both colors in the same seconds/);
  t.match(text, /errors +0.12% of 31,204 +0.14% of 3,466 +2 x, at least 1 % +0.2 : 1/);
});

await t.test('what does not go on by itself says why, until when, and what to do', async (t) => {
  const told = STATUSES.slice(1).map((status) => textOf(rolloutView({ status })).split('\n')[1]);
  const [paused, approval, inconclusive, plan, blocked] = told;
  t.match(paused, /paused since \d\d:\d\d:\d\dZ by mia: lunch; `turnout rollout resume r-118`/);
  t.match(approval, /waits for approval \(qa\) since .*, until .* \(in 10 min\), then it stops/);
  t.match(approval, /`turnout rollout approve r-118` lets it go on, .*reject r-118` ends it/);
  t.match(inconclusive, /the guard has no verdict, a person has to decide.*approve r-118/);
  t.match(plan, /the plan pauses here.*`turnout rollout resume r-118` lets it go on/);
  t.match(
    blocked,
    /blocked since .*: switching is frozen: by mia; it goes on by itself once that is over/,
  );
});

await t.test('an end says how, why, and what became of sessions and release', async (t) => {
  const text = textOf(rolloutView({ stage: 'rolled-back', end: END }));
  t.match(text, /rolled back \(guard\): errors: 5.1 % of 1,512 on v42.*evidence 1,204 : 1/);
  t.match(text, /its sessions went back at once; its release is locked out until `turnout unlock`/);
  const ended = { ...END, outcome: 'done', cause: 'plan', reason: '', restick: null } as const;
  const done = textOf(rolloutView({ stage: 'done', end: { ...ended, lockedOut: false } }));
  t.match(done, /^ {2}done$/m);
});

await t.test('a gate that has not opened says what it found', async (t) => {
  const [gate] = BASE.gates;
  const detail = 'GET /cart: expected 200, got 503';
  const gates = [{ ...gate!, verdict: 'fail', tries: 3, detail } as const];
  t.match(
    textOf(rolloutView({ gates })),
    /gate smoke: fail after 3 tries: GET \/cart: expected 200/,
  );
  t.notMatch(textOf(BASE), /^gate/m, 'one that opened stands in the line of its stage');
});

await t.test(
  'what another version answers, or nothing at all, is shown as far as it goes',
  async (t) => {
    for (const view of [{}, { services: [{}] }, { id: 'r-1', status: { kind: 'dreaming' } }]) {
      t.match(textOf(view), /./);
    }
  },
);

await t.test('an event is one line that names what did it', async (t) => {
  const { events } = readLeniently(schema, BASE);
  t.equal(
    eventText('r-118', events[0]!),
    '2026-11-30T14:00:00Z r-118 stage: gated: approved by mia: looks good',
  );
  const [event] = readLeniently(schema, {
    events: [{ seq: 1, at: SINCE, kind: 'rollout.paused', actor: 'mia', text: 'lunch' }],
  }).events;
  t.match(eventText('r-118', event!), /r-118 paused: lunch \(by mia\)$/);
});

await t.test('a list has a line for each rollout, with how it ended', async (t) => {
  const rollouts = [BASE, rolloutView({ id: 'r-117', stage: 'rolled-back', end: END })];
  const answer = readLeniently(rolloutsAnswer, { rollouts });
  const text = rolloutsText(fakeTerminal(), answer);
  t.match(text, /^r-118 +shop +v41 on blue → v42 on green +canary-10-5m +shifting +10 % /m);
  t.match(text, /^r-117 .*errors: 5.1 % of 1,512/m);
  t.equal(rolloutsText(fakeTerminal(), { rollouts: [] }), 'no rollout is kept');
});

await t.test('the status has a line of it, and one of what it waits for', async (t) => {
  const { id, stage, plan, share, actor, next } = BASE;
  const brief = { id, stage, plan, share, actor, next, to: BASE.to!, status: STATUSES[1]! };
  const terminal = fakeTerminal();
  const [line, wait] = briefTexts(terminal, readLeniently(schema, brief) as never, NOW_MS);
  t.match(
    line,
    /^rollout r-118 to v42 on green by canary-10-5m \(ci\); shifting, 10 % of new sess/,
  );
  t.match(wait, /paused since/);
});

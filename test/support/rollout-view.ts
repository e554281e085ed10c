// Views of rollouts as a server tells them: one that shifts, of which a test changes what it is about.

import type { RolloutView } from '../../src/api/rollout-views.ts';

const STARTED = '2026-11-30T14:00:00.000Z';

function stageRow(
  stage: RolloutView['stage'],
  state: RolloutView['stages'][number]['state'],
  detail: string,
  tookMs: number | null,
): RolloutView['stages'][number] {
  return { stage, state, detail, startedAt: state === 'next' ? null : STARTED, tookMs };
}

/** Returns the rollout r-118 of the service `shop`, at 10 % of a canary, with `changes`. */
export function rolloutView(changes: Partial<RolloutView> = {}): RolloutView {
  const from = { color: 'blue', release: 'v41', deployment: 7 } as const;
  const to = { color: 'green', release: 'v42', deployment: 8 } as const;
  const step = { pause: false, approve: false } as const;
  return {
    id: 'r-118',
    event: 12,
    services: [{ service: 'shop', from, to }],
    service: 'shop',
    from,
    to,
    stage: 'shifting',
    status: { kind: 'running' },
    plan: 'canary-10-5m',
    share: { wanted: 10, of: 'sessions', measured: 9.6 },
    actor: 'ci',
    reason: 'build 1182',
    startedAt: STARTED,
    end: null,
    stages: [
      stageRow('registered', 'done', '3 of 3 targets up', 4_000),
      stageRow('warming', 'done', '30 requests, 24 connections', 2_000),
      stageRow('testing', 'done', 'smoke ok (6 requests, 840 ms)', 31_000),
      stageRow('gated', 'done', 'approved by mia: "looks good"', 130_000),
      stageRow('shifting', 'running', '10 % of new sessions', null),
      stageRow('baking', 'next', '', null),
      stageRow('draining', 'next', '', null),
    ],
    step: 0,
    steps: [
      { ...step, share: 10, for: '5m', state: 'running', observed: '1m52s' },
      { ...step, share: 100, for: null, state: 'next', observed: null },
    ],
    bake: { for: '5m', observed: null },
    next: { what: '100 %', at: '2026-11-30T14:05:10.000Z', needs: ['guard pass'] },
    gates: [
      {
        name: 'smoke',
        kind: 'requests',
        at: 'before',
        verdict: 'ok',
        isOver: true,
        tries: 1,
        tookMs: 840,
        until: null,
        detail: '6 requests',
        facts: null,
      },
    ],
    skipped: null,
    guard: {
      mode: 'rollback',
      verdict: null,
      detail: '',
      evidence: 0.31,
      limit: 1_000,
      comparison: 'side-by-side',
      recent: [1, 0.9, 0.5, 0.31],
      signals: [
        {
          service: 'shop',
          name: 'errors',
          old: { judged: 31_204, bad: 38 },
          new: { judged: 3_466, bad: 5 },
          tolerated: '2 x, at least 1 %',
          evidence: 0.22,
        },
        {
          service: 'shop',
          name: 'slower than 100 ms (p90)',
          old: { judged: 31_204, bad: 1_310 },
          new: { judged: 3_466, bad: 151 },
          tolerated: '2 x, at least 10 %',
          evidence: 0.09,
        },
      ],
      clients: { bad: 4, needed: 3 },
      verdicts: [],
    },
    pointOfNoReturn: null,
    warnings: [],
    events: [
      {
        seq: 11,
        at: STARTED,
        kind: 'rollout.stage',
        actor: 'mia',
        text: 'gated: approved by mia: looks good',
      },
      {
        seq: 12,
        at: STARTED,
        kind: 'rollout.step',
        actor: '',
        text: '10 % of new sessions',
      },
    ],
    ...changes,
  };
}

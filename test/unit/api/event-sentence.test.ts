// What events of rollouts say to people.

import t from 'tap';
import { eventSentence } from '../../../src/api/event-sentence.ts';

const SAID: readonly (readonly [kind: string, data: object, sentence: string])[] = [
  ['rollout.stage', { stage: 'baking' }, 'baking'],
  ['rollout.stage', { stage: 'draining', text: 'it is stable' }, 'draining: it is stable'],
  ['rollout.step', { stage: 'shifting', text: '10% of new sessions' }, '10% of new sessions'],
  ['rollout.waiting', { for: 'approval', gate: 'qa' }, 'approval (qa)'],
  ['rollout.waiting', { for: 'plan' }, 'plan'],
  ['rollout.hurried', { what: 'skip', reason: '' }, 'skip'],
  ['rollout.point-of-no-return', { on: true, reason: 'columns' }, 'on: columns'],
  ['guard.blocked', { why: 'switching-frozen', detail: 'by mia' }, 'switching-frozen: by mia'],
  [
    'gate.result',
    { gate: 'smoke', verdict: 'fail', tries: 3, detail: '503' },
    'smoke fail after 3 tries: 503',
  ],
  ['gate.result', { gate: 'smoke', verdict: 'ok', tries: 1, detail: '' }, 'smoke ok'],
  ['guard.verdict', { verdict: 'pass', reason: 'few errors' }, 'pass: few errors'],
  [
    'switch',
    { outcome: 'switched', release: 'v2', color: 'green', reason: 'r-1' },
    'to v2 on green',
  ],
  ['switch', { outcome: 'rolled-back', release: 'v1', color: 'blue' }, 'back to v1 on blue'],
  ['drain.started', { release: '', color: 'blue' }, 'blue'],
  ['drain.ended', { release: 'v1', color: 'blue' }, 'v1 on blue'],
  ['rollout.failed', { cause: 'health', reason: '2 of 3 targets up' }, '2 of 3 targets up'],
  [
    'release.registered',
    { release: 'v2', color: 'green', deployment: 2 },
    'deployment 2, v2 on green',
  ],
  [
    'drain.safe',
    { release: 'v1', color: 'blue', scope: 'targets', targets: ['a', 'b'] },
    'a, b of v1 on blue',
  ],
  [
    'health.changed',
    { target: 'http://a:1', color: 'blue', from: 'up', to: 'down', reason: 'status 500' },
    'http://a:1 (blue) was up and is down: status 500',
  ],
  ['health.changed', { targets: 12 }, '12 more targets have changed'],
  ['freeze', { on: true, reason: 'sale' }, 'switching is frozen: sale'],
  ['freeze', { on: false, reason: '' }, 'switching goes on'],
  [
    'freeze',
    { on: true, window: 'daily 18:00 - 22:00 UTC', until: 'T', reason: 'rush' },
    'window daily 18:00 - 22:00 UTC has begun until T: rush',
  ],
  ['freeze', { on: false, window: 'W', reason: '' }, 'window W has ended'],
  [
    'scheduled.refused',
    { order: 's-1', release: 'v2', deployment: 2, at: 'T', reason: 'frozen' },
    's-1, to v2 at T: frozen',
  ],
  ['something.new', {}, ''],
  ['gate.result', { gate: 7 }, ''],
];

await t.test('an event is told as one sentence', async (t) => {
  for (const [kind, data, sentence] of SAID) t.equal(eventSentence(kind, { ...data }), sentence);
});

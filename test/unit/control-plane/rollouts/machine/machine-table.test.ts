// Every stage, with every status, by every event: docs/rollout.md is this table, in words.
// TURNOUT_WRITE_DOCS=1 writes it again.

import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { unreachable } from '../../../../../src/base/assert.ts';
import {
  step,
  type RolloutEvent,
  type Step,
} from '../../../../../src/control-plane/rollouts/machine/machine.ts';
import type { Rollout } from '../../../../../src/control-plane/rollouts/machine/rollout-record.ts';
import type { RolloutEdit } from '../../../../../src/control-plane/rollouts/machine/transition.ts';
import { VerbRefusal, type Verb } from '../../../../../src/control-plane/rollouts/machine/verbs.ts';
import {
  after,
  approval,
  DOWN,
  gate,
  inForce,
  NOW_MS,
  rollout,
  says,
  tick,
  toldOf,
  UP,
  verb,
} from '../../support/rollouts.ts';

const PAGE = new URL('../../../../../docs/rollout.md', import.meta.url);
const DAY_MS = 86_400_000;

type Status = 'running' | 'paused' | 'waiting' | 'blocked';
const STATUSES = ['running', 'paused', 'waiting', 'blocked'] as const;

interface Place {
  readonly name: string;
  readonly rollout: Rollout;
  /** What it can be in this stage, beside running. */
  readonly can: readonly Status[];
}

const BEFORE = rollout({ terms: { warmupMs: 30_000, gates: [gate('smoke')] } });
const WARMING = after(BEFORE, tick());
const TESTING = after(WARMING, { kind: 'warmed', isGood: true });
const SHIFTING = after(rollout(), tick());
const BAKING = after(rollout({ plan: 'all-at-once' }), tick());
const DRAINING = after(BAKING, says('pass'));
const BACK = after(after(rollout({ terms: { rampBackMs: 20_000 } }), tick()), says('fail'));

const PLACES: readonly Place[] = [
  { name: 'registered', rollout: BEFORE, can: ['paused', 'blocked'] },
  { name: 'warming', rollout: WARMING, can: ['paused', 'blocked'] },
  { name: 'testing', rollout: TESTING, can: ['paused', 'blocked'] },
  {
    name: 'gated',
    rollout: { ...rollout(), stage: 'gated' },
    can: ['paused', 'waiting', 'blocked'],
  },
  { name: 'shifting', rollout: SHIFTING, can: ['paused', 'waiting', 'blocked'] },
  { name: 'baking', rollout: BAKING, can: ['paused', 'waiting', 'blocked'] },
  { name: 'draining', rollout: DRAINING, can: [] },
  { name: 'rolled-back, over a ramp', rollout: BACK, can: ['blocked'] },
  { name: 'done', rollout: after(DRAINING, { kind: 'followed' }), can: [] },
  { name: 'rolled-back', rollout: after(SHIFTING, says('fail')), can: [] },
  { name: 'failed', rollout: after(BEFORE, verb({ kind: 'abort' })), can: [] },
  {
    name: 'superseded',
    rollout: after(BEFORE, { kind: 'changed', detail: 'by mia', holdsSome: false }),
    can: [],
  },
];

function withStatus({ name, rollout: it }: Place, status: Status): Rollout {
  switch (status) {
    case 'running':
      return it;
    case 'paused':
      return { ...it, paused: { by: 'mia', reason: '', atMs: NOW_MS } };
    case 'waiting': {
      if (name === 'gated') return after(rollout({ terms: { gates: [approval()] } }), tick());
      if (name === 'baking') {
        const how = { gates: [approval({ at: 'after' })] };
        return after(after(rollout({ plan: 'all-at-once', terms: how }), tick()), tick());
      }
      return after(after(rollout({ plan: '10%:5m:approve, 100%' }), tick()), says('pass'));
    }
    case 'blocked': {
      const since = { sinceMs: NOW_MS, retryAtMs: NOW_MS + 5_000, tries: 1 };
      return { ...it, blocked: { why: 'frozen', detail: 'switching is frozen', ...since } };
    }
    default:
      return unreachable(status);
  }
}

interface Happening {
  readonly name: string;
  readonly of: (rollout: Rollout) => RolloutEvent;
  readonly afterMs?: number;
}

function answer(verdict: 'ok' | 'fail' | 'later' | 'error'): Happening['of'] {
  return ({ gates }) => {
    const open = gates.findLast((run) => run.verdict === undefined);
    return { kind: 'gate', attempt: open?.attempt ?? '', answer: { verdict, detail: '' } };
  };
}

function wants(wanted: Verb): Happening['of'] {
  return () => verb(wanted, { reason: 'because' });
}

const HAPPENINGS: readonly Happening[] = [
  { name: 'targets are up', of: () => tick() },
  { name: 'targets are not up', of: () => tick({ seen: DOWN }) },
  { name: 'targets are not up in time', of: () => tick({ seen: DOWN }), afterMs: 60_000 },
  { name: 'the warm-up ends well', of: () => ({ kind: 'warmed', isGood: true }) },
  { name: 'the warm-up fails', of: () => ({ kind: 'warmed', isGood: false }) },
  { name: 'the gate says ok', of: answer('ok') },
  { name: 'the gate says fail', of: answer('fail') },
  { name: 'the gate says later', of: answer('later') },
  { name: 'the gate cannot be asked', of: answer('error') },
  { name: 'a day passes without an answer', of: () => tick(), afterMs: DAY_MS },
  { name: 'the guard: pass', of: () => says('pass') },
  { name: 'the guard: inconclusive', of: () => says('inconclusive') },
  { name: 'the guard: fail', of: () => says('fail') },
  { name: 'all new targets are down', of: () => tick({ downText: '0 of 1 targets up' }) },
  { name: 'approve', of: wants({ kind: 'approve', gate: undefined }) },
  { name: 'reject', of: wants({ kind: 'reject', gate: undefined }) },
  { name: 'pause', of: wants({ kind: 'pause' }) },
  { name: 'resume', of: wants({ kind: 'resume' }) },
  { name: 'skip', of: wants({ kind: 'skip' }) },
  { name: 'promote', of: wants({ kind: 'promote' }) },
  { name: 'abort', of: wants({ kind: 'abort' }) },
  { name: 'point of no return', of: wants({ kind: 'point-of-no-return', on: true }) },
  {
    name: 'nothing is left on the old release',
    of: () => tick({ seen: { ...UP, isSafeToStop: true, isDrained: true } }),
  },
  { name: 'the next rollout begins', of: () => ({ kind: 'followed' }) },
  {
    name: 'others move the service',
    of: () => ({ kind: 'changed', detail: 'moved by mia', holdsSome: false }),
  },
  { name: 'Turnout is started again', of: () => ({ kind: 'restarted' }) },
];

const EDITS: Record<RolloutEdit['kind'], string> = {
  claim: 'other switches wait',
  split: 'sessions are split',
  move: 'the share moves',
  promote: 'all traffic moves',
  abort: 'the split is taken back',
  return: 'traffic goes back',
  release: 'others may switch',
  leave: 'what is left is let go',
  bar: 'the way back is kept or barred',
};

function cell(before: Rollout, { of, afterMs = 0 }: Happening): string {
  let made: Step;
  try {
    made = step(before, of(before), NOW_MS + afterMs);
  } catch (error) {
    if (error instanceof VerbRefusal) return `refused: \`${error.code}\``;
    throw error;
  }
  const to = inForce(made);
  const parts = [placeText(before, to)];
  if (made.move !== undefined) parts.push(EDITS[made.move.edit.kind]);
  const told = toldOf(made).filter((kind) => kind !== 'rollout.stage' && kind !== 'rollout.step');
  if (told.length > 0) parts.push(told.map((kind) => `\`${kind}\``).join(' '));
  const text = parts.filter((part) => part !== '').join('; ');
  return text === '' ? 'stays' : text;
}

function placeText(before: Rollout, to: Rollout): string {
  const isElsewhere = before.stage !== to.stage || before.step !== to.step;
  const stage = to.stage === 'shifting' ? `shifting ${to.steps[to.step]!.share / 100} %` : to.stage;
  const status = (['paused', 'waiting'] as const).find(
    (kind) => to[kind] !== undefined && before[kind] === undefined,
  );
  const gone = (['paused', 'waiting', 'blocked'] as const).some(
    (kind) => to[kind] === undefined && before[kind] !== undefined,
  );
  const isOver = to.end !== undefined && before.end === undefined;
  if (isElsewhere)
    return `**${stage}**${to.end === undefined && stage === 'rolled-back' ? ', over a ramp' : ''}`;
  if (isOver) return `**${stage}**, over`;
  if (status !== undefined) return `**${status}**`;
  return gone ? 'goes on' : '';
}

function page(): string {
  const lines = [
    '# What becomes of a rollout',
    '',
    'Each table is one stage; each row is something that happens; each column is how the rollout stands',
    'at that moment. A cell says what it is then, what becomes of traffic, and which events are told',
    'beside `rollout.stage` and `rollout.step`. `stays` means that nothing differs; `–` means that it',
    'cannot stand like that in this stage. The test of the machine writes this page.',
    '',
    'The rollout of the tables goes over 10 % and 50 % to 100 % and bakes for 5 minutes; its guard acts,',
    'and after an unclear verdict it goes on. Before traffic, it has a warm-up and one gate.',
    'What is refused, such as a switch while switching is frozen, leaves it `blocked`: it is tried again',
    'every 5 seconds, and a way back is tried at once.',
    '',
  ];
  for (const place of PLACES) {
    const columns = STATUSES.filter((status) => status === 'running' || place.can.length > 0);
    lines.push(`## ${place.name}`, '');
    lines.push(`| what happens | ${columns.join(' | ')} |`);
    lines.push(`|---|${columns.map(() => '---|').join('')}`);
    for (const happening of HAPPENINGS) {
      const cells = columns.map((status) =>
        status === 'running' || place.can.includes(status)
          ? cell(withStatus(place, status), happening)
          : '–',
      );
      lines.push(`| ${happening.name} | ${cells.join(' | ')} |`);
    }
    lines.push('');
  }
  return lines.join('\n');
}

await t.test('docs/rollout.md has every stage, status and event', async (t) => {
  const text = page();
  if (process.env['TURNOUT_WRITE_DOCS'] === '1') writeFileSync(PAGE, text);
  t.equal(readFileSync(PAGE, 'utf8'), text);
});

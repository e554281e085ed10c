// What is told of rollouts in made-up worlds: at every step the view has the form that the API promises,
// and says of traffic what the table does.
// TURNOUT_TEST_SEED=N runs one world alone.

import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { z } from 'zod';
import { rolloutBrief, rolloutSummary, rolloutView } from '../../../../../src/api/rollout-views.ts';
import { guardBrief } from '../../../../../src/control-plane/rollouts/views/guard-brief.ts';
import {
  STAGES_BEFORE_TRAFFIC,
  type Rollout,
} from '../../../../../src/control-plane/rollouts/machine/rollout-record.ts';
import {
  briefOf,
  NO_GUARD,
  summaryOf,
  viewOf,
} from '../../../../../src/control-plane/rollouts/views/view.ts';
import type { ServiceState } from '../../../../../src/control-plane/store/service-state.ts';
import { Random } from '../../../../support/random.ts';
import { RolloutWorld } from '../../support/rollout-world.ts';

const WORLDS = 600;
const ONLY = process.env['TURNOUT_TEST_SEED'];

type View = z.infer<typeof rolloutView>;

/** Returns `value` as a reader of the API gets it; throws where it has another form than `schema`. */
function read<T>(schema: z.ZodType<T>, value: T): T {
  const json: unknown = JSON.parse(JSON.stringify(value));
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error));
  // What was left out on the way, such as an undefined member, is told nowhere.
  same(parsed.data, json, 'what is read is not what was written');
  return parsed.data;
}

function same(found: unknown, wanted: unknown, why: string): void {
  if (isDeepStrictEqual(found, wanted)) return;
  throw new Error(`${why}: ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`);
}

/** Members of a status beside its kind, as docs/rollouts.md has them. */
const STATUS_MEMBERS: Readonly<Record<View['status']['kind'], readonly (readonly string[])[]>> = {
  running: [[]],
  over: [[]],
  paused: [['since', 'by', 'reason']],
  blocked: [['since', 'why', 'reason']],
  waiting: [
    ['since', 'for'],
    ['since', 'for', 'until', 'onTimeout'],
    ['since', 'for', 'gate', 'until', 'onTimeout'],
  ],
};

function checkStatus({ status, end }: View): void {
  const { kind, ...rest } = status;
  const members = Object.keys(rest).toSorted();
  const isKnown = STATUS_MEMBERS[kind].some(
    (some) => JSON.stringify([...some].toSorted()) === JSON.stringify(members),
  );
  if (!isKnown) throw new Error(`${kind} has the members ${members.join(', ')}`);
  same(kind === 'over', end !== null, 'over without an end, or an end that is not over');
}

/** The share of new sessions that the table gives to the new deployment, of 100. */
function shareInTable({ split }: ServiceState): number | undefined {
  return split === undefined ? undefined : split.share / 100;
}

function checkShare({ share, stage, end }: View, states: readonly ServiceState[]): void {
  if (end !== null) {
    same(share.wanted, end.outcome === 'done' ? 100 : 0, 'the share at the end');
    return;
  }
  for (const state of states) {
    const isMoved = stage === 'baking' || stage === 'draining';
    same(share.wanted, shareInTable(state) ?? (isMoved ? 100 : 0), `the share of ${state.name}`);
  }
}

function checkProgress(view: View): void {
  const { stages, steps, step, stage, end, next, bake } = view;
  const running = stages.filter(({ state }) => state === 'running').map((one) => one.stage);
  const isOnPath = stages.some((one) => one.stage === stage);
  same(running, end === null && isOnPath ? [stage] : [], 'the stage that runs');
  const reached = stages.map(({ startedAt }) => startedAt).filter((time) => time !== null);
  same(reached, reached.toSorted(), 'stages begin one after the other');
  const open = stages.findIndex(({ state }) => state === 'next');
  const isOver = ({ state }: View['stages'][number]) => state === 'done' || state === 'skipped';
  if (open >= 0 && stages.slice(open).some(isOver)) throw new Error('a stage was left out unsaid');
  same(
    stages.some(({ state }) => state === 'failed'),
    end !== null && end.outcome !== 'done',
    'a stage has failed where the rollout has',
  );
  const isShifting = stage === 'shifting' && end === null;
  same(
    steps.flatMap(({ state }, at) => (state === 'running' ? [at] : [])),
    isShifting ? [step] : [],
    'the step that runs',
  );
  same(
    steps.every(({ state, observed }) => (state === 'running') === (observed !== null)),
    true,
    'time is observed in the step that runs',
  );
  same(bake.observed !== null, stage === 'baking' && end === null, 'the bake that runs');
  same(next === null, end !== null, 'something comes next, until the end');
}

/** What the machine has decided on is what comes next, whatever stands in its way. */
function checkNext({ next, stage, gates, warnings }: View, rollout: Rollout, nowMs: number): void {
  if (next === null) return;
  const { back, blocked, isForced } = rollout;
  if (back !== undefined) {
    same(next.what, STAGES_BEFORE_TRAFFIC.has(stage) ? 'failed' : 'rolled back', 'the way back');
    same(next.needs, blocked === undefined ? [] : [blocked.detail], 'what it needs');
  }
  if (next.at !== null && stage !== 'registered' && Date.parse(next.at) < nowMs)
    throw new Error(`what comes next is over: ${next.at}`);
  const settled = gates.filter(
    ({ name, verdict }) =>
      verdict === 'ok' || warnings.some((one) => one.startsWith(`gate ${name}:`)),
  );
  const needed = next.needs.filter((one) => one.startsWith('gate '));
  if (isForced) same(needed, [], 'no gate is asked');
  const twice = settled.filter(({ at, name }) => at !== 'step' && needed.includes(`gate ${name}`));
  same(twice, [], 'no gate is needed that has let it pass');
}

function check({ rollout, stored, nowMs }: RolloutWorld): View {
  const guard = guardBrief(rollout) ?? NO_GUARD;
  const about = { nowMs, measured: 12.5, guard, events: [] };
  const view = read(rolloutView, viewOf(rollout, about));
  same(view.stage, rollout.stage, 'the stage');
  same(view.event, rollout.transitions, 'the number of the event');
  const isOthers = view.end?.outcome === 'superseded';
  const states = rollout.legs.map(({ service }) => stored.services.get(service)!);
  if (!isOthers) checkShare(view, states);
  checkStatus(view);
  checkProgress(view);
  checkNext(view, rollout, nowMs);
  const summary = read(rolloutSummary, summaryOf(rollout, undefined));
  same(summary.share, { ...view.share, measured: null }, 'the share in the list');
  for (const name of Object.keys(summary) as (keyof typeof summary)[]) {
    if (name !== 'share') same(summary[name], view[name], `${name} in the list`);
  }
  for (const { service, to } of view.services) {
    const brief = read(rolloutBrief, briefOf(rollout, service, about));
    same(brief.to, to, `where ${service} goes`);
    same(brief.status, view.status, 'the status beside the service');
    same(brief.next, view.next, 'what comes next beside the service');
  }
  return view;
}

/** Runs the world of `seed`; returns every stage with its status that it came by. */
function run(seed: number): Set<string> {
  const world = new RolloutWorld(new Random(seed));
  const seen = new Set<string>();
  const look = (): void => {
    if (world.log.some((line) => line.startsWith('others')) && isUnseen(world.rollout)) return;
    const { stage, status } = check(world);
    seen.add(`${stage} ${status.kind}`);
  };
  try {
    look();
    for (let count = 0; count < 40 && world.rollout.end === undefined; count++) {
      world.next();
      look();
    }
    world.calm();
    for (let count = 0; count < 400 && world.rollout.end === undefined; count++) {
      world.next();
      look();
    }
    return seen;
  } catch (error) {
    throw new Error(`world ${seed}: ${String(error)}\n${world.log.join('\n')}`, { cause: error });
  }
}

/** What others have moved is seen with the next look. */
function isUnseen({ end }: Rollout): boolean {
  return end === undefined;
}

await t.test('whatever happens, the view has its form and says where traffic is', async (t) => {
  if (ONLY !== undefined) {
    run(Number(ONLY));
    t.pass();
    return;
  }
  const seen = new Set<string>();
  for (let seed = 1; seed <= WORLDS; seed++) for (const one of run(seed)) seen.add(one);
  const before = ['registered', 'testing', 'gated', 'shifting', 'baking'];
  const wanted = [
    ...before.map((stage) => `${stage} paused`),
    'registered running',
    'testing running',
    'shifting running',
    'baking running',
    'warming running',
    'gated waiting',
    'shifting waiting',
    'baking waiting',
    'gated blocked',
    'shifting blocked',
    'baking blocked',
    'draining running',
    'rolled-back running',
    'rolled-back blocked',
    ...['done', 'rolled-back', 'failed', 'superseded'].map((stage) => `${stage} over`),
  ];
  t.same(
    wanted.filter((one) => !seen.has(one)),
    [],
    'every stage with every status was there',
  );
});

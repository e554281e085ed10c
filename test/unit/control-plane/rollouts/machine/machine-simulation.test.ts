// Rollouts in made-up worlds: every step is checked, and in the end each of them ends.
// TURNOUT_ROLLOUT_RUNS=100000 is the long form; TURNOUT_ROLLOUT_SEED=N runs one world alone.

import t from 'tap';
import { Random } from '../../../../support/random.ts';
import { checkEnd, checkTable } from '../../support/rollout-checks.ts';
import { RolloutWorld } from '../../support/rollout-world.ts';

const RUNS = Number(process.env['TURNOUT_ROLLOUT_RUNS'] ?? 5_000);
const ONLY = process.env['TURNOUT_ROLLOUT_SEED'];

/** Runs the world of `seed` to the end of its rollout; returns how that ended. */
function run(seed: number): string {
  const world = new RolloutWorld(new Random(seed));
  try {
    for (let count = 0; count < 40 && world.rollout.end === undefined; count++) {
      world.next();
      checkTable(world);
      checkEnd(world);
    }
    world.calm();
    for (let count = 0; count < 400 && world.rollout.end === undefined; count++) {
      world.next();
      checkTable(world);
      checkEnd(world);
    }
    // Whatever comes late changes nothing.
    for (let count = 0; count < 3; count++) world.next();
    if (world.rollout.end === undefined) throw new Error(`it does not end: ${world.rollout.stage}`);
    return world.rollout.end.outcome;
  } catch (error) {
    throw new Error(`world ${seed}: ${String(error)}\n${world.log.join('\n')}`, { cause: error });
  }
}

await t.test(
  'whatever happens, traffic is where the rollout says, and it ends with a reason',
  async (t) => {
    if (ONLY !== undefined) {
      t.pass(run(Number(ONLY)));
      return;
    }
    const ends: Record<string, number> = {};
    for (let seed = 1; seed <= RUNS; seed++) {
      const outcome = run(seed);
      ends[outcome] = (ends[outcome] ?? 0) + 1;
    }
    t.comment(ends);
    t.same(
      Object.keys(ends).toSorted(),
      ['done', 'failed', 'rolled-back', 'superseded'],
      'all ends are there',
    );
  },
);

// Whatever is decided, in whatever order: what must hold of every table.

import * as fc from 'fast-check';
import t from 'tap';
import { unreachable } from '../../../../src/base/assert.ts';
import { otherColor, type Color, type Service, type Side } from '../../../../src/contract/table.ts';
import {
  ended,
  evictedFrom,
  held,
  registered,
  switched,
  type Edit,
} from '../../../../src/control-plane/switching/table-edit.ts';
import { testPolicy } from '../../../support/policy.ts';
import { service } from '../support/tables.ts';

/** Releases of one color that may come and come again. */
const RELEASES_PER_COLOR = 3;

interface Step {
  readonly kind: 'switch' | 'back' | 'register' | 'evict' | 'end' | 'hold';
  /** Picks among what there is. */
  readonly pick: number;
  readonly passedMs: number;
}

const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom('switch', 'back', 'register', 'evict', 'end', 'hold'),
    pick: fc.nat(20),
    passedMs: fc.nat(4_000),
  }),
  { maxLength: 60 },
);

/** One side for each release: one that comes back has the block that it had. */
function sideOf(color: Color, index: number): Side {
  const block = index * 2 + (color === 'blue' ? 1 : 2);
  return { ...service()[color], release: `${color} ${index}`, block };
}

function pickDrain({ draining }: Service, pick: number): Set<number> {
  if (draining.length === 0) return new Set();
  return new Set([draining[pick % draining.length]!.generation]);
}

/** Returns what the switchboard would do. */
function editOf(one: Service, { kind, pick }: Step, nowMs: number): Edit {
  const idle = otherColor(one.active);
  const lockOut = pick % 2 === 0 ? { reason: 'slow', actor: 'test' } : undefined;
  const terms = { to: idle, nowMs, movesSessions: pick % 3 === 0, longLivedCount: pick, lockOut };
  switch (kind) {
    case 'switch':
      return switched({ ...terms, side: one[idle] });
    case 'back':
      return switched({ ...terms, side: sideOf(idle, pick % RELEASES_PER_COLOR) });
    case 'register':
      return registered(sideOf(idle, pick % RELEASES_PER_COLOR), pickDrain(one, pick), nowMs);
    case 'evict':
      return evictedFrom(pickDrain(one, pick), nowMs);
    case 'end':
      return ended(pickDrain(one, pick));
    case 'hold':
      return held({ methods: 'all', untilMs: nowMs + pick, closesLongLived: false });
    default:
      return unreachable(kind);
  }
}

/** Returns what is wrong with a service, or an empty string. */
function faultOf(one: Service, generation: number): string {
  const { active, draining, since } = one;
  const generations = draining.map((drain) => drain.generation);
  const blocks = draining.map(({ side }) => side.block);
  if (new Set(generations).size < generations.length) return 'a generation drains twice';
  if (!generations.every((each, index) => index === 0 || each > generations[index - 1]!))
    return 'drains are out of order';
  if (generations.includes(since)) return 'the active generation drains';
  if (since > generation || generations.some((each) => each > generation))
    return 'a generation is ahead of its table';
  if (blocks.includes(one[active].block)) return 'the active side drains';
  if (new Set(blocks).size < blocks.length) return 'a side drains twice';
  if (!one[active].hasServed) return 'the active side never served';
  if (one[active].lockedOut) return 'the active side is locked out';
  if (one.blue.color !== 'blue' || one.green.color !== 'green') return 'a side has changed color';
  for (const { startedAtMs, sessionsUntilMs, endsAtMs } of draining) {
    if (startedAtMs > sessionsUntilMs || sessionsUntilMs > endsAtMs)
      return 'times are out of order';
  }
  return '';
}

/** Freezes `value` and all that it holds. */
function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) frozen(part);
    Object.freeze(value);
  }
  return value;
}

await t.test('no order of changes breaks the rules of a table', async (t) => {
  const policy = testPolicy({ affinity: { mode: 'drain' }, drain: { sessionsMs: 9_000 } });
  const first = service({ policy, blue: { ...sideOf('blue', 0), hasServed: true } });
  let drainsMax = 0;
  fc.assert(
    fc.property(steps, (taken) => {
      let one: Service = { ...first, green: sideOf('green', 0) };
      let generation = 1;
      let nowMs = 1_000_000;
      for (const step of taken) {
        nowMs += step.passedMs;
        generation++;
        const before = frozen(one); // An edit that patched it would throw.
        one = editOf(one, step, nowMs)(one, generation);
        const fault = faultOf(one, generation);
        if (fault !== '') throw new Error(`${step.kind}: ${fault}`);
        const hasMoved = one.active !== before.active;
        if (one.since !== (hasMoved ? generation : before.since)) throw new Error('since is wrong');
        drainsMax = Math.max(drainsMax, one.draining.length);
      }
    }),
    { numRuns: 2_000 },
  );
  t.ok(drainsMax >= 4, `up to ${drainsMax} generations drained at once`);
});

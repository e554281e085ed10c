import t from 'tap';
import {
  evidenceAgainst,
  newEvidence,
  verdictOf,
  withLook,
  type ShadowEvidence,
} from '../../../../src/control-plane/gates/shadow-evidence.ts';
import { Random } from '../../../support/random.ts';

const LOOKS = 1_800;

/** Looks `count` times at `judged` comparisons of which `bad` differ. */
function looked(
  count: number,
  [judged, bad]: readonly [number, number],
  mismatch = 0.01,
): ShadowEvidence {
  let evidence = newEvidence(LOOKS);
  for (let i = 0; i < count; i++) evidence = withLook(evidence, mismatch, { judged, bad });
  return evidence;
}

await t.test('a release that answers the same passes once 190 pairs have shown it', async (t) => {
  t.equal(verdictOf(looked(18, [10, 0]), 1), 'later');
  t.equal(verdictOf(looked(19, [10, 0]), 1), 'ok');
});

await t.test('fewer comparisons than the minimum never pass', async (t) => {
  t.equal(verdictOf(looked(50, [10, 0]), 501), 'later');
  t.equal(verdictOf(looked(50, [10, 0]), 500), 'ok');
});

await t.test('a release that answers otherwise fails within seconds, not within one', async (t) => {
  t.equal(verdictOf(looked(10, [1_000, 1_000]), 1), 'later', 'one second counts as one event');
  t.equal(verdictOf(looked(11, [1_000, 1_000]), 1), 'fail');
  t.equal(verdictOf(looked(40, [10, 1]), 1), 'fail');
});

await t.test('what is tolerated passes, and what is twice as bad does not', async (t) => {
  t.equal(verdictOf(looked(200, [100, 1]), 1), 'ok');
  t.equal(verdictOf(looked(10, [50, 1]), 1), 'later');
});

await t.test('no comparison says nothing', async (t) => {
  const evidence = looked(LOOKS, [0, 0]);
  t.equal(verdictOf(evidence, 1), 'later');
  t.ok(evidenceAgainst(evidence) < 1.001);
});

await t.test('even half of all may be tolerated', async (t) => {
  t.equal(verdictOf(looked(30, [10, 2], 0.5), 1), 'ok');
  t.equal(verdictOf(looked(30, [10, 10], 0.5), 1), 'fail');
});

await t.test('of releases that differ as much as tolerated, hardly any fails', async (t) => {
  const random = new Random(4711);
  let failed = 0;
  for (let run = 0; run < 300; run++) {
    let evidence = newEvidence(300);
    for (let look = 0; look < 300 && verdictOf(evidence, 1) !== 'fail'; look++) {
      let bad = 0;
      for (let i = 0; i < 20; i++) if (random.fraction() < 0.01) bad++;
      evidence = withLook(evidence, 0.01, { judged: 20, bad });
    }
    if (verdictOf(evidence, 1) === 'fail') failed++;
  }
  t.ok(failed <= 2, `${failed} of 300`);
});

// Outages as they really look, replayed second by second: bursts that must not roll a release back, and
// regressions that must. The traces are in test/support/guard-traces.txt.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { lookAt, newGuard, verdictOf } from '../../../../src/control-plane/guard/guard.ts';
import type { GuardSettings, Segment } from '../../../../src/control-plane/guard/guard-types.ts';
import type { Tally } from '../../../../src/control-plane/guard/likelihood.ts';
import { counts, look, plan, SETTINGS, steadyBaseline } from '../../../support/guard-looks.ts';

const FILE = new URL('../../../support/guard-traces.txt', import.meta.url);

interface Trace {
  readonly name: string;
  /** Of 10,000; undefined: a bake. */
  readonly share: number | undefined;
  readonly verdict: string;
  readonly seconds: readonly { readonly old: Tally; readonly new: Tally }[];
}

function readTraces(text: string): Trace[] {
  return text
    .split('\n@ ')
    .slice(1)
    .map((part) => {
      const [head = '', ...lines] = part.split('\n');
      const [name = '', phase = '', verdict = ''] = head.split(' | ');
      const percent = /^step (\d+) %$/.exec(phase)?.[1];
      return {
        name,
        share: percent === undefined ? undefined : Number(percent) * 100,
        verdict,
        seconds: [...lines.join(' ').matchAll(/(\d+)\/(\d+)\+(\d+)\/(\d+)/g)].map((found) => {
          const [oldJudged, oldBad, judged, bad] = found.slice(1).map(Number);
          return { old: { judged: oldJudged!, bad: oldBad! }, new: { judged: judged!, bad: bad! } };
        }),
      };
    });
}

/** Ten minutes at 100 requests a second, 1 of 1,000 bad, but for the night: 2 a second. */
function baselineOf({ name }: Trace) {
  return steadyBaseline(name === 'night' ? counts(2, 0) : counts(100, 0));
}

function verdictAfter(trace: Trace, settings: GuardSettings): string {
  const lastsMs = 300_000;
  const isBake = trace.share === undefined;
  const segment: Segment = isBake
    ? { kind: 'bake', lastsMs, baseline: undefined }
    : { kind: 'step', lastsMs };
  const times = { shiftMs: isBake ? undefined : lastsMs, bakeMs: isBake ? lastsMs : undefined };
  let state = newGuard(plan({ settings, baseline: baselineOf(trace), ...times }), segment);
  for (const second of trace.seconds) {
    const [old, fresh] = [second.old, second.new].map(({ judged, bad }) => counts(judged, bad));
    state = lookAt(state, look({ share: trace.share ?? 10_000, old: old!, new: fresh! }));
  }
  return verdictOf(state)?.kind ?? 'none';
}

const TRACES = readTraces(readFileSync(FILE, 'utf8'));

await t.test('the file has traces of both kinds, each with at least a minute', async (t) => {
  const verdicts = new Set(TRACES.map(({ verdict }) => verdict));
  t.strictSame([...verdicts].toSorted(), ['fail', 'none']);
  t.ok(TRACES.length >= 10, `${TRACES.length} traces`);
  t.strictSame(
    TRACES.filter(({ seconds }) => seconds.length < 60),
    [],
  );
});

for (const trace of TRACES) {
  const claim = trace.verdict === 'fail' ? 'is rolled back' : 'is borne';
  await t.test(`${trace.name} ${claim}`, async (t) => {
    t.equal(verdictAfter(trace, SETTINGS), trace.verdict);
    const calm = verdictAfter(trace, { ...SETTINGS, patience: 'calm' });
    if (trace.verdict === 'none') t.equal(calm, 'none', 'more patience bears it too');
  });
}

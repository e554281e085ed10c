import t from 'tap';
import type { ShadowGateSettings } from '../../../../src/config/settings/rollout/rollout-settings.ts';
import type { ShadowedPath } from '../../../../src/contract/shadow-rules.ts';
import type { Shadow } from '../../../../src/contract/table.ts';
import type { GateContext, GateResult } from '../../../../src/control-plane/gates/asked-gate.ts';
import { ShadowReports } from '../../../../src/control-plane/gates/shadow-report.ts';
import type { ShadowCounts } from '../../../../src/control-plane/memory/shadow-counts.ts';

const SETTINGS: ShadowGateSettings = {
  kind: 'shadow',
  name: 'shadow',
  at: 'before',
  timeoutMs: 1_800_000,
  tryMs: 30_000,
  onFail: 'stop',
  share: 0.1,
  mismatch: 0.01,
  fields: ['content-type'],
  ignore: [{ text: 'a*b', parts: ['a', 'b'] }],
  ignorePaths: ['/logout'],
  minimum: 100,
  bodyBytesMax: 65_536,
  slowerMs: 0,
};

const CONTEXT: GateContext = {
  rollout: 'r-7',
  attempt: 'r-7.1',
  gate: 'shadow',
  at: 'before',
  stage: 'testing',
  share: 0,
  subjects: [
    {
      service: 'shop',
      from: { deployment: 3, release: 'v1', color: 'blue' },
      to: { deployment: 4, release: 'v2', color: 'green', targets: [] },
    },
  ],
  actor: 'ci',
  reason: '',
};

const ZERO: ShadowCounts = {
  life: 1,
  sent: 0,
  same: 0,
  differed: 0,
  failed: 0,
  unpaired: 0,
  dropped: 0,
  liveMs: 0,
  copiedMs: 0,
};

const WORST: ShadowedPath = {
  method: 'GET',
  path: '/cart',
  count: 9,
  example: { kind: 'status', field: '', statuses: [200, 500], bytes: [0, 0], hashes: ['', ''] },
};

/** A gate with counts as the test sets them. */
class Scene {
  counts: ShadowCounts | undefined = ZERO;
  worst: readonly ShadowedPath[] = [];
  nowMs = 0;
  refusal: Error | undefined = undefined;
  /** What was turned on and off, in order. */
  readonly said: (Shadow | 'off' | 'forgotten')[] = [];
  readonly reports = new ShadowReports({
    shadowing: {
      keepOn: async (_service, shadow) => {
        if (this.refusal !== undefined) throw this.refusal;
        this.said.push(shadow);
      },
      end: async () => void this.said.push('off'),
      counts: () => this.counts,
    },
    differences: {
      worst: () => this.worst,
      forget: () => void this.said.push('forgotten'),
    },
    nowMs: () => this.nowMs,
  });

  ask(settings = SETTINGS, signal = new AbortController().signal): Promise<GateResult> {
    return this.reports.gate(settings).ask(CONTEXT, signal);
  }

  /** A second later, with so many more of each. */
  async later(more: Partial<ShadowCounts>): Promise<GateResult> {
    this.nowMs += 1_000;
    const now = { ...this.counts! };
    for (const [name, count] of Object.entries(more)) now[name as 'same'] += count;
    this.counts = now;
    return this.ask();
  }
}

await t.test('the first question turns copies on, and says what is copied', async (t) => {
  const scene = new Scene();
  t.match(await scene.ask(), {
    verdict: 'later',
    retryAfterMs: 1_000,
    detail: '0 compared, 0 differ so far (no request to copy)',
  });
  const shadow: Shadow = {
    deployment: 4,
    share: 1_000,
    fields: ['content-type'],
    ignore: [['a', 'b']],
    ignorePaths: ['/logout'],
    bodyBytesMax: 65_536,
    slowerMs: 0,
  };
  t.strictSame(scene.said, [shadow, 'forgotten']);
  await scene.later({});
  t.strictSame(scene.said.slice(2), [shadow], 'and each further one keeps them going');
});

await t.test('it opens once enough responses are the same, and ends the copies', async (t) => {
  const scene = new Scene();
  await scene.ask();
  t.equal((await scene.later({ sent: 100, same: 100 })).verdict, 'later');
  const more = { sent: 150, same: 150, liveMs: 300, copiedMs: 600 };
  const result = await scene.later(more);
  t.match(result, {
    verdict: 'ok',
    detail: '250 compared, 0 differ (tolerated: 1 %)',
    facts: { compared: 250, differed: 0, liveMs: 300 / 250, copiedMs: 600 / 250 },
  });
  t.equal(scene.said.at(-1), 'off');
});

await t.test('it fails by evidence, with the worst path, and ends the copies', async (t) => {
  const scene = new Scene();
  scene.worst = [WORST];
  await scene.ask();
  let result: GateResult = { verdict: 'later', detail: '' };
  let looks = 0;
  for (; result.verdict === 'later'; looks++) {
    result = await scene.later({ sent: 50, same: 30, differed: 10, failed: 10 });
  }
  t.equal(result.verdict, 'fail');
  t.match(
    result.detail,
    /^550 compared, 220 differ \(40 %; tolerated: 1 %; evidence [\d,]+ : 1\); most of GET \/cart$/,
  );
  t.match(result.facts, { differed: 110, failed: 110, worst: [WORST] });
  t.equal(looks, 11, 'a second counts as one event');
  t.equal(scene.said.at(-1), 'off');
});

await t.test('two looks within a second are one', async (t) => {
  const scene = new Scene();
  await scene.ask();
  scene.counts = { ...ZERO, sent: 500, same: 500 };
  scene.nowMs += 100;
  t.equal((await scene.ask()).verdict, 'later');
  scene.nowMs += 900;
  t.equal((await scene.ask()).verdict, 'ok');
});

await t.test('what was counted before the question is not part of it', async (t) => {
  const scene = new Scene();
  scene.counts = { ...ZERO, sent: 5_000, same: 4_000, differed: 1_000 };
  await scene.ask();
  t.match(await scene.later({ sent: 10, same: 10 }), {
    detail: '10 compared, 0 differ so far (tolerated: 1 %)',
  });
});

await t.test('a gate that is made anew goes on with the same question', async (t) => {
  const scene = new Scene();
  await scene.ask();
  for (let i = 0; i < 2; i++) await scene.later({ sent: 50, same: 50 });
  t.match((await scene.later({ sent: 1, same: 1 })).facts, { compared: 101 });
});

await t.test('counts that begin anew take nothing away', async (t) => {
  const scene = new Scene();
  await scene.ask();
  await scene.later({ sent: 50, same: 50 });
  scene.counts = { ...ZERO, life: 2 };
  scene.nowMs += 1_000;
  await scene.ask();
  t.match((await scene.later({ sent: 5, same: 5 })).facts, { compared: 55 });
});

await t.test('where all copies are dropped it says why', async (t) => {
  const scene = new Scene();
  await scene.ask();
  t.match(await scene.later({ dropped: 50 }), {
    verdict: 'later',
    detail: '0 compared, 0 differ so far (no target of the new release is up, or none has room)',
  });
});

await t.test('another deployment on the idle color is an error, and ends the copies', async (t) => {
  const scene = new Scene();
  await scene.ask();
  scene.counts = undefined;
  t.match(await scene.ask(), { verdict: 'error', detail: /^nothing to compare: shop/ });
  t.equal(scene.said.at(-1), 'off');
});

await t.test("a table that can't be published is an error", async (t) => {
  const scene = new Scene();
  scene.refusal = new Error('workers are not ready');
  t.strictSame(await scene.ask(), {
    verdict: 'error',
    detail: 'requests could not be copied: workers are not ready',
  });
});

await t.test('a question that is called off ends the copies', async (t) => {
  const scene = new Scene();
  await scene.ask();
  t.match(await scene.ask(SETTINGS, AbortSignal.abort()), { verdict: 'later' });
  t.equal(scene.said.at(-1), 'off');
});

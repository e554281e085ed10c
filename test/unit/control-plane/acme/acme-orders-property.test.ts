// Random histories: orders that succeed, fail and hang, kills, stops, reloads, clocks that jump. What must
// hold in all of them stands in `check`, which looks at every order that is placed.

import * as fc from 'fast-check';
import t from 'tap';
import { settled } from '../support/manual-timers.ts';
import { acmeSettings, AcmeWorld, type SeenOrder } from './acme-world.ts';

const NAMES = ['a.test', 'b.test', 'c.test'];
const CAS = ['https://one.test/dir', 'https://two.test/dir'];
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const LIFE_MS = 12 * HOUR_MS;

type Step =
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'jump'; readonly ms: number }
  | { readonly kind: 'issue'; readonly which: number }
  | { readonly kind: 'fail'; readonly which: number; readonly retryAfterMs: number | undefined }
  | { readonly kind: 'follow'; readonly names: readonly string[]; readonly ca: string }
  | { readonly kind: 'kill' | 'stop' };

const which = fc.nat(1);
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pass'), ms: fc.nat(3 * HOUR_MS) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('issue'), which }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('fail'),
      which,
      retryAfterMs: fc.option(fc.nat(48 * HOUR_MS), { nil: undefined, freq: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('follow'),
      names: fc.subarray(NAMES),
      ca: fc.constantFrom(...CAS),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('kill', 'stop') }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('jump'),
      ms: fc.integer({ min: -1_000 * HOUR_MS, max: 1_000 * HOUR_MS }),
    }),
  },
);

class History {
  settings = acmeSettings(NAMES, { ca: CAS[0]! });
  readonly world = new AcmeWorld(this.settings);
  readonly faults: string[] = [];
  /** Of the last order of each domain that was not called off: when, on a clock that never jumps. */
  readonly #last = new Map<string, { readonly order: SeenOrder; readonly atMs: number }>();
  #seen = 0;

  async take(step: Step): Promise<void> {
    const { world } = this;
    const order = 'which' in step ? world.open[step.which] : undefined;
    if (step.kind === 'pass') await this.pass(step.ms, MINUTE_MS);
    else if (step.kind === 'jump') world.offsetMs += step.ms;
    else if (step.kind === 'issue') await (order && world.issue(order, LIFE_MS));
    else if (step.kind === 'fail') await (order && world.fail(order, 'no', step.retryAfterMs));
    else if (step.kind === 'kill') await world.restart(this.settings);
    else if (step.kind === 'follow') {
      this.settings = acmeSettings(step.names, { ca: step.ca });
      this.#forgetCalledOff(() => world.acme.follow(this.settings));
    } else {
      await world.acme.stop();
      this.#forgetCalledOff(() => world.acme.start());
      this.#last.clear();
    }
    await settled();
    if (step.kind === 'jump') this.#last.clear();
    this.check();
  }

  /** Lets time pass in small steps, so that each order is seen soon after it is placed. */
  async pass(ms: number, stepMs: number, then = async (): Promise<void> => {}): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      await this.world.timers.pass(Math.min(left, stepMs));
      this.check();
      await then();
    }
  }

  /** What was called off may be ordered again at once. */
  #forgetCalledOff(act: () => void): void {
    const running = this.world.open;
    act();
    for (const { brief, isOver } of running) if (isOver) this.#last.delete(brief.domain);
  }

  check(): void {
    const { world, settings } = this;
    const open = world.open.map(({ brief }) => brief.domain);
    this.#expect(new Set(open).size === open.length, `two orders at once: ${open.join(', ')}`);
    this.#expect(open.length <= 2, `${open.length} orders at once`);
    for (const order of world.orders.slice(this.#seen)) {
      const { domain, directory } = order.brief;
      this.#expect(settings.domains.includes(domain), `${domain} is not configured`);
      this.#expect(directory === settings.ca, `${directory} is not configured`);
      const certificate = order.record?.certificate;
      if (certificate?.ca === directory) {
        const { notBeforeMs, notAfterMs } = certificate;
        const share = (order.atMs - notBeforeMs) / (notAfterMs - notBeforeMs);
        this.#expect(share >= 0.63, `${domain} is renewed after ${share} of its life`);
      }
      const last = this.#last.get(domain);
      const restMs = world.timers.nowMs - (last?.atMs ?? -Infinity);
      const isAlike = last?.order.brief.directory === directory;
      this.#expect(!isAlike || restMs >= 50_000, `${domain} is ordered again after ${restMs} ms`);
      this.#last.set(domain, { order, atMs: world.timers.nowMs });
    }
    this.#seen = world.orders.length;
  }

  #expect(holds: boolean, fault: string): void {
    if (!holds) this.faults.push(fault);
  }
}

await t.test(
  'no history orders twice at once, too early, too often, or what is not configured',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 25 }), async (history) => {
        const run = new History();
        run.world.acme.start();
        run.check();
        for (const step of history) await run.take(step);
        return run.faults.length === 0 || Promise.reject(new Error(run.faults[0]));
      }),
      { numRuns: 150 },
    );
  },
);

await t.test(
  'after any history, an authority that answers leads to certificates that never end',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 15 }), async (history) => {
        const run = new History();
        const { world } = run;
        world.acme.start();
        run.check();
        for (const step of history) await run.take(step);
        await run.take({ kind: 'jump', ms: -world.offsetMs });
        await run.take({ kind: 'follow', names: NAMES, ca: CAS[0]! });
        const issueAll = async (): Promise<void> => {
          for (const order of world.open) await world.issue(order, LIFE_MS);
        };
        await issueAll();
        await run.pass(26 * HOUR_MS, HOUR_MS / 2, issueAll); // The longest wait is a day.
        await run.pass(15 * HOUR_MS, HOUR_MS / 2, async () => {
          await issueAll();
          for (const { domain, notAfterMs = 0 } of world.acme.status()) {
            if (notAfterMs <= world.nowMs) throw new Error(`${domain} has ended`);
          }
        });
        return run.faults.length === 0 || Promise.reject(new Error(run.faults[0]));
      }),
      { numRuns: 40 },
    );
  },
);

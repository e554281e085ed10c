import t from 'tap';
import { OperatorError } from '../../../../src/control-plane/base/problems.ts';
import {
  ChangeQueue,
  type Entry,
  type Lines,
  type Turn,
} from '../../../../src/control-plane/publishing/change-queue.ts';

const WHY = new OperatorError('called-off', 'rollback by anna');

function entry(lines: Lines, changes: Partial<Entry> = {}): Entry {
  return { lines, what: 'switch by ci', ...changes };
}

function urgent(lines: Lines): Entry {
  return entry(lines, { what: 'rollback by anna', callsOff: WHY });
}

/** Waits until a change calls it off, as one that holds requests does. */
async function hold(turn: Turn): Promise<void> {
  await turn.holding(async () => {
    const { promise, reject } = Promise.withResolvers<void>();
    turn.signal.addEventListener('abort', () => reject(turn.signal.reason as Error));
    await promise;
  });
}

/** A queue in which each change lasts until the test ends it. */
function scene(waitersMax = 10) {
  const queue = new ChangeQueue({ waitersMax });
  const seen: string[] = [];
  const come = (name: string, what: Entry, run?: (turn: Turn) => Promise<void>) => {
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<Turn>();
    const done = queue.run(what, async (turn) => {
      seen.push(name);
      begun.resolve(turn);
      await (run === undefined ? gate.promise : run(turn));
    });
    done.catch(() => {});
    return { end: gate.resolve, fail: gate.reject, begun: begun.promise, done };
  };
  return { queue, seen, come };
}

/** Lets everything go on that can. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

await t.test('changes of one service run one at a time, in the order they came', async (t) => {
  const { seen, come } = scene();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => come(name, entry(['shop'])));
  await settle();
  t.same(seen, ['a']);
  a!.end();
  await settle();
  t.same(seen, ['a', 'b']);
  b!.end();
  c!.end();
  await c!.done;
  t.same(seen, ['a', 'b', 'c']);
});

await t.test('a change that fails does not stop the next one', async (t) => {
  const { come } = scene();
  const failing = come('a', entry(['shop']), async () => {
    throw new Error('no');
  });
  const next = come('b', entry(['shop']), async () => {});
  await t.rejects(failing.done, /no/);
  await t.resolves(next.done);
});

await t.test('changes of different services do not wait for each other', async (t) => {
  const { seen, come } = scene();
  const shop = come('shop', entry(['shop']));
  await come('bank', entry(['bank']), async () => {}).done;
  t.same(seen, ['shop', 'bank']);
  shop.end();
});

await t.test('a change of several services has the turn of all of them at once', async (t) => {
  const { seen, come } = scene();
  const shop = come('shop', entry(['shop']));
  const both = come('both', entry(['bank', 'shop']));
  const bank = come('bank', entry(['bank']));
  const other = come('other', entry(['mail']));
  await settle();
  t.same(seen, ['shop', 'other'], 'bank came behind one that waits for shop and bank');
  shop.end();
  await both.begun;
  t.same(seen, ['shop', 'other', 'both']);
  both.end();
  await bank.begun;
  bank.end();
  other.end();
});

await t.test('a change of the whole table waits for all and lets none pass', async (t) => {
  const { seen, come } = scene();
  const shop = come('shop', entry(['shop']));
  const reload = come('reload', entry('all'));
  const bank = come('bank', entry(['bank']));
  await settle();
  t.same(seen, ['shop']);
  shop.end();
  await reload.begun;
  reload.end();
  await bank.begun;
  t.same(seen, ['shop', 'reload', 'bank']);
  bank.end();
});

await t.test('two changes of two services in both orders do not wait for each other', async (t) => {
  const { come } = scene();
  const first = come('first', entry(['a', 'b']), settle);
  const second = come('second', entry(['b', 'a']), settle);
  await Promise.all([first.done, second.done]);
  t.pass('both have ended');
});

await t.test(
  'a service does not wait because a reload waits for the hold of another',
  async (t) => {
    const { seen, come } = scene();
    const shop = come('shop', entry(['shop'], { mayHold: true }), hold);
    await shop.begun;
    const reload = come('reload', entry('all'));
    await come('bank', entry(['bank']), async () => {}).done;
    const holding = come('bank holds', entry(['bank'], { mayHold: true }));
    await settle();
    t.same(seen, ['shop', 'bank'], 'but one that would hold as well waits behind the reload');
    const resume = come('resume', urgent(['shop']), async () => {});
    await resume.done;
    await reload.begun;
    t.same(seen, ['shop', 'bank', 'resume', 'reload']);
    reload.end();
    await holding.begun;
    holding.end();
  },
);

await t.test('what gets back to safety calls off what holds, and goes first', async (t) => {
  const { seen, come } = scene();
  const holding = come('hold', entry(['shop'], { what: 'switch by ci' }), hold);
  await holding.begun;
  const waiting = come('next', entry(['shop']));
  const turn = await come('rollback', urgent(['shop'])).begun;
  await t.rejects(holding.done, { code: 'called-off', message: 'rollback by anna' });
  t.same(seen, ['hold', 'rollback']);
  t.same(turn.calledOff, ['switch by ci']);
  t.ok(waiting.done, 'the one behind waits on');
});

await t.test('what is called off in the moment in which its turn comes never begins', async (t) => {
  const { seen, come } = scene();
  const switching = come('switch', entry(['shop']));
  const rollback = come('rollback', urgent(['shop']));
  await t.rejects(switching.done, { code: 'called-off' });
  t.same((await rollback.begun).calledOff, ['switch by ci']);
  t.same(seen, ['rollback']);
  rollback.end();
});

await t.test('what holds for another service goes on', async (t) => {
  const { come } = scene();
  const turn = await come('hold', entry(['shop']), hold).begun;
  await come('rollback', urgent(['bank']), async () => {}).done;
  t.notOk(turn.signal.aborted);
});

await t.test(
  'a change past its last moment is not called off; what shouts waits for it',
  async (t) => {
    const { seen, come } = scene();
    const switching = come('switch', entry(['shop']));
    const turn = await switching.begun;
    turn.pass();
    const rollback = come('rollback', urgent(['shop']));
    await settle();
    t.same(seen, ['switch']);
    t.notOk(turn.signal.aborted);
    switching.end();
    t.same((await rollback.begun).calledOff, []);
    rollback.end();
  },
);

await t.test('a change that was called off cannot pass any more', async (t) => {
  const { come } = scene();
  const switching = come('switch', entry(['shop']));
  const turn = await switching.begun;
  const rollback = come('rollback', urgent(['shop']));
  t.throws(() => turn.pass(), { code: 'called-off' });
  switching.end();
  t.same((await rollback.begun).calledOff, ['switch by ci']);
  rollback.end();
});

await t.test('of two that shout, the first goes on and the second follows', async (t) => {
  const { seen, come } = scene();
  const holding = come('hold', entry(['shop']), hold);
  await holding.begun;
  const resume = come('resume', urgent(['shop']));
  const rollback = come('rollback', urgent(['shop']));
  await t.rejects(holding.done, { code: 'called-off' });
  const first = await resume.begun;
  t.same(seen, ['hold', 'resume']);
  t.notOk(first.signal.aborted);
  resume.end();
  t.same((await rollback.begun).calledOff, [], 'the first had called it off');
  rollback.end();
});

await t.test('when too many wait in one line, that line alone is busy', async (t) => {
  const { queue, come } = scene(2);
  const running = [1, 2, 3].map((name) => come(String(name), entry(['shop'])));
  const refusal = { code: 'busy', status: 503, message: /2 changes of shop wait/ };
  await t.rejects(queue.run(entry(['shop']), settle), refusal);
  await t.rejects(queue.run(entry(['bank', 'shop']), settle), refusal);
  await t.resolves(queue.run(entry(['bank']), settle));
  for (const one of running) one.end();
  await running.at(-1)!.done;
  await t.resolves(queue.run(entry(['shop']), settle), 'and may come again');
});

await t.test(
  'what shouts finds room in a line that is busy, and has a bound of its own',
  async (t) => {
    const { queue, come } = scene(1);
    const lasting = come('a', entry(['shop']));
    const waiting = come('b', entry(['shop']));
    (await lasting.begun).pass();
    const shouts = [1, 2].map((name) => come(`shout ${name}`, urgent(['shop']), settle));
    await t.rejects(queue.run(urgent(['shop']), settle), { code: 'busy' });
    lasting.end();
    waiting.end();
    await Promise.all(shouts.map(async ({ done }) => done));
  },
);

await t.test('changes of the whole table have a bound of their own', async (t) => {
  const { queue, come } = scene(1);
  const running = [1, 2].map((name) => come(String(name), entry('all')));
  const refusal = { code: 'busy', message: /of the whole table/ };
  await t.rejects(queue.run(entry('all'), settle), refusal);
  for (const one of running) one.end();
});

await t.test('idle waits for all that was taken', async (t) => {
  const { queue, come } = scene();
  const first = come('a', entry(['shop']));
  const second = come('b', entry(['shop']));
  let isIdle = false;
  const idle = queue.idle().then(() => (isIdle = true));
  first.end();
  await second.begun;
  t.notOk(isIdle);
  second.end();
  await idle;
  await t.resolves(queue.idle(), 'where nothing runs it is over at once');
});

await t.test('a stop calls off what holds, and what only prepares ends by itself', async (t) => {
  const { queue, come } = scene();
  const shop = come('shop', entry(['shop'], { mayHold: true }), hold);
  const bank = come('bank', entry(['bank']));
  await Promise.all([shop.begun, bank.begun]);
  queue.callOffHolds(WHY);
  await t.rejects(shop.done, { code: 'called-off' });
  bank.end();
  await queue.idle();
});

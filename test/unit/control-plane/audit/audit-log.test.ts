import { restartClock } from '../../../../src/base/clock.ts';
import { mock } from 'node:test';
import t, { type Test } from 'tap';
import { AuditLog, startNotes } from '../../../../src/control-plane/audit/audit-log.ts';
import {
  AUDIT_ALIKE_KINDS_MAX,
  AUDIT_ALIKE_MAX,
  AUDIT_ALIKE_WINDOW_MS,
  AUDIT_IDLE_CALLS_MAX,
  AUDIT_WAITING_MAX,
} from '../../../../src/control-plane/base/control-limits.ts';
import { OperatorError } from '../../../../src/control-plane/base/problems.ts';
import type { Store } from '../../../../src/control-plane/store/store.ts';
import { TestLog } from '../support/fixtures.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { draft, notes } from '../support/notes.ts';

const ALL = { services: undefined, before: undefined, limit: 100_000 };

function open(t: Test) {
  const store = new MemoryStore();
  const log = new TestLog();
  const audit = new AuditLog({ store, log });
  t.teardown(async () => audit.close());
  return { store, log, audit };
}

/** Resolves when the store has what was noted. */
async function written(): Promise<void> {
  await new Promise(setImmediate);
}

await t.test('entries come the latest first, of some services, before a number', async (t) => {
  const { audit } = open(t);
  for (const service of ['a', 'b', '', 'a']) audit.note(notes({ service }));
  const seqs = async (query: Partial<Parameters<AuditLog['latest']>[0]>): Promise<number[]> =>
    (await audit.latest({ ...ALL, ...query })).map(({ seq }) => seq);
  t.same(await seqs({}), [4, 3, 2, 1]);
  t.same(await seqs({ limit: 2 }), [4, 3]);
  t.same(await seqs({ before: 3 }), [2, 1]);
  t.same(await seqs({ services: ['a'] }), [4, 1]);
  t.same(await seqs({ services: ['a', 'b'], before: 4 }), [2, 1]);
  t.same(await seqs({ services: [] }), []);
  t.same(await seqs({ services: ["a' OR 1=1 --"] }), []);
});

await t.test(
  'of refusals alike, those over the bound share one entry that counts them',
  async (t) => {
    const { audit } = open(t);
    for (let index = 0; index < AUDIT_ALIKE_MAX + 90; index++) {
      audit.turnedAway(draft({ atMs: index, code: 'unauthenticated', outcome: 'refused' }));
    }
    audit.turnedAway(draft({ code: 'unauthenticated', address: '10.0.0.1' }));
    audit.turnedAway(draft({ code: 'origin-not-allowed' }));
    const entries = await audit.latest(ALL);
    t.equal(entries.length, AUDIT_ALIKE_MAX + 3);
    t.match(
      entries[0],
      { count: 90, atMs: AUDIT_ALIKE_MAX + 89 },
      'reading writes what was counted',
    );
    t.equal(
      entries.reduce((sum, { count }) => sum + count, 0),
      AUDIT_ALIKE_MAX + 92,
    );
    t.equal((await audit.latest(ALL)).length, entries.length, 'once');
    t.match(await audit.verify(), { state: /^ok$/, checked: AUDIT_ALIKE_MAX + 3 });
  },
);

await t.test('what was counted is written after a while by itself, and then anew', async (t) => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000 });
  restartClock();
  t.teardown(() => mock.timers.reset());
  const { audit, store } = open(t);
  const one = (): void => audit.turnedAway(draft({ atMs: Date.now(), code: 'unauthenticated' }));
  for (let index = 0; index < AUDIT_ALIKE_MAX + 5; index++) one();
  await written();
  t.equal(store.audit.latest(ALL).length, AUDIT_ALIKE_MAX);
  mock.timers.tick(AUDIT_ALIKE_WINDOW_MS);
  await written();
  t.equal(store.audit.latest(ALL).length, AUDIT_ALIKE_MAX + 1);
  one();
  await written();
  t.equal(store.audit.latest(ALL).length, AUDIT_ALIKE_MAX + 2, 'a new window');
});

await t.test('neighbours in one IPv6 network and kinds over the bound are alike', async (t) => {
  const { audit } = open(t);
  for (let index = 0; index < 50; index++) {
    audit.turnedAway(draft({ address: `2001:db8::${index.toString(16)}`, code: 'x' }));
  }
  t.equal((await audit.latest(ALL)).length, AUDIT_ALIKE_MAX + 1);
  for (let index = 0; index < AUDIT_ALIKE_KINDS_MAX + 500; index++) {
    audit.turnedAway(draft({ address: `10.${index >> 8}.0.${index & 255}`, code: 'y' }));
  }
  const entries = await audit.latest({ ...ALL, limit: 10_000 });
  t.ok(entries.length <= AUDIT_ALIKE_MAX + 1 + AUDIT_ALIKE_KINDS_MAX + AUDIT_ALIKE_MAX + 1);
  const counted = entries.reduce((sum, { count }) => sum + count, 0);
  t.equal(counted, 50 + AUDIT_ALIKE_KINDS_MAX + 500, 'none is forgotten');
});

await t.test('who makes any number of calls that change nothing fills no log', async (t) => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000 });
  restartClock();
  t.teardown(() => mock.timers.reset());
  const { audit, store } = open(t);
  const ours = { ...ALL, limit: 1_000_000 };
  audit.note(notes({ actor: 'ops', reason: 'honest' }));
  const flood = 5_000;
  const call = (index: number): void => {
    const outcome = index % 2 === 0 ? 'unchanged' : 'refused';
    audit.note(notes({ actor: 'ci', atMs: Date.now(), outcome, key: `k${index}` }));
  };
  for (let index = 0; index < flood; index++) {
    call(index);
    if (index % 1_000 === 0) await audit.latest({ ...ALL, limit: 1 });
  }
  await written();
  t.equal(store.audit.latest(ours).length, 1 + AUDIT_IDLE_CALLS_MAX, 'reading adds nothing');
  t.match(store.answers.find(`k${flood - 1}`, 0), { actor: 'ci' }, 'his keys still count');
  mock.timers.tick(AUDIT_ALIKE_WINDOW_MS);
  await written();
  const entries = await audit.latest(ours);
  t.equal(entries.length, 1 + AUDIT_IDLE_CALLS_MAX + 1);
  t.match(entries[0], { actor: 'ci', count: flood - AUDIT_IDLE_CALLS_MAX });
  t.match(entries.at(-1), { reason: 'honest' });
  t.equal(
    entries.reduce((sum, { count }) => sum + count, 0),
    flood + 1,
    'none is forgotten',
  );
  call(0);
  call(1);
  t.equal((await audit.latest(ours)).length, entries.length + 1, 'one more entry in a minute');
  audit.note(notes({ actor: 'ops', atMs: Date.now() }));
  t.equal((await audit.latest(ours)).length, entries.length + 2, 'and others have theirs');
});

await t.test('nor do strangers, from however many networks', async (t) => {
  const { audit, store } = open(t);
  audit.note(notes({ actor: 'ops', reason: 'honest' }));
  const atMs = Date.now();
  for (let round = 0; round < 40; round++) {
    for (let index = 0; index < AUDIT_ALIKE_KINDS_MAX; index++) {
      const address = `10.${index >> 8}.${index & 255}.1`;
      audit.turnedAway(draft({ atMs, actor: 'nobody', address, code: 'unauthenticated' }));
    }
    await audit.flush();
  }
  const entries = store.audit.latest({ ...ALL, limit: 1_000_000 });
  t.equal(entries.length, 1 + AUDIT_IDLE_CALLS_MAX);
  t.match(await audit.verify(), { state: 'ok' });
});

await t.test('what cannot be written is told, waits, and is written in order later', async (t) => {
  const { audit, store, log } = open(t);
  store.onNote = () => {
    throw new Error('the disk is full');
  };
  audit.note(notes({ reason: 'one' }));
  audit.note(notes({ reason: 'two' }));
  await written();
  t.match(log.lines[0], {
    level: 'error',
    message: /was not written yet/,
    fields: { reason: 'one' },
  });
  t.same(await audit.latest(ALL), []);
  store.onNote = () => {};
  audit.note(notes({ reason: 'three' }));
  t.same(
    (await audit.latest(ALL)).map(({ reason }) => reason),
    ['three', 'two', 'one'],
  );
  t.match(await audit.verify(), { state: /^ok$/, checked: 3 });
});

await t.test('no more wait than the bound, and the others are counted', async (t) => {
  const { audit, store, log } = open(t);
  store.onNote = () => {
    throw new OperatorError('upgrading', 'soon');
  };
  audit.note(notes());
  await written();
  for (let index = 1; index < AUDIT_WAITING_MAX + 3; index++) audit.note(notes());
  await written();
  store.onNote = () => {};
  t.equal((await audit.latest({ ...ALL, limit: 5_000 })).length, AUDIT_WAITING_MAX);
  t.match(log.lines.at(-1), { level: 'error', fields: { count: 3 }, message: /were lost/ });
});

await t.test('a call that must be in the log may not be lost, a refusal may', async (t) => {
  const { store, log } = open(t);
  const asked: boolean[] = [];
  const note: Store['note'] = async (noted, { mayBeLost }) => {
    asked.push(mayBeLost);
    await store.note(noted);
  };
  const audit = new AuditLog({ store: { audit: store.audit, note }, log });
  await audit.must(notes());
  audit.note(notes());
  await written();
  t.strictSame(asked, [false, true]);
});

/** Lets a test have time pass. */
function stopTime(t: Test): void {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000_000 });
  restartClock();
  t.teardown(() => mock.timers.reset());
}

/** Lets one entry wait for the store. */
async function letWait({ audit, store }: ReturnType<typeof open>): Promise<void> {
  store.onNote = () => {
    throw new Error('the disk is full');
  };
  audit.note(notes({ reason: 'waits' }));
  await written();
  store.onNote = () => {};
}

await t.test('what waits is written before a call that must be in the log', async (t) => {
  const scene = open(t);
  await letWait(scene);
  await scene.audit.must(notes({ reason: 'later' }));
  const rows = scene.store.audit.after(0, 10);
  t.match(rows, [{ text: /waits/ }, { text: /later/ }]);
});

await t.test(
  'what waits is written after a while by itself, however often that fails',
  async (t) => {
    stopTime(t);
    const scene = open(t);
    await letWait(scene);
    scene.store.onNote = () => {
      throw new Error('still full');
    };
    for (let round = 0; round < 3; round++) {
      mock.timers.tick(AUDIT_ALIKE_WINDOW_MS);
      await written();
    }
    scene.store.onNote = () => {};
    t.equal(scene.store.audit.latest(ALL).length, 0);
    mock.timers.tick(AUDIT_ALIKE_WINDOW_MS);
    await written();
    t.match(scene.store.audit.latest(ALL), [{ text: /waits/ }]);
  },
);

await t.test('a look at the chain and the end write what was counted', async (t) => {
  const { audit, store } = open(t);
  const alike = (): void => {
    for (let index = 0; index < AUDIT_ALIKE_MAX + 5; index++) audit.turnedAway(draft({ count: 2 }));
  };
  alike();
  t.match(await audit.verify(), { checked: AUDIT_ALIKE_MAX + 1 });
  t.match(await audit.latest({ ...ALL, limit: 1 }), [{ count: 10 }], 'each stood for two');
  alike();
  await audit.close();
  t.equal(store.audit.latest(ALL).length, AUDIT_ALIKE_MAX + 2);
});

await t.test('a window ends in time also when the clock was set back', async (t) => {
  stopTime(t);
  const { audit, store } = open(t);
  const atMs = Date.now() + 86_400_000;
  for (let index = 0; index < AUDIT_ALIKE_MAX; index++) audit.turnedAway(draft({ atMs }));
  mock.timers.tick(AUDIT_ALIKE_WINDOW_MS);
  await written();
  audit.turnedAway(draft());
  await written();
  t.equal(store.audit.latest(ALL).length, AUDIT_ALIKE_MAX + 1, 'a new window, a new entry');
});

await t.test('lost entries are told once', async (t) => {
  const { audit, store, log } = open(t);
  store.onNote = () => {
    throw new Error('the disk is full');
  };
  audit.note(notes());
  await written();
  for (let index = 1; index <= AUDIT_WAITING_MAX; index++) audit.note(notes());
  await written();
  store.onNote = () => {};
  await audit.flush();
  await audit.flush();
  t.equal(log.lines.filter(({ message }) => message.endsWith('were lost')).length, 1);
});

await t.test('a kind that is counted already stays one when there are too many', async (t) => {
  const { audit } = open(t);
  const known = draft({ address: '192.0.2.1', code: 'known' });
  audit.turnedAway(known);
  for (let index = 0; index < AUDIT_ALIKE_KINDS_MAX + 50; index++) {
    audit.turnedAway(draft({ address: `10.${index >> 8}.0.${index & 255}`, code: 'y' }));
  }
  audit.turnedAway(known);
  const all = await audit.latest({ ...ALL, limit: 10_000 });
  const entries = all.filter(({ code }) => code === 'known');
  t.strictSame(
    entries.map(({ count }) => count),
    [1, 1],
    'with an entry of its own',
  );
});

await t.test('a call that must be in the log fails when it cannot be', async (t) => {
  const { audit, store } = open(t);
  store.onNote = () => {
    throw new Error('the disk is full');
  };
  await t.rejects(audit.must(notes()), {
    code: 'store-failed',
    message: /the disk is full; nothing/,
  });
  store.onNote = () => {
    throw new OperatorError('upgrading', 'soon');
  };
  await t.rejects(audit.must(notes()), { code: 'upgrading' });
  store.onNote = () => {};
  await audit.must(notes());
  t.equal((await audit.latest(ALL)).length, 1);
});

await t.test('a start is written down, with what was wrong with the store', async (t) => {
  const { audit } = open(t);
  audit.note(startNotes('1.2.3', 7, 'it was damaged'));
  const [entry] = await audit.latest(ALL);
  t.match(entry, { actor: 'turnout', action: 'start', generation: 7, outcome: 'done' });
  t.equal(entry?.detail, 'turnout 1.2.3; it was damaged');
});

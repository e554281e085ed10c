// Certificates through a reload: the workers are ready for both, and a refusal has changed nothing.

import { writeFileSync } from 'node:fs';
import t from 'tap';
import { pki } from '../support/pki.ts';

import { keeper, listener, settled, shown, skip } from './keeper-scene.ts';

await t.test('a reload has the workers ready for both, and leaves one', { skip }, async (t) => {
  const { issue } = pki(t);
  const [a, b, c] = [issue('a.test'), issue('b.test'), issue('c.test')];
  const [old, fresh] = [issue('old', { isAuthority: true }), issue('fresh', { isAuthority: true })];
  const { kept, start, sets } = keeper(t);
  await kept.load([{ ...listener('one', a), clientCa: old.cert }, listener('gone', b)]);
  start();
  const next = [{ ...listener('one', c), clientCa: fresh.cert }, listener('new', b)];
  const prepared = await kept.prepare(next);
  t.same(shown(sets.at(-1)!), { one: ['a.test', 'c.test'], gone: ['b.test'], new: ['b.test'] });
  t.equal(kept.set.doors[0]?.clientAuthorities, old.certText + fresh.certText);
  const { promise, resolve } = Promise.withResolvers<void>();
  prepared.use(promise);
  const still = { one: ['c.test', 'a.test'], new: ['b.test'], gone: ['b.test'] };
  t.same(shown(sets.at(-1)!), still, 'a worker may still have the old listeners');
  resolve();
  await settled();
  t.same(shown(sets.at(-1)!), { one: ['c.test'], new: ['b.test'] });
  t.equal(kept.set.doors[0]?.clientAuthorities, fresh.certText);
  t.same(
    kept.report().map(({ source }) => source),
    [c.cert, b.cert, fresh.cert],
  );
  const dropped = await kept.prepare([listener('one', a)]);
  t.same(shown(kept.set), { one: ['c.test', 'a.test'], new: ['b.test'] });
  await dropped.close();
  t.same(shown(sets.at(-1)!), { one: ['c.test'], new: ['b.test'] });
});

await t.test(
  'a reload with a bad file is refused with all problems, and nothing has changed',
  { skip },
  async (t) => {
    const { issue, write } = pki(t);
    const a = issue('a.test');
    const { kept, start, sets } = keeper(t);
    await kept.load([listener('one', a)]);
    start();
    const count = sets.length;
    const bad = [
      { ...a, cert: write('bad.pem', 'x') },
      { ...a, key: '/nowhere' },
    ];
    const refusal = {
      name: 'OperatorError',
      code: 'certificate-invalid',
      message: /^nothing has changed: .*bad\.pem is no PEM file/,
      members: { faults: [/bad\.pem is no PEM/, /\/nowhere does not exist/] },
    };
    await t.rejects(kept.prepare([listener('one', ...bad)]), refusal);
    await t.rejects(kept.check([listener('one', ...bad)]), refusal, 'as a dry run says it');
    await kept.check([listener('one', a)]);
    t.equal(sets.length, count);
    t.same(shown(kept.set), { one: ['a.test'] });
  },
);

await t.test('a reload goes on while a file that is in use is bad', { skip }, async (t) => {
  const { issue } = pki(t);
  const [a, b] = [issue('a.test'), issue('b.test')];
  const { kept, start } = keeper(t);
  await kept.load([listener('one', a)]);
  start();
  writeFileSync(a.cert, 'x');
  await kept.look();
  (await kept.prepare([listener('one', a, b)])).use(Promise.resolve());
  await settled();
  t.same(shown(kept.set), { one: ['a.test', 'b.test'] });
  t.match(kept.report()[0]?.problem, /is no PEM file/);
});

await t.test('a reload that a worker does not answer has changed nothing', { skip }, async (t) => {
  const { issue } = pki(t);
  const [a, b] = [issue('a.test'), issue('b.test')];
  const { kept, start, sets, workers } = keeper(t);
  await kept.load([listener('one', a)]);
  start();
  workers.answer = async ({ doors }) => {
    if (doors.length > 1) throw new Error('no answer');
  };
  await t.rejects(kept.prepare([listener('one', a), listener('two', b)]), /no answer/);
  t.same(shown(sets.at(-1)!), { one: ['a.test'] });
});

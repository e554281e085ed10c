import t from 'tap';
import { ChangeQueue } from '../../../../src/control-plane/switching/change-queue.ts';

await t.test('tasks run one at a time, in the order they came', async (t) => {
  const queue = new ChangeQueue({ waitersMax: 10 });
  const seen: string[] = [];
  const task = (name: string) => async () => {
    seen.push(`${name} begins`);
    await Promise.resolve();
    seen.push(`${name} ends`);
  };
  await Promise.all([queue.run(task('a')), queue.run(task('b')), queue.run(task('c'))]);
  t.same(seen, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});

await t.test('a task that fails does not stop the next one', async (t) => {
  const queue = new ChangeQueue({ waitersMax: 10 });
  const failing = queue.run(async () => {
    throw new Error('no');
  });
  const next = queue.run(async () => 'yes');
  await t.rejects(failing, /no/);
  t.equal(await next, 'yes');
});

await t.test('who comes when the row is full is refused as busy, and may come again', async (t) => {
  const queue = new ChangeQueue({ waitersMax: 2 });
  const gate = Promise.withResolvers<void>();
  const running = [1, 2, 3].map(async () => queue.run(async () => gate.promise));
  await t.rejects(
    queue.run(async () => {}),
    { code: 'busy', status: 503 },
  );
  gate.resolve();
  await Promise.all(running);
  await t.resolves(queue.run(async () => {}));
});

await t.test('idle waits for all that was taken', async (t) => {
  const queue = new ChangeQueue({ waitersMax: 2 });
  const gate = Promise.withResolvers<void>();
  let ended = 0;
  const running = [1, 2].map(async () =>
    queue.run(async () => {
      await gate.promise;
      ended++;
    }),
  );
  const idle = queue.idle();
  gate.resolve();
  await idle;
  t.equal(ended, 2);
  await Promise.all(running);
});

// What a new process asks of the one before it, over a channel whose other end is the test.

import { EventEmitter } from 'node:events';
import t from 'tap';
import type { HealthReport } from '../../../../src/control-plane/targets/health.ts';
import { Predecessor, together } from '../../../../src/control-plane/upgrade/predecessor.ts';
import type { TableHolders } from '../../../../src/control-plane/switching/publisher.ts';
import type {
  PredecessorSays,
  SuccessorSays,
} from '../../../../src/control-plane/upgrade/successor.ts';
import { oneService } from '../support/tables.ts';

/** Far more than a test takes. */
const LONG_MS = 60_000;

class FakeChannel extends EventEmitter {
  readonly told: SuccessorSays[] = [];

  send(message: SuccessorSays): boolean {
    this.told.push(message);
    return true;
  }

  say(message: PredecessorSays): void {
    this.emit('message', message);
  }
}

function open() {
  const channel = new FakeChannel();
  return { channel, predecessor: new Predecessor(channel) };
}

/** Tells whether `promise` has ended by now. */
async function hasEnded(promise: Promise<unknown>): Promise<boolean> {
  await new Promise(setImmediate);
  const mark = Symbol('open');
  return (await Promise.race([promise, Promise.resolve(mark)])) !== mark;
}

await t.test('a table is prepared once the answer for this table is there', async (t) => {
  const { channel, predecessor } = open();
  const prepared = predecessor.prepare(oneService({}, 5), LONG_MS);
  t.match(channel.told, [{ kind: 'prepare', table: { generation: 5 } }]);
  channel.say({ kind: 'done', what: 'prepare', generation: 4 });
  channel.say({ kind: 'done', what: 'adopt', generation: 5 });
  t.notOk(await hasEnded(prepared), 'other answers are not this one');
  channel.say({ kind: 'done', what: 'prepare', generation: 5 });
  await t.resolves(prepared);
});

await t.test('no answer in time is a refusal, so that the switch is not made', async (t) => {
  const { predecessor } = open();
  await t.rejects(predecessor.prepare(oneService({}, 5), 5), {
    code: 'workers-not-ready',
    message: /did not answer within 5 ms; traffic stays as it was/,
  });
});

await t.test('a change has been made once its pointer has moved, too', async (t) => {
  const { channel, predecessor } = open();
  const pointed = predecessor.point(5, LONG_MS);
  t.strictSame(channel.told, [{ kind: 'adopt', generation: 5 }]);
  channel.say({ kind: 'done', what: 'prepare', generation: 5 });
  t.notOk(await hasEnded(pointed));
  channel.say({ kind: 'done', what: 'adopt', generation: 5 });
  await t.resolves(pointed);
  await t.resolves(predecessor.point(6, 5), 'it is made already: no answer holds nobody up');
});

await t.test('who ends while it is asked has nothing left that could go wrong', async (t) => {
  const { channel, predecessor } = open();
  const asked = [predecessor.prepare(oneService({}, 5), LONG_MS), predecessor.point(5, LONG_MS)];
  channel.say({ kind: 'left', connections: 3 });
  t.equal(predecessor.connections, 3);
  t.notOk(await hasEnded(predecessor.gone));
  channel.emit('disconnect');
  await t.resolves(Promise.all(asked));
  await t.resolves(predecessor.gone);
  t.equal(predecessor.connections, 0, 'what it had is over');
});

await t.test('who has ended is not asked', async (t) => {
  const { channel, predecessor } = open();
  channel.emit('disconnect');
  await predecessor.prepare(oneService({}, 5), LONG_MS);
  await predecessor.point(5, LONG_MS);
  predecessor.forget(5);
  predecessor.takeOver('1.2.3');
  t.strictSame(channel.told, []);
});

await t.test('it hears who is in charge and what is given up, and tells of the targets', (t) => {
  const { channel, predecessor } = open();
  predecessor.takeOver('1.2.3');
  predecessor.forget(7);
  t.strictSame(channel.told, [
    { kind: 'ready', version: '1.2.3' },
    { kind: 'forget', generation: 7 },
  ]);
  const heard: (readonly HealthReport[])[] = [];
  const reports = [{ url: 'http://127.0.0.1:1' }] as never;
  channel.say({ kind: 'health', reports });
  predecessor.onHealth((told) => heard.push(told));
  channel.say({ kind: 'health', reports });
  t.strictSame(heard, [reports]);
  t.end();
});

/** Holders of tables; each call waits until the test lets it end. */
function holders(names: readonly string[]) {
  const calls: string[] = [];
  const ends: (() => void)[] = [];
  const wait = async (call: string): Promise<void> => {
    calls.push(call);
    await new Promise<void>((resolve) => ends.push(resolve));
  };
  const all = names.map((name): TableHolders => ({
    prepare: async ({ generation }) => wait(`${name} prepare ${generation}`),
    point: async (generation) => wait(`${name} point ${generation}`),
    adopt: async (generation) => wait(`${name} adopt ${generation}`),
    forget: (generation) => calls.push(`${name} forget ${generation}`),
  }));
  return { calls, ends, both: together(all) };
}

await t.test('of several holders all are asked, and all are waited for', async (t) => {
  const { calls, ends, both } = holders(['one', 'two']);
  const steps = {
    prepare: async () => both.prepare(oneService({}, 5), LONG_MS),
    point: async () => both.point(5, LONG_MS),
    adopt: async () => both.adopt(5, LONG_MS),
  };
  for (const [name, ask] of Object.entries(steps)) {
    const asked = ask();
    t.strictSame(calls.splice(0), [`one ${name} 5`, `two ${name} 5`]);
    for (const end of ends.splice(0)) {
      t.notOk(await hasEnded(asked), name);
      end();
    }
    await t.resolves(asked);
  }
  both.forget(5);
  t.strictSame(calls, ['one forget 5', 'two forget 5']);
});

// What a new process asks of the one before it, over a channel whose other end is the test.

import { EventEmitter } from 'node:events';
import t from 'tap';
import { Predecessor, type Known } from '../../../../src/control-plane/upgrade/predecessor.ts';
import {
  HANDOVER_PROTOCOL,
  type PredecessorSays,
  type SuccessorSays,
} from '../../../../src/control-plane/upgrade/successor.ts';
import { settled } from '../support/drained.ts';
import { TestLog } from '../support/fixtures.ts';
import { hasEnded } from '../support/has-ended.ts';
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
  const log = new TestLog();
  return { channel, log, predecessor: new Predecessor(channel, log) };
}

await t.test('a table is prepared once the answer for this table is there', async (t) => {
  const { channel, predecessor } = open();
  const prepared = predecessor.prepare(oneService({}, 5), LONG_MS);
  t.match(channel.told, [{ kind: 'prepare', table: { version: 5 } }]);
  channel.say({ kind: 'done', what: 'prepare', version: 4 });
  channel.say({ kind: 'done', what: 'point', version: 5 });
  t.notOk(await hasEnded(prepared), 'other answers are not this one');
  channel.say({ kind: 'done', what: 'prepare', version: 5 });
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
  t.strictSame(channel.told, [{ kind: 'point', version: 5 }]);
  channel.say({ kind: 'done', what: 'prepare', version: 5 });
  t.notOk(await hasEnded(pointed));
  channel.say({ kind: 'done', what: 'point', version: 5 });
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
  predecessor.takeOver('1.2.3', oneService({}, 1));
  t.strictSame(channel.told, []);
});

await t.test('it hears who is in charge, and goes by the first table of that', async (t) => {
  const { channel, predecessor } = open();
  const table = oneService({}, 1);
  predecessor.takeOver('1.2.3', table);
  const ready = { kind: 'ready', version: '1.2.3', protocol: HANDOVER_PROTOCOL };
  t.strictSame(channel.told, [ready, { kind: 'prepare', table }]);
  channel.say({ kind: 'done', what: 'prepare', version: 1 });
  await settled();
  t.strictSame(channel.told.at(-1), { kind: 'point', version: 1 });
  channel.say({ kind: 'done', what: 'point', version: 1 });
});

await t.test('it hears what is given up, and tells of the targets', (t) => {
  const { channel, predecessor } = open();
  predecessor.forget(7);
  t.strictSame(channel.told, [{ kind: 'forget', version: 7 }]);
  const heard: Known[] = [];
  const reports = [{ url: 'http://127.0.0.1:1' }] as never;
  const names = [{ url: 'http://app.test:1' }] as never;
  const tickets = { keys: 'AAAA', sinceMs: 7 };
  channel.say({ kind: 'health', reports, names, tickets, protocol: HANDOVER_PROTOCOL });
  predecessor.onKnown((told) => heard.push(told));
  t.strictSame(heard, [{ health: reports, names, tickets }], 'also what it has told before');
  channel.say({ kind: 'health', reports, names, protocol: HANDOVER_PROTOCOL });
  t.equal(heard.length, 2);
  t.end();
});

await t.test('one of another version is asked for no table, and refuses no change', async (t) => {
  for (const protocol of [undefined, HANDOVER_PROTOCOL - 1, HANDOVER_PROTOCOL + 1]) {
    const { channel, predecessor, log } = open();
    channel.emit('message', { kind: 'health', reports: [], protocol });
    await predecessor.prepare(oneService({}, 5), LONG_MS);
    await predecessor.point(5, LONG_MS);
    predecessor.forget(4);
    t.strictSame(channel.told, []);
    t.match(log.lines, [
      { level: 'warn', message: /of another version and follows no later change/ },
    ]);
    t.equal(log.lines.length, 1);
    channel.say({ kind: 'left', connections: 3 });
    t.equal(predecessor.connections, 3, 'what it finishes is known all the same');
  }
});

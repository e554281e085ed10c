// Receivers side by side over real sockets: each in its own line, in order, at least once.

import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type {
  HookMoment,
  NotifySettings,
} from '../../../../src/config/settings/rollout/rollout-settings.ts';
import { EventFeed } from '../../../../src/control-plane/notifications/event-feed.ts';
import {
  Notifier,
  deliveryOf,
  type RunCommand,
} from '../../../../src/control-plane/notifications/notifier.ts';
import {
  isMatched,
  receiversOf,
  type ServiceHooks,
} from '../../../../src/control-plane/notifications/receivers.ts';
import { signedPost } from '../../../../src/control-plane/notifications/signed-post.ts';
import type { EventDraft } from '../../../../src/control-plane/store/rollout-store.ts';
import type { Delivery } from '../../../../src/control-plane/notifications/sink.ts';
import { drafts, EventMemory } from '../../../support/event-memory.ts';
import { openReceiver, type Receiver } from '../../../support/webhook-receiver.ts';
import { TestLog } from '../support/fixtures.ts';
import { ManualTimers } from '../support/manual-timers.ts';

function commandHook(on: readonly HookMoment[], program: string): ServiceHooks {
  const hook = { kind: 'command', on, timeoutMs: 1_000, command: [program] } as const;
  return { name: 'shop', rollout: { hooks: [hook] } };
}

const NO_HOOKS: readonly ServiceHooks[] = [];
const WELL: RunCommand = async () => ({ isOk: true, detail: '' });
const FAILING: RunCommand = async () => ({ isOk: false, detail: 'exit code 1: no such container' });

function eventOf(kind: string, service: string): EventDraft[] {
  return drafts(1, { kind, service });
}

function meaningOf(status: number): Delivery {
  return deliveryOf({ kind: 'answered', status, body: '', isCut: false, retryAfterMs: 5 });
}

const post = signedPost({ isOurs: () => false, dns: { addresses: async () => [] } });

function open(
  t: Test,
  notify: readonly NotifySettings[],
  { events = new EventMemory(), hooks = NO_HOOKS, run = WELL } = {},
) {
  const timers = new ManualTimers();
  const feed = new EventFeed(events);
  const notifier = new Notifier({
    log: new TestLog(),
    events,
    feed,
    post,
    run,
    instance: 'edge-1',
    timers,
    now: () => timers.nowMs,
    wallNow: () => Date.now(),
  });
  notifier.use(receiversOf(notify, hooks));
  notifier.start();
  t.teardown(() => notifier.stop());
  const add = async (...rows: ReturnType<typeof drafts>): Promise<void> => {
    await events.add(rows);
    feed.look();
  };
  return { events, feed, notifier, timers, add };
}

function to(receiver: Pick<Receiver, 'url'>, more: Partial<NotifySettings> = {}): NotifySettings {
  return {
    url: receiver.url,
    events: [],
    services: [],
    secretFile: undefined,
    caFile: undefined,
    ...more,
  };
}

/** Resolves when `isSo`; asked after each turn of the loop. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn();
}

void t.test('a receiver gets the payload, in order, with one id at each try', async (t) => {
  const receiver = await openReceiver(t, (response, _received, index) => {
    response.writeHead(index === 0 ? 500 : 200).end();
  });
  const { add, timers, notifier } = open(t, [to(receiver)]);
  const facts = { from: 'blue', to: 'green', release: 'v42', outcome: 'switched' };
  await add(...drafts(1, { rollout: '', data: facts, atMs: 1_800_000_000_000 - 1 }));
  await receiver.until(1);
  await until(() => notifier.status[0]!.fault === 'status 500');
  await timers.pass(5_000);
  const [first, second] = await receiver.until(2);
  t.equal(first!.body, second!.body);
  t.equal(first!.headers['turnout-attempt'], second!.headers['turnout-attempt']);
  t.match(JSON.parse(second!.body), {
    id: 1,
    event: 'switch',
    aliases: ['DeploymentSuccess'],
    service: 'shop',
    rollout: null,
    instance: 'edge-1',
    facts,
  });
});

void t.test(
  'one that hangs, one that is gone and one that answers 500 stop no other',
  async (t) => {
    const hanging = await openReceiver(t, () => {});
    const gone = await openReceiver(t);
    gone.close();
    const broken = await openReceiver(t, (response) => response.writeHead(500).end());
    const well = await openReceiver(t);
    const { add, notifier } = open(t, [to(hanging), to(gone), to(broken), to(well)]);
    await add(...drafts(20));
    const got = await well.until(20);
    t.strictSame(
      got.map(({ body }) => (JSON.parse(body) as { id: number }).id),
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
    await until(() => notifier.status.filter(({ fault }) => fault !== '').length === 2);
    await until(() => notifier.status[3]!.delivered === 20);
    t.match(notifier.status, [
      { waiting: 20, fault: '' },
      { waiting: 20, fault: 'connection refused' },
      { waiting: 20, fault: 'status 500' },
      { waiting: 0, delivered: 20 },
    ]);
    t.equal(hanging.received.length, 1);
  },
);

void t.test(
  'what was not confirmed when the process ended is sent again by the next one',
  async (t) => {
    const receiver = await openReceiver(t, (response, _received, index) => {
      if (index === 2) response.destroy();
      else response.end();
    });
    const events = new EventMemory();
    const before = open(t, [to(receiver)], { events });
    await before.add(...drafts(4));
    await receiver.until(3);
    before.notifier.stop();
    open(t, [to(receiver)], { events });
    const got = await receiver.until(5);
    t.strictSame(
      got.map(({ body }) => (JSON.parse(body) as { id: number }).id),
      [1, 2, 3, 3, 4],
    );
  },
);

void t.test(
  'a thousand events while a receiver is down are bounded, and the status says what is lost',
  async (t) => {
    const gone = await openReceiver(t);
    gone.close();
    const { add, notifier, timers } = open(t, [to(gone)]);
    await add(...drafts(1_200));
    t.match(notifier.status, [{ waiting: 1_000, dropped: 200 }]);
    t.equal(notifier.failed.length, 100, 'the latest are listed');
    t.match(notifier.failed[0], { event: 'switch', service: 'shop', tries: 0, reason: /dropped/ });
    t.equal(notifier.failures.get('notify'), 200);
    t.notMatch(JSON.stringify([notifier.failed, notifier.status]), /s3cret/);
    const back = await openReceiver(t, undefined, gone.port);
    await until(() => notifier.status[0]!.fault !== '');
    await timers.pass(5_000);
    await back.until(1_000);
  },
);

void t.test('events and services choose who hears of what', async (t) => {
  const all = await openReceiver(t);
  const some = await openReceiver(t);
  const { add } = open(t, [
    to(all),
    to(some, { events: ['rollout.*', 'freeze'], services: ['shop'] }),
  ]);
  await add(
    ...eventOf('rollout.done', 'shop'),
    ...eventOf('rollout.done', 'blog'),
    ...eventOf('switch', 'shop'),
  );
  await add(...eventOf('freeze', ''), ...eventOf('rollout.step', 'shop'));
  await all.until(5);
  const got = await some.until(2);
  t.strictSame(
    got.map(({ body }) => (JSON.parse(body) as { event: string }).event),
    ['rollout.done', 'rollout.step'],
  );
  t.ok(isMatched('rollout.done', '*'));
  t.notOk(isMatched('rollout.done', 'rollout'));
});

void t.test(
  'hooks hear of their moment of their service, with a rollout and without',
  async (t) => {
    const ran: Readonly<Record<string, string>>[] = [];
    const run: RunCommand = async ({ env }) => {
      ran.push(env);
      return { isOk: true, detail: '' };
    };
    const on = ['afterSwitch', 'afterDrain', 'onRollback'] as const;
    const hooks = [commandHook(on, '/usr/local/bin/told')];
    const { add, notifier } = open(t, [], { hooks, run });
    const back = { data: { outcome: 'rolled-back' } };
    await add(
      ...drafts(1, { data: { outcome: 'switched', release: 'v2', color: 'green' } }),
      ...drafts(1, { service: 'blog' }),
      ...drafts(1, back),
      ...drafts(1, { ...back, rollout: 'r-7' }),
      ...drafts(1, { kind: 'rollout.rolled-back', rollout: 'r-7' }),
      ...drafts(1, {
        kind: 'drain.safe',
        data: { targets: ['http://a', 'http://b'], release: 'v1' },
      }),
    );
    await until(() => notifier.status[0]!.delivered === 4);
    t.match(ran, [
      { TURNOUT_HOOK: 'afterSwitch', TURNOUT_RELEASE: 'v2', TURNOUT_COLOR: 'green' },
      { TURNOUT_HOOK: 'onRollback', TURNOUT_EVENT: 'switch' },
      { TURNOUT_HOOK: 'onRollback', TURNOUT_EVENT: 'rollout.rolled-back', TURNOUT_ROLLOUT: 'r-7' },
      { TURNOUT_HOOK: 'afterDrain', TURNOUT_TARGETS: 'http://a,http://b', TURNOUT_SERVICE: 'shop' },
    ]);
    t.strictSame(Object.fromEntries(notifier.failures), {
      afterSwitch: 0,
      afterDrain: 0,
      onRollback: 0,
    });
  },
);

void t.test('a command that fails is tried again and told in the end', async (t) => {
  const hooks = [commandHook(['afterDrain'], 'stop')];
  const { add, notifier, timers } = open(t, [], { hooks, run: FAILING });
  await add(...drafts(1, { kind: 'drain.safe' }));
  await timers.pass(900_000);
  t.match(notifier.failed, [
    { tries: 8, reason: 'exit code 1: no such container', event: 'drain.safe' },
  ]);
  t.equal(notifier.failures.get('afterDrain'), 1);
});

void t.test('a reload keeps receivers that stay, and starts and ends the others', async (t) => {
  const one = await openReceiver(t);
  const two = await openReceiver(t);
  const { add, notifier } = open(t, [to(one)]);
  await add(...drafts(1));
  await one.until(1);
  await until(() => notifier.status[0]!.delivered === 1);
  notifier.use(receiversOf([to(one), to(two)], []));
  t.match(
    notifier.status,
    [{ delivered: 1 }, { delivered: 0 }],
    'the first one was not begun anew',
  );
  await add(...drafts(1));
  await two.until(1);
  await one.until(2);
  await until(() => notifier.status.every(({ delivered }) => delivered > 0));
  notifier.use(receiversOf([to(two)], []));
  await add(...drafts(1));
  await two.until(2);
  t.equal(one.received.length, 2);
});

void t.test('two receivers alike have a position each', (t) => {
  const url = 'http://127.0.0.1:1/x';
  const keys = receiversOf([to({ url }), to({ url })], []).map(({ key }) => key);
  t.equal(new Set(keys).size, 2);
  t.notMatch(keys.join(' '), /127/);
  t.end();
});

void t.test('each status of a receiver means one thing', (t) => {
  for (const status of [200, 202, 204, 299])
    t.equal(meaningOf(status).kind, 'taken', String(status));
  for (const status of [301, 307, 400, 401, 410, 413, 422])
    t.equal(meaningOf(status).kind, 'refused', String(status));
  for (const status of [101, 404, 408, 425, 429, 500, 503]) {
    t.match(
      meaningOf(status),
      { kind: status === 101 ? 'refused' : 'failed', retryAfterMs: 5 },
      String(status),
    );
  }
  t.end();
});

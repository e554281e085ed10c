// `--wait`: until the drain that a switch began has ended, and what ends it otherwise.

/* oxlint-disable no-control-regex -- a terminal is steered by them */

import t, { type Test } from 'tap';
import { begunBy } from '../support/read.ts';
import {
  ago,
  drainOf,
  fakeApi,
  ok,
  problem,
  statusAnswer,
  switchedAnswer,
  type Request,
} from '../support/fake-api.ts';
import { fakeTerminal, turnout } from '../support/terminal.ts';

type Reply = ReturnType<typeof ok>;

/** An API that switches, and then gives `drains` one after the other, the last one for ever. */
async function draining(t: Test, drains: readonly (Reply | 'cut')[], switched = {}) {
  const left = [...drains];
  return await fakeApi(t, ({ method, path }: Request) => {
    if (path === '/v1/status') return ok(statusAnswer());
    if (method !== 'GET') return ok(switchedAnswer(switched));
    return left.length > 1 ? left.shift()! : left[0]!;
  });
}

function running(): Reply {
  return ok({ safeToStop: false, draining: [drainOf()], ended: [] });
}

function ended(how: string): Reply {
  return ok({ safeToStop: true, draining: [], ended: [drainOf({ how })] });
}

await t.test('a switch waits until its own drain has ended', async (t) => {
  const api = await draining(t, [running(), running(), running(), ended('drained')]);
  const terminal = fakeTerminal({ isLive: true });
  const { code, out } = await turnout(
    ['switch', 'green', '--wait', '--admin', api.admin],
    terminal,
  );
  t.equal(code, 0);
  t.match(out.split('\n'), [
    /^shop: blue → green/,
    'shop: deployment 11 (v1 on blue) has drained: its targets may be stopped',
  ]);
  t.match(terminal.raws, [
    /shop deployment 11 drains: 1 request, 0 tunnels, 0 streams, ~7 sessions/,
    /^\r\u001b\[2K$/,
  ]);
  t.same(
    [...api.asked.at(-1)!.query],
    [
      ['wait', '1000ms'],
      ['service', 'shop'],
      ['deployment', '11'],
    ],
  );
});

await t.test('a wait says when it ends at the latest, and what would end it now', async (t) => {
  const api = await draining(t, [running(), running(), ended('drained')]);
  const args = ['switch', 'green', '--wait', '--timeout', '90s', '--admin', api.admin];
  t.strictSame((await turnout(args)).err.split('\n').slice(0, 2), [
    'shop deployment 11 drains until 2026-03-04T05:07:37Z at the latest; ' +
      '`turnout drain --evict --service shop --deployment 11` ends it now',
    'this command waits until 2026-03-04T05:07:37Z at the latest',
  ]);
  t.equal((await turnout([...args, '--json'])).err, '');
  const drain = await draining(t, [running(), ended('drained')]);
  const waited = await turnout(['drain', '--wait', '--admin', drain.admin]);
  t.match(waited.err, /^shop deployment 11 drains until \S+Z at the latest/);
});

await t.test('a rollback waits as well', async (t) => {
  const api = await draining(t, [running(), ended('drained')]);
  t.match(await turnout(['rollback', '--wait', '--admin', api.admin]), { code: 0, out: /drained/ });
});

await t.test('a drain whose time was up has ended too', async (t) => {
  const api = await draining(t, [ended('deadline')]);
  const { code, out } = await turnout(['switch', 'green', '--wait', '--admin', api.admin]);
  t.match({ code, out }, { code: 0, out: /had no more time: what was left is cut/ });
});

await t.test('a switch that somebody takes back meanwhile is 1', async (t) => {
  const api = await draining(t, [running(), ended('resumed')]);
  const { code, out } = await turnout(['switch', 'green', '--wait', '--admin', api.admin]);
  t.match(
    { code, out },
    { code: 1, out: /is active again: another caller has taken the switch back/ },
  );
});

await t.test('a wait that is too short is 1, and the way on is told', async (t) => {
  const api = await draining(t, [running()]);
  const args = ['switch', 'green', '--wait', '--timeout', '300ms', '--admin', api.admin];
  const { code, out, err } = await turnout(args);
  t.match({ code, out }, { code: 1, out: /^shop: blue → green/ });
  t.match(err, /still drains after 300ms: `turnout drain --wait --deployment 11` waits on$/);
  const json = await turnout([...args, '--json']);
  t.equal(json.code, 1);
  t.match(JSON.parse(json.out), { to: 'green', drain: { deployment: 11, safeToStop: false } });
});

await t.test('Ctrl-C ends the wait and not the switch', async (t) => {
  const api = await draining(t, [running()]);
  const terminal = fakeTerminal({ isLive: true });
  const run = turnout(['switch', 'green', '--wait', '--admin', api.admin], terminal);
  while (terminal.raws.length === 0) await new Promise(setImmediate);
  terminal.signals.emit('SIGINT');
  const { code, out, err } = await run;
  t.match({ code, out }, { code: 130, out: /^shop: blue → green/ });
  t.match(err, /\nturnout: the switch is made, its drain goes on: `turnout drain --wait/);
  t.match(terminal.raws.at(-1), /^\r\u001b\[2K$/, 'the line is gone');
  t.same(terminal.signals.eventNames(), []);
});

await t.test('Ctrl-C ends `drain --wait`', async (t) => {
  const api = await draining(t, [running()]);
  for (const json of [[], ['--json']]) {
    const terminal = fakeTerminal();
    const run = turnout(['drain', '--wait', '--admin', api.admin, ...json], terminal);
    const before = api.asked.length;
    while (api.asked.length === before) await new Promise(setImmediate);
    terminal.signals.emit('SIGTERM');
    const { code, out, err } = await run;
    t.equal(code, 130);
    if (json.length > 0) t.match(JSON.parse(out), { code: 'interrupted' });
    else t.match(err, /interrupted; what drains goes on/);
  }
});

await t.test('what was not left to drain is not waited for', async (t) => {
  const old = { ...drainOf(), startedAt: ago(60_000) };
  for (const drains of [
    { draining: [], ended: [] },
    // Another color, a later generation, another switch: none of them is ours.
    { draining: [drainOf({ color: 'green' })], ended: [drainOf({ generation: 9 }), old] },
  ]) {
    const api = await draining(t, [ok(drains)]);
    const args = ['switch', 'green', '--wait', '--admin', api.admin];
    t.match(await turnout(args), { code: 0, out: /shop: nothing was left to drain$/ });
    t.match(JSON.parse((await turnout([...args, '--json'])).out), { to: 'green', drain: null });
  }
});

await t.test('of all that drains, a switch has begun the latest', (t) => {
  const switched = switchedAnswer();
  const drains = {
    draining: [drainOf({ generation: 1 })],
    ended: [drainOf({ generation: 4, how: 'drained' }), drainOf({ generation: 3 })],
  };
  t.match(begunBy(switched, drains), { generation: 4 });
  for (const nonsense of [null, {}, { draining: [null, {}, 1] }]) {
    t.equal(begunBy(switched, nonsense), undefined);
    t.equal(begunBy(nonsense, drains), undefined);
  }
  t.end();
});

await t.test('a server that is away for a moment ends no wait', async (t) => {
  const away = [problem(503, 'stopping'), 'cut', 'cut'] as const;
  const api = await draining(t, [running(), running(), ...away, ended('drained')]);
  const terminal = fakeTerminal({ isLive: true });
  const { code } = await turnout(['switch', 'green', '--wait', '--admin', api.admin], terminal);
  t.equal(code, 0);
  t.match(terminal.raws.join('\n'), /asking again: title of stopping/);
  t.match(terminal.raws.join('\n'), /asking again: no answer from/);
});

await t.test('a server that was started anew has forgotten a drain that ended', async (t) => {
  const api = await draining(t, [running(), ok({ draining: [], ended: [] })]);
  const { code, out } = await turnout(['switch', 'green', '--wait', '--admin', api.admin]);
  t.match({ code, out }, { code: 0, out: /deployment 11 \(v1 on blue\) has drained/ });
});

await t.test('a refusal ends a wait at once', async (t) => {
  const api = await draining(t, [running(), problem(403, 'forbidden')]);
  t.match(await turnout(['switch', 'green', '--wait', '--admin', api.admin]), {
    code: 2,
    err: /title of forbidden/,
  });
});

// `turnout rollout watch` on a screen: the keys that it offers, and what they do.

import t, { type Test } from 'tap';
import { BASE, END, rolloutServer } from '../support/rollout-server.ts';
import { rolloutView } from '../../../support/rollout-view.ts';
import { fakeTerminal, turnout, type FakeTerminal } from '../support/terminal.ts';
import { once } from 'node:events';
import type { RolloutView } from '../../../../src/api/rollout-views.ts';

/** A watch on a screen, whose server holds each look that waits. */
async function onScreen(t: Test, view = BASE) {
  const looks: ((view: RolloutView) => void)[] = [];
  const terminal = fakeTerminal({
    window: { columns: 100, rows: 40 },
    hasKeys: true,
    isLive: true,
  });
  const { admin, changes, asked } = await rolloutServer(t, [view], async ({ query, method }) => {
    if (method === 'POST') return { status: 200, body: view };
    if (!query.has('wait')) return { status: 200, body: view };
    const { promise, resolve } = Promise.withResolvers<RolloutView>();
    looks.push(resolve);
    terminal.signals.emit('look');
    return { status: 200, body: await promise };
  });
  const looked = once(terminal.signals, 'look');
  const ended = turnout(['rollout', 'watch', '--admin', admin], terminal);
  await looked;
  return { terminal, changes, asked, ended, show: (next: RolloutView) => looks.shift()!(next) };
}

function foot({ draws }: FakeTerminal): string {
  return draws.at(-1)!.split('\n').at(-1)!;
}

/** Resolves once something was drawn whose last line matches. */
async function drawn(terminal: FakeTerminal, pattern: RegExp): Promise<void> {
  while (!pattern.test(foot(terminal))) await new Promise((resolve) => void setImmediate(resolve));
}

await t.test(
  'a screen offers the keys that do something now, and q leaves it running',
  async (t) => {
    const { terminal, ended, changes } = await onScreen(t);
    t.match(foot(terminal), /p pause {3}s skip {3}x abort {3}q leave it running/);
    terminal.press('z');
    terminal.press('a');
    terminal.press('q');
    const { code, out, err } = await ended;
    t.equal(code, 130);
    t.match(out, /^shop · r-118/, 'what was last seen stays');
    t.match(err, /it goes on in the server/);
    t.same(changes(), []);
    t.equal(terminal.signals.listenerCount('key'), 0);
    t.match(terminal.draws.at(-1), /\[\?1049l/, 'the terminal is given back');
  },
);

await t.test('a key that moves traffic asks once more', async (t) => {
  const { terminal, changes, ended } = await onScreen(t);
  for (const other of ['n', 'x', 'q', '\r']) {
    terminal.press('x');
    t.match(foot(terminal), /take the traffic back\? \[y\/N\]/);
    terminal.press(other);
    t.notMatch(foot(terminal), /\[y\/N\]/);
  }
  t.same(changes(), []);
  terminal.press('x');
  terminal.press('y');
  await drawn(terminal, /abort: done/);
  t.same(changes(), ['/v1/rollouts/r-118/abort {}']);
  terminal.press('\u0003');
  t.match(await ended, { code: 130 });
});

await t.test('an approval by key is bound to what is shown', async (t) => {
  const status = { kind: 'waiting', for: 'approval', gate: 'qa' } as const;
  const { terminal, asked, ended, show } = await onScreen(t, rolloutView({ status }));
  t.match(foot(terminal), /a approve/);
  terminal.press('a');
  await drawn(terminal, /approve: done/);
  t.match(asked.at(-1), { path: '/v1/rollouts/r-118/approve', headers: { 'if-match': '"12"' } });
  show(rolloutView({ stage: 'done', end: END, event: 13 }));
  t.match(await ended, { code: 0, out: /✔ registered/ });
});

await t.test('Ctrl-Z gives the terminal back, and fg draws it again', async (t) => {
  const { terminal, ended } = await onScreen(t);
  terminal.press('\u001A');
  t.equal(terminal.suspended, 1);
  t.equal(terminal.signals.listenerCount('key'), 0);
  terminal.signals.emit('SIGCONT');
  t.equal(terminal.signals.listenerCount('key'), 1);
  t.match(foot(terminal), /q leave it running/);
  terminal.press('q');
  await ended;
});

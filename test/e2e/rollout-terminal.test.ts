// A rollout on a real terminal, against a real Turnout: it is drawn while it goes on, keys steer it,
// and leaving it leaves it running.

import { createServer } from 'node:http';
import t, { type Test } from 'tap';
import { serve } from '../support/serving.ts';
import { CTRL_C, openTerminal } from './terminal-process.ts';
import { startTurnout, turnout } from './turnout-process.ts';

async function app(t: Test, name: string): Promise<string> {
  const { port } = await serve(
    t,
    createServer((_request, response) => response.end(name)),
  );
  return `http://127.0.0.1:${port}`;
}

/** Both colors can have the traffic at once; green has the release v2. */
async function stage(t: Test) {
  const targets = ['--blue', await app(t, 'blue'), '--green', await app(t, 'green')];
  const flags = ['--green-release', 'v2', '--health-kind', 'none'];
  const running = await startTurnout(t, [...targets, ...flags]);
  return { ...running, environment: { TURNOUT_ADMIN: running.admin } };
}

/** A plan that waits for a person, and no guard that needs traffic to speak. */
const TERMS = '--plan 10%:pause --bake 0s --guard off --yes';

await t.test('it is drawn, steered by keys, and goes on when it is left', async (t) => {
  const { environment, admin } = await stage(t);
  const screen = openTerminal(t, `turnout switch green ${TERMS} --wait; exit $?`, {
    environment,
    columns: 100,
  });
  await screen.until(/the plan pauses here[^]*q leave it running/);
  screen.type('q');
  t.equal(await screen.ended, 130);
  t.match(screen.text(), /left; it goes on in the server: `turnout rollout watch r-1` shows it/);
  const stays = await turnout(['rollout', '--json', '--admin', admin]);
  t.match(JSON.parse(stays.out), { id: 'r-1', stage: 'shifting', status: { kind: 'waiting' } });

  const again = openTerminal(t, 'turnout rollout watch; exit $?', { environment, columns: 60 });
  await again.until(/q leave it running/);
  again.type('x');
  await again.until(/take the traffic back\? \[y\/N\]/);
  again.type('n');
  const from = await again.until(/q leave it running/);
  again.type('x');
  await again.until(/\[y\/N\]/, from);
  again.type('y');
  t.equal(await again.ended, 1, 'it was rolled back');
  t.match(again.text(), /rolled back \(operator by loopback\)/);
});

await t.test('Ctrl-C gives the terminal back and leaves it running', async (t) => {
  const { environment, admin } = await stage(t);
  const line = `turnout switch green ${TERMS} && turnout rollout watch; echo "code $?"; stty -a`;
  const screen = openTerminal(t, line, { environment });
  // Not before: there is nothing to resume as long as the plan does not pause.
  await screen.until(/the plan pauses here[^]*q leave it running/);
  screen.type(CTRL_C);
  await screen.ended;
  t.match(screen.text(), /code 130/);
  t.match(screen.text(), / icanon/, 'the keyboard edits lines again');
  const resumed = await turnout(['rollout', 'resume', '--admin', admin]);
  t.equal(resumed.code, 0);
  const { code } = await turnout(['rollout', 'watch', 'r-1', '--until', 'baked', '--admin', admin]);
  t.equal(code, 0);
});

await t.test(
  'a log has a line for each event, and ASCII where nothing else is there',
  async (t) => {
    const { environment } = await stage(t);
    const line = `turnout switch green ${TERMS} && turnout rollout watch --until waiting | cat; exit $?`;
    const log = openTerminal(t, line, { environment: { ...environment, LC_ALL: 'C' } });
    t.equal(await log.ended, 0);
    t.match(log.text(), /r-1 step: 10% of new sessions\n.* r-1 waiting: plan/);
    t.notMatch(log.text(), /[▶✔·→]/);
  },
);

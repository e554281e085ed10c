// Two callers who react to one alarm at the same moment make one change and not two, and a script
// never toggles.

import t, { type Test } from 'tap';
import {
  ago,
  fakeApi,
  ok,
  problem,
  statusAnswer,
  switchedAnswer,
  type Request,
} from '../support/fake-api.ts';
import { turnout } from '../support/terminal.ts';

/** A server with a generation: a change for another one is refused. */
async function server(t: Test, { active = 'blue' } = {}) {
  const state = { generation: 5, active, since: 2, switches: [] as object[] };
  const meanwhile: (() => void)[] = [];
  const other = (): string => (state.active === 'blue' ? 'green' : 'blue');
  const go = (outcome: string, actor: string): void => {
    const [from, to] = [state.active, other()];
    const left = from === 'blue' ? 11 : 12;
    state.generation++;
    state.since = state.generation;
    state.active = to;
    state.switches.unshift({ from, to, left, outcome, actor, at: ago(0) });
  };
  const api = await fakeApi(t, ({ method, headers, body }: Request) => {
    if (method === 'GET') {
      const { generation, since, switches } = state;
      const status = statusAnswer({ generation, since, active: state.active, switches });
      meanwhile.shift()?.();
      return ok(status);
    }
    if (headers['if-match'] !== `"${state.generation}"` && headers['if-match'] !== undefined) {
      return problem(412, 'generation-mismatch');
    }
    const { to } = (body ?? {}) as { to?: string };
    if (to === state.active) return ok(switchedAnswer({ to, changed: false }));
    go('switched', 'me');
    return ok(switchedAnswer({ from: other(), to: state.active }));
  });
  return {
    ...api,
    state,
    /** What another caller does between our look and our change. */
    meanwhile: (...what: (() => void)[]) => void meanwhile.push(...what),
    go,
  };
}

await t.test('a switch that another caller has just made is made once', async (t) => {
  const { admin, state, meanwhile, go } = await server(t);
  meanwhile(() => go('switched', 'anna'));
  const { code, out } = await turnout(['switch', 'green', '--admin', admin]);
  t.match({ code, out }, { code: 0, out: /green is active already/ });
  t.equal(state.active, 'green');
});

await t.test('a switch to the other color is not turned round on a terminal', async (t) => {
  const { admin, state, meanwhile, go } = await server(t);
  meanwhile(() => go('switched', 'anna'));
  const { code, err } = await turnout(['switch', '--yes', '--admin', admin], { answers: [] });
  t.match({ code, err }, { code: 2, err: /generation-mismatch/ });
  t.equal(state.active, 'green', 'both together have switched once');
});

await t.test('without a terminal the color is demanded: 64', async (t) => {
  const { admin, asked } = await server(t);
  for (const [args, of] of [
    [['switch'], ''],
    [['switch', '--yes', '--service', 'a'], ' --service a'],
    [['switch', '--services', 'a,b'], ' --services a,b'],
  ] as const) {
    const { code, err } = await turnout([...args, '--admin', admin]);
    t.equal(code, 64);
    t.match(err, `say where to: \`turnout switch blue${of}\`, \`turnout switch green${of}\``);
  }
  t.strictSame(asked, []);
});

await t.test('decisions on other services keep no change from being made', async (t) => {
  const { admin, state, meanwhile } = await server(t);
  meanwhile(() => void state.generation++);
  t.match(await turnout(['switch', 'green', '--admin', admin]), { code: 0, out: /blue → green/ });
  meanwhile(() => void state.generation++);
  t.match(await turnout(['rollback', '--admin', admin]), { code: 0 });
});

await t.test('a rollback that another operator has just made is made once', async (t) => {
  const { admin, state, meanwhile, go, changes } = await server(t, { active: 'green' });
  meanwhile(() => go('rolled-back', 'anna'));
  const { code, out } = await turnout(['rollback', '--admin', admin]);
  const words = 'shop: anna has rolled back already: blue is active, nothing more was done';
  t.strictSame({ code, out }, { code: 0, out: words });
  t.equal(state.active, 'blue');
  t.equal(changes().length, 1);
});

await t.test('a rollback is kept from undoing a switch that came meanwhile', async (t) => {
  const { admin, state, meanwhile, go } = await server(t);
  meanwhile(() => go('switched', 'ci'));
  const { code } = await turnout(['rollback', '--admin', admin]);
  t.equal(code, 2);
  t.equal(state.active, 'green', 'what is active now was not what was looked at');
});

await t.test('a server whose status can not be read is asked all the same', async (t) => {
  const api = await fakeApi(t, ({ method }) =>
    method === 'GET' ? problem(503, 'frozen') : ok(switchedAnswer()),
  );
  for (const args of [['switch', 'green'], ['rollback'], ['switch', 'green', '--services', 'a']]) {
    await turnout([...args, '--admin', api.admin]);
  }
  t.strictSame(
    api.changes().map(({ headers }) => headers['if-match']),
    [undefined, undefined, undefined],
  );
});

await t.test(
  'a way back that would be shut is told before the switch, and in a dry run',
  async (t) => {
    const sick = {
      health: 'down',
      targets: [{ url: 'http://a', health: 'down', reason: 'GET /healthz gave 404' }],
    };
    const api = await fakeApi(t, ({ method }) =>
      ok(method === 'GET' ? statusAnswer({ blue: sick }) : switchedAnswer()),
    );
    const words =
      /way back would be shut: blue is down \(GET \/healthz gave 404\), so a rollback would be refused/;
    t.match(await turnout(['switch', 'green', '--admin', api.admin]), { code: 0, err: words });
    const dry = await turnout(['switch', 'green', '--dry-run', '--admin', api.admin]);
    t.match(dry, { code: 0, err: words });
    const asked = await turnout(['switch', '--admin', api.admin], { answers: ['n'] });
    t.match(asked.err.replaceAll(/\s+/g, ' '), words);
    const json = await turnout(['switch', 'green', '--json', '--admin', api.admin]);
    t.equal(json.err, '');
  },
);

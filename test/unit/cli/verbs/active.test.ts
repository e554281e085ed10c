// `turnout active`: what is asked, and what the exit code says.

import t from 'tap';
import { fakeApi, ok, type Request } from '../support/fake-api.ts';
import { fakeTerminal, turnout } from '../support/terminal.ts';

function answer({ query }: Request, active: 'blue' | 'green', generation: number): object {
  const color = query.get('color');
  const release = active === 'blue' ? 'v1' : 'v2';
  const isActive = color === active;
  const role = isActive ? 'active' : 'idle';
  const you = color === null ? null : { color, deployment: 1, release: 'x', role, isActive };
  return { service: 'shop', color: active, deployment: 2, release, generation, you };
}

const IS_BLUE = 'shop: blue is active (release v1, deployment 2, since generation 7)';

await t.test('the exit code says whether the color is active', async (t) => {
  const api = await fakeApi(t, (request) => ok(answer(request, 'blue', 7)));
  const cases: [args: string[], code: number, out: string][] = [
    [[], 0, IS_BLUE],
    [['--color', 'blue'], 0, IS_BLUE],
    [['--color', 'green'], 1, `${IS_BLUE}; green is idle`],
    [['--color', 'blue', '--wait', '1h'], 0, IS_BLUE],
  ];
  for (const [args, code, out] of cases) {
    const ran = await turnout(['active', ...args, '--admin', api.admin]);
    t.same({ code: ran.code, out: ran.out }, { code, out }, args.join(' '));
  }
  t.ok(api.asked.every(({ query }) => query.get('lease') === '0s' && !query.has('since')));
});

await t.test('a wait ends with the switch that brings the color', async (t) => {
  const api = await fakeApi(t, (request) => {
    const isLast = request.query.get('since') === '8';
    const generation = request.query.has('since') ? 8 : 7;
    return ok(isLast ? answer(request, 'green', 9) : answer(request, 'blue', generation));
  });
  const args = ['active', '--service', 'shop', '--color', 'green', '--wait', '10m'];
  const { code } = await turnout([...args, '--admin', api.admin]);
  t.equal(code, 0);
  t.strictSame(
    api.asked.map(({ query }) => [query.get('since'), query.get('service')]),
    [null, '7', '8'].map((since) => [since, 'shop']),
  );
  t.match(api.asked[1]?.query.get('wait'), /^(?:60s|1m)$/);
});

await t.test('Ctrl-C ends a wait with 130', async (t) => {
  const terminal = fakeTerminal();
  const api = await fakeApi(t, async (request) => {
    if (!request.query.has('since')) return ok(answer(request, 'blue', 7));
    terminal.signals.emit('SIGINT');
    return await new Promise<never>(() => {});
  });
  const args = ['active', '--color', 'green', '--wait', '10m', '--admin', api.admin];
  t.match(await turnout(args, terminal), { code: 130 });
});

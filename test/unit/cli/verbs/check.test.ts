// `turnout ready` and `turnout status --check`: what they print, how they end, and that they come to
// the same by the short way and by the table of commands. The short way loads next to nothing.

import { spawnSync } from 'node:child_process';
import t, { type Test } from 'tap';
import { CHECK_EXIT } from '../../../../src/cli/client/exit.ts';
import { startLightly } from '../../../../src/cli/program/light-start.ts';
import { statusText } from '../support/read.ts';
import { fakeApi, ok, problem, statusAnswer } from '../support/fake-api.ts';
import { fakeTerminal, turnout } from '../support/terminal.ts';

const OUTAGE = {
  severity: 'critical',
  service: 'shop',
  text: 'blue is active and DOWN for 4 s (http://127.0.0.1:3001 (connection refused)); green is up',
  command: 'turnout switch green',
};
const RELOAD = {
  severity: 'warning',
  service: null,
  text: 'the last reload was not done: line 3',
  command: null,
};

/** Runs a command by both ways; both have to say the same. */
async function bothWays(t: Test, args: readonly string[]) {
  const terminal = fakeTerminal();
  const code = await startLightly(terminal, args);
  const usual = await turnout(args);
  const light = { code, out: terminal.outs.join('\n'), err: terminal.errs.join('\n') };
  t.match(usual, light, 'both ways come to the same');
  return light;
}

await t.test('a check ends as monitoring expects, with the worst first', async (t) => {
  const answers = [
    { body: { severity: 'ok', services: 2, alarms: [] }, code: 0, out: /^OK: requests are served/ },
    {
      body: { severity: 'warning', services: 1, alarms: [RELOAD] },
      code: 1,
      out: /^WARNING: the last reload was not done: line 3$/,
    },
    {
      body: { severity: 'critical', services: 1, alarms: [OUTAGE, RELOAD] },
      code: 2,
      out: /^CRITICAL: shop: blue is active and DOWN.*; green is up: `turnout switch green`\nWARNING: /,
    },
  ];
  for (const { body, code, out } of answers) {
    const api = await fakeApi(t, () => ok(body));
    t.match(await bothWays(t, ['status', '--check', '--admin', api.admin]), { code, out });
    const json = await bothWays(t, ['status', '--check', '--json', '--admin', api.admin]);
    t.equal(json.code, code);
    t.strictSame(JSON.parse(json.out), body);
    t.match(api.lines(), ['GET /v1/check']);
  }
});

await t.test('what can not be asked is unknown, whatever the reason', async (t) => {
  const gone = await bothWays(t, ['status', '--check', '--admin', 'unix:/none']);
  t.match(gone, {
    code: CHECK_EXIT.unknown,
    out: /^UNKNOWN: no answer from unix:\/none \(ENOENT\)/,
  });
  const forbidden = await fakeApi(t, () => problem(403, 'forbidden'));
  const refused = await bothWays(t, ['status', '--check', '--admin', forbidden.admin]);
  t.match(refused, { code: CHECK_EXIT.unknown, out: /^UNKNOWN: title of forbidden: detail/ });
  const other = await fakeApi(t, () => ({ status: 200, body: '<html>' }));
  const stranger = await bothWays(t, ['status', '--check', '--admin', other.admin]);
  t.match(stranger, { code: CHECK_EXIT.unknown, out: /^UNKNOWN: expected the admin API/ });
  const bad = await bothWays(t, ['status', '--check', '--admin', 'nonsense:port']);
  t.match(bad, { code: CHECK_EXIT.unknown, err: /--admin: expected/ });
});

await t.test('a check names the service, also that of the variable', async (t) => {
  const api = await fakeApi(t, () => ok({ severity: 'ok', services: 1, alarms: [] }));
  await bothWays(t, ['status', '--check', '--service', 'a b', '--admin', api.admin]);
  const environment = { TURNOUT_SERVICE: 'bank', TURNOUT_ADMIN: api.admin };
  await startLightly(fakeTerminal({ environment }), ['status', '--check']);
  const asked = api.asked.map(({ query }) => query.get('service'));
  t.strictSame(asked, ['a b', 'a b', 'bank']);
});

await t.test('ready says so in the words of its page, also where no target answers', async (t) => {
  const api = await fakeApi(t, () => ok({ status: 'ok', warning: 'no target answers: 1 service' }));
  const answer = await bothWays(t, ['ready', '--admin', api.admin]);
  t.match(answer, { code: 0, out: 'ready; but no target answers: 1 service' });
  const stopping = await fakeApi(t, () => problem(503, 'not-ready'));
  t.match(await bothWays(t, ['ready', '--admin', stopping.admin]), { code: 1 });
});

await t.test('anything else goes by the table of commands', async (t) => {
  const others = [
    ['ready', '--help'],
    ['status'],
    ['status', '--check', '--watch'],
    ['ready', 'x'],
  ];
  for (const args of others) t.equal(await startLightly(fakeTerminal(), args), undefined);
  t.match(await turnout(['status', '--check', '--watch']), {
    code: 64,
    err: /cannot be used with/,
  });
});

await t.test('a status begins with what is wrong, and does not read ready', (t) => {
  const reload = { at: '2026-03-04T05:06:00.000Z', actor: 'file', problem: 'line 3' };
  const alarms = [OUTAGE, RELOAD];
  const text = statusText(fakeTerminal(), { ...statusAnswer(), reload, alarms });
  t.match(
    text,
    /^shop: blue is active and DOWN.*\n?.*`turnout switch green`\n\nturnout 1\.2\.3 · OUTAGE · /,
  );
  t.notMatch(text, /· ready/);
  t.equal(text.match(/line 3/g)?.length, 1, 'what is said at length is said once');
  const halted = { ...RELOAD, text: 'no change is taken until a restart' };
  t.match(
    statusText(fakeTerminal(), { ...statusAnswer(), alarms: [halted] }),
    /^no change is taken/,
  );
  const warned = { ...OUTAGE, severity: 'warning' };
  t.match(statusText(fakeTerminal(), { ...statusAnswer(), alarms: [warned] }), /· ready ·/);
  t.end();
});

await t.test('a check loads no library', (t) => {
  const script = `
    import { registerHooks } from 'node:module';
    registerHooks({ load: (url, context, next) => (console.log(url), next(url, context)) });
    process.argv = ['node', 'turnout', 'ready', '--admin', '127.0.0.1:1'];
    await import(${JSON.stringify(new URL('../../../../src/main.ts', import.meta.url).href)});`;
  const args = ['--input-type=module', '--eval', script];
  const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  t.equal(status, 1, 'no server is there');
  const loaded = stdout.trim().split('\n');
  t.ok(loaded.some((url) => url.endsWith('src/main.ts')));
  t.strictSame(
    loaded.filter((url) => url.includes('node_modules')),
    [],
  );
  t.end();
});

// Words of a command line that are not understood: the exit code, what is said, and that nothing begins.

import t from 'tap';
import { turnout } from '../support/terminal.ts';

const WRONG: readonly (readonly string[])[] = [
  ['fly'],
  ['switch', 'green', 'now'],
  ['switch'],
  ['switch', '--yes'],
  ['switch', '--dry-run'],
  ['switch', '--services', 'a,b'],
  ['switch', 'green', '--force'],
  ['switch', 'green', '--plan', 'canary-200-5m'],
  ['switch', 'green', '--plan', '10%:5m', '--bake', 'long'],
  ['switch', 'green', '--guard', 'promote'],
  ['switch', 'green', '--timeout', '3s'],
  ['switch', 'green', '--wait', '--timeout', 'soon'],
  ['rollback', '--force'],
  ['rollback', '--restick', 'some'],
  ['deploy'],
  ['deploy', 'v1'],
  ['deploy', 'v1', '--targets', ''],
  ['deploy', 'v1', '--targets', 'http://a,,http://b'],
  ['deploy', 'v1', '--targets', 'http://a', '--timeout', '30'],
  ['deploy', 'v1', '--targets', 'http://a', '--plan', 'linear'.repeat(2)],
  ['deploy', 'v1', '--targets', 'http://a', '--plan', 'canary-10-5m', '--timeout', '1m'],
  ['deploy', 'v1', '--targets', 'http://a', '--plan', 'canary-10-5m', '--no-switch'],
  ['rollout', 'plan'],
  ['rollout', 'plan', 'big-bang'],
  ['rollout', 'promote'],
  ['rollout', 'promote', '--reason', ' '],
  ['rollout', 'watch', '--until', 'lunch'],
  ['rollout', 'watch', '--timeout', 'x'],
  ['rollout', 'abort', '--ramp', 'x'],
  ['rollout', 'abort', '--restick', 'some'],
  ['rollout', 'list', '--limit', 'x'],
  ['rollout', 'point-of-no-return'],
  ['rollout', 'point-of-no-return', 'maybe'],
  ['rollout', 'schema'],
  ['rollout', 'schema', 'x', '--reason', 'y'],
  ['rollout', 'schema', '12'],
  ['status', '--nope'],
  ['status', '--interval', '1ms', '--watch'],
  ['status', '--interval', 'often', '--watch'],
  ['status', '--admin', 'nowhere'],
  ['status', '--admin', 'https://unix:/a'],
  ['status', '--ca', '/does/not/exist'],
  ['status', '--ca', '/does/not/exist', '--admin', 'https://127.0.0.1:1'],
  ['status', '--token', 'two words'],
  ['drain', '--generation', 'x'],
  ['drain', '--deployment', 'x'],
  ['drain', '--deployment', '3', '--generation', '2'],
  ['drain', '--timeout', 'x'],
  ['drain', '--timeout', '5s'],
  ['drain', '--wait', '--timeout', 'x'],
  ['history', '--limit', 'x'],
  ['history', '--limit', '0'],
  ['events', '--since', 'yesterday'],
  ['active', '--color', 'red'],
  ['active', '--wait', '5s'],
  ['active', '--color', 'blue', '--wait', 'soon'],
  ['audit', '--limit', '-1'],
  ['audit', '--before', 'x'],
  ['hold', '--for', '1y'],
  ['maintenance', 'on', '--retry-after', 'soon'],
  ['preview', '--for', '1'],
  ['switch', 'green', '--hold', 'x'],
  ['token', 'create', 'bot', '--life', 'long'],
  ['token'],
  ['token', 'help'],
  ['config', 'help'],
  ['hold', '--methods', 'some'],
  ['maintenance', 'perhaps'],
  ['maintenance'],
  ['run', '--nope', '1'],
  ['run', '--workers'],
  ['run', '--workers', 'many', '--blue', 'http://h:1'],
  ['run'],
  ['demo', '--listen', 'nowhere'],
  ['config', 'check'],
  ['config', 'check', '/does/not/exist'],
  ['config', 'chekc', 'file'],
  ['completion'],
  ['completion', 'tcsh'],
  ['help', 'fly'],
  ['help', 'config', 'fly'],
  [],
];

await t.test('wrong usage is 64, says why, and starts nothing', async (t) => {
  for (const args of WRONG) {
    const { code, out, err } = await turnout(args);
    t.equal(code, 64, args.join(' '));
    t.equal(out, '', args.join(' '));
    t.not(err, '', args.join(' '));
  }
});

await t.test('wrong usage is one JSON document for scripts', async (t) => {
  const environment = { TURNOUT_JSON: 'true' };
  for (const args of WRONG) {
    const { code, out, err } = await turnout(args, { environment });
    t.equal(code, 64, args.join(' '));
    t.ok(JSON.parse(out), args.join(' '));
    t.equal(out.split('\n').length, 1);
    t.equal(err, '');
  }
  t.same(JSON.parse((await turnout(['fly', '--json'])).out), {
    code: 'usage',
    message: "unknown command 'fly'",
  });
});

await t.test('wrong usage leads to the page of its command', async (t) => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['fly'], /^turnout: unknown command 'fly'\n`turnout --help` shows all commands$/],
    [['help', 'fly'], /^turnout: unknown command 'fly'\n`turnout --help` shows all commands$/],
    [
      ['unlock', 'up'],
      /^turnout: .*'up'.*blue, green\.\n`turnout help unlock` tells all about it$/,
    ],
    [['freeze'], /^turnout: .*--reason <text>.*\n`turnout help freeze` tells all about it$/],
    [['config', 'check'], /^turnout: .*\n`turnout help config check` tells all about it$/],
    [['token', 'end'], /^turnout: unknown command 'end'\n`turnout help token` tells all about it$/],
    [['hold', '--for', '1y'], /^turnout: --for: expected a duration such as 500ms.* got "1y"$/],
    [['history', '--limit', 'x'], /^turnout: --limit: expected a number such as 12, got "x"$/],
  ];
  for (const [args, words] of cases) t.match((await turnout(args)).err, words, args.join(' '));
  t.notMatch((await turnout(['config'])).err, /display help/, 'help is a command of turnout alone');
});

await t.test('an unknown command or option is told the nearest', async (t) => {
  t.match((await turnout(['swich'])).err, /unknown command 'swich'\n\(Did you mean switch\?\)/);
  t.match((await turnout(['status', '--wacth'])).err, /Did you mean --watch\?/);
  t.match((await turnout(['help', 'rolback'])).err, /did you mean rollback\?/);
});

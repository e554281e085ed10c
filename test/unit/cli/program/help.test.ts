// The help: a page for every command, with examples that work and the exit codes there are.

/* oxlint-disable no-control-regex -- a terminal is steered by them */

import type { Command } from 'commander';
import t from 'tap';
import { buildProgram } from '../../../../src/cli/program/commands.ts';
import { EXIT, EXIT_MEANINGS } from '../../../../src/cli/client/exit.ts';
import { pathOf } from '../../../../src/cli/program/help.ts';
import { EXAMPLES, EXPLANATIONS } from '../../../../src/cli/program/manual.ts';
import { widthOf } from '../../../../src/cli/terminal/width.ts';
import { allSettings } from '../../../../src/config/settings/table/settings-list.ts';
import { fakeTerminal, turnout } from '../support/terminal.ts';

const OUTCOMES = { finish: () => {}, complain: () => {} };
const PROGRAM = buildProgram(fakeTerminal(), OUTCOMES, allSettings());

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

const COMMANDS = everyCommand(PROGRAM);

/** `turnout config` only holds others; `turnout rollout` does something, and holds others as well. */
function doesSomething({ commands, registeredArguments }: Command): boolean {
  return commands.length === 0 || registeredArguments.length > 0;
}

const LEAVES = COMMANDS.filter(doesSomething);

await t.test('help and version are a success', async (t) => {
  for (const args of [['--help'], ['-h'], ['help'], ['help', 'run'], ['run', '--help']]) {
    t.match(await turnout(args), { code: 0, out: /^NAME\n {2}turnout/, err: '' }, args.join(' '));
  }
  t.match(await turnout(['help', 'config', 'check']), { code: 0, out: /turnout config check - / });
  t.match(await turnout(['--version']), { code: 0, out: /^\d+\.\d+\.\d+/ });
});

await t.test('`help X` and `X --help` are one page', async (t) => {
  for (const command of COMMANDS) {
    const names = pathOf(command).split(' ').slice(1);
    const asked = await turnout(['help', ...names]);
    const flagged = await turnout([...names, '--help']);
    t.equal(asked.out, flagged.out, names.join(' '));
    t.equal(asked.code, 0);
  }
});

await t.test('the page of turnout names every command once, in groups', async (t) => {
  const { out } = await turnout(['--help']);
  for (const { name, description } of PROGRAM.commands.map((one) => ({
    name: one.name(),
    description: one.description(),
  }))) {
    t.equal(out.split('\n').filter((line) => line.startsWith(`  ${name} `)).length, 1, name);
    t.ok(description.length > 10, name);
  }
  const groups = [...out.matchAll(/^COMMANDS: (\w+)$/gm)].map(([, group]) => group);
  t.same(groups, ['RUN', 'LOOK', 'CHANGE', 'OPERATE']);
  t.notMatch(out, /^COMMANDS$/m, 'each command has a group');
});

await t.test('every command has an explanation or an example, and none is stale', async (t) => {
  const paths = LEAVES.map(pathOf).filter((path) => path !== 'turnout help');
  t.same(
    paths.filter((path) => EXAMPLES[path] === undefined),
    [],
    'a command without an example',
  );
  const known = new Set(['turnout', ...paths]);
  const written = [...Object.keys(EXAMPLES), ...Object.keys(EXPLANATIONS)];
  t.same(
    written.filter((path) => !known.has(path)),
    [],
  );
});

await t.test('every example is a command line that is understood', async (t) => {
  for (const [path, examples] of Object.entries(EXAMPLES)) {
    for (const [line, what] of examples) {
      t.ok(what.length >= 3);
      const words = wordsOf(line);
      t.equal(words.shift(), 'turnout', line);
      const complain = (text: string): void => void t.fail(`${line}: ${text}`);
      const program = buildProgram(fakeTerminal(), { ...OUTCOMES, complain }, allSettings());
      let called = '';
      for (const command of everyCommand(program)) {
        if (doesSomething(command)) command.action(() => void (called = pathOf(command)));
      }
      await program.parseAsync(words, { from: 'user' });
      t.ok(path === 'turnout' || called === path, `${line} calls ${called}`);
    }
  }
});

/** Words as a shell makes them; what is redirected is left out. */
function wordsOf(line: string): string[] {
  const [command = ''] = line.split(' > ');
  return [...command.matchAll(/"([^"]*)"|\S+/g)].map(([all, quoted]) => quoted ?? all);
}

await t.test('each page lists every exit code and what it means', async (t) => {
  t.same(
    EXIT_MEANINGS.map(([code]) => code),
    Object.values(EXIT),
  );
  for (const args of [['--help'], ['switch', '--help']]) {
    const { out } = await turnout(args);
    for (const [code, meaning] of EXIT_MEANINGS) {
      t.match(out, new RegExp(`^ {2}${code} +${meaning}$`, 'm'));
    }
  }
});

await t.test('a page fits its window, and is no wider than can be read', async (t) => {
  for (const columns of [30, 40, 60, 80, 100, 300]) {
    for (const command of COMMANDS) {
      const names = pathOf(command).split(' ').slice(1);
      const terminal = fakeTerminal({ window: { columns, rows: 50 } });
      const { out } = await turnout([...names, '--help'], terminal);
      const examples = new Set(Object.values(EXAMPLES).flatMap((all) => all.map(([line]) => line)));
      const wide = out.split('\n').filter((line) => {
        const isWord = line.trim().split(' ').length === 1;
        return widthOf(line) > Math.min(columns, 100) && !isWord && !examples.has(line);
      });
      t.same(wide, [], `${names.join(' ')} in ${columns} columns`);
    }
  }
});

await t.test('headings stand out where there are colors', async (t) => {
  const { out } = await turnout(['--help'], { hasColors: true });
  t.match(out, /^\u001b\[1mNAME\u001b\[22m\n/);
});

await t.test('a page tells options with their values, and connections apart', async (t) => {
  const { out } = await turnout(['rollback', '--help']);
  t.match(out, /OPTIONS\n[^]*--restick <which> +all: sessions go back at once;/);
  t.match(out, /\(choices: "all", "new"\)/);
  t.match(out, /OPTIONS: CONNECTION\n {2}--admin <address>/);
});

await t.test('the old name of a command leads to its page, and stands in no list', async (t) => {
  const { out } = await turnout(['help', 'resume']);
  t.match(out, /^NAME\n {2}turnout resume - /);
  for (const args of [
    ['help', 'release'],
    ['release', '--help'],
  ]) {
    t.equal((await turnout(args)).out, out, args.join(' '));
  }
  t.notMatch((await turnout(['--help'])).out, /^ {2}release\b/m);
});

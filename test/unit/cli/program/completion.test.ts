// Completion, asked in real shells: what is offered behind the words of a command line.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { buildProgram } from '../../../../src/cli/program/commands.ts';
import { offersOf } from '../../../../src/cli/program/offers.ts';
import { skipWithout } from '../../../support/installed.ts';
import { allSettings } from '../../../../src/config/settings/table/settings-list.ts';
import { fakeTerminal, turnout } from '../support/terminal.ts';

const OUTCOMES = { finish: () => {}, complain: () => {} };
const OFFERS = offersOf(buildProgram(fakeTerminal(), OUTCOMES, allSettings()));

async function scriptOf(t: Test, shell: string): Promise<string> {
  const { code, out, err } = await turnout(['completion', shell]);
  t.same({ code, err }, { code: 0, err: '' });
  return out;
}

/** Asks a real bash, as Tab does; the last word is the one that is being typed. */
function askBash(t: Test, script: string, words: readonly string[]): string[] {
  const directory = t.testdir({});
  const file = join(directory, 'completion.bash');
  writeFileSync(file, script);
  writeFileSync(join(directory, 'afile.yaml'), '');
  // The name that `complete` has tied to `turnout` is the one that is called.
  const ask = [
    'set -u',
    `source ${file}`,
    'read -r _ _ function _ <<< "$(complete -p turnout)"',
    'COMP_WORDS=("$@")',
    'COMP_CWORD=$(($# - 1))',
    'cd "$TEST_DIRECTORY"',
    '"$function"',
    '((${#COMPREPLY[@]} == 0)) || printf "%s\\n" "${COMPREPLY[@]}"',
  ].join('\n');
  const out = execFileSync('bash', ['--norc', '-c', ask, 'bash', ...words], {
    env: { ...process.env, TEST_DIRECTORY: directory },
    encoding: 'utf8',
  });
  return out.split('\n').filter((line) => line !== '');
}

const bashSkip = skipWithout('bash');

await t.test('bash offers commands, options and values', { skip: bashSkip }, async (t) => {
  const script = await scriptOf(t, 'bash');
  const check = (line: string, expected: readonly string[]): void => {
    t.same(askBash(t, script, line.split(' ')).toSorted(), [...expected].toSorted(), line);
  };
  const commands = OFFERS[0]!.commands.map(({ name }) => name);
  check('turnout ', commands);
  check('turnout swi', ['switch']);
  check('turnout --v', ['--version']);
  check('turnout switch ', ['blue', 'green']);
  check('turnout switch g', ['green']);
  check('turnout switch --pl', ['--plan', '--plan-only']);
  check('turnout switch -', optionsOf('turnout switch'));
  check('turnout rollback --restick ', ['all', 'new']);
  check('turnout rollback --restick n', ['new']);
  check('turnout rollback --restick = a', ['all']);
  check('turnout rollback --restick =', ['all', 'new']);
  check('turnout hold --methods w', ['writes']);
  check('turnout maintenance o', ['on', 'off']);
  check('turnout config ', ['check']);
  check('turnout config check af', ['afile.yaml']);
  check('turnout config check ', ['afile.yaml', 'completion.bash']);
  check('turnout run --config af', ['afile.yaml']);
  check('turnout status --ca comp', ['completion.bash']);
  check('turnout completion ', ['bash', 'zsh', 'fish']);
  check('turnout help swi', ['switch']);
  check('turnout status ', []);
  check('turnout run --listen ', []);
  check('turnout switch --reason run --pl', ['--plan', '--plan-only']);
  check('turnout unknown ', commands);
});

await t.test('bash offers every option of every command', { skip: bashSkip }, async (t) => {
  const script = await scriptOf(t, 'bash');
  for (const { path } of OFFERS) {
    const offered = askBash(t, script, [...path.split(' '), '--']);
    const long = optionsOf(path).filter((name) => name.startsWith('--'));
    t.same(offered.toSorted(), long.toSorted(), path);
  }
});

await t.test('the table offers what commands take, settings included', async (t) => {
  t.ok(optionsOf('turnout run').includes('--health-path'));
  t.ok(optionsOf('turnout run').includes('--client-head-size'), 'those that help hides, too');
  t.match(
    OFFERS.find(({ path }) => path === 'turnout switch'),
    { argument: { choices: ['blue', 'green'], isOptional: true, isFile: false } },
  );
  t.same(
    OFFERS.find(({ path }) => path === 'turnout help')!.argument!.choices,
    OFFERS[0]!.commands.map(({ name }) => name),
  );
});

function optionsOf(path: string): string[] {
  const { options } = OFFERS.find((offer) => offer.path === path)!;
  return options.flatMap(({ long, short }) => (short === undefined ? [long] : [long, short]));
}

await t.test('zsh offers commands, options and values', { skip: skipWithout('zsh') }, async (t) => {
  const script = await scriptOf(t, 'zsh');
  const directory = t.testdir({ functions: {}, 'afile.yaml': '' });
  writeFileSync(join(directory, 'functions', '_turnout'), script);
  const check = (line: string, expected: readonly string[]): void => {
    t.same(askZsh(directory, line).toSorted(), [...expected].toSorted(), line);
  };
  check('turnout swi', ['switch']);
  check('turnout switch ', ['blue', 'green']);
  check('turnout rollback --restick ', ['all', 'new']);
  check('turnout config ', ['check']);
  check('turnout config check af', ['afile.yaml']);
  check('turnout hold --meth', ['--methods']);
  check('turnout completion ', ['bash', 'fish', 'zsh']);
});

/** Asks a real zsh on a terminal of its own: what `compadd` is given is what would be offered. */
function askZsh(directory: string, line: string): string[] {
  const ask = [
    'zmodload zsh/zpty',
    'zpty shell zsh -f -i',
    'send() { zpty -w shell "$1" }',
    'send "PS1=; stty -echo; cd $1; fpath=($1/functions \\$fpath); autoload -Uz compinit; compinit -u -d $1/dump"',
    'send "compadd() { local -a hits; builtin compadd -O hits \\"\\$@\\" 2>/dev/null; (( \\$#hits )) && print -rl -- \\"HIT:\\"\\${^hits}; builtin compadd \\"\\$@\\" }"',
    'send "probe() { compprefuncs=(); zle complete-word; print; print -- DO\\"\\"NE; zle kill-buffer }; zle -C complete-word complete-word _main_complete; zle -N probe; bindkey ^T probe; print -- REA\\"\\"DY"',
    'zpty -r -m shell out "*READY*"',
    'zpty -n -w shell "$2"$\'\\C-t\'',
    'zpty -r -m shell out "*DONE*"',
    'print -r -- "$out"',
    'zpty -d shell',
  ].join('\n');
  const out = execFileSync('zsh', ['-f', '-c', ask, 'zsh', directory, line], {
    encoding: 'utf8',
    env: { ...process.env, TERM: 'dumb' },
    timeout: 60_000,
  });
  const hits = [...out.matchAll(/HIT:(\S+)/g)].map(([, hit]) => hit!);
  return [...new Set(hits)];
}

await t.test(
  'fish offers commands, options and values',
  { skip: skipWithout('fish') },
  async (t) => {
    const script = await scriptOf(t, 'fish');
    const directory = t.testdir({ 'afile.yaml': '' });
    const file = join(directory, 'turnout.fish');
    writeFileSync(file, script);
    const check = (line: string, expected: readonly string[]): void => {
      const ask = `source ${file}; cd ${directory}; complete -C '${line}'`;
      const out = execFileSync('fish', ['--no-config', '-c', ask], { encoding: 'utf8' });
      const offered = out.split('\n').flatMap((text) => text.split('\t')[0] || []);
      t.same(offered.toSorted(), [...expected].toSorted(), line);
    };
    check(
      'turnout ',
      OFFERS[0]!.commands.map(({ name }) => name),
    );
    check('turnout swi', ['switch']);
    check('turnout switch ', ['blue', 'green']);
    check('turnout rollback --restick ', ['all', 'new']);
    check('turnout config ', ['check']);
    check('turnout config check af', ['afile.yaml']);
    check('turnout hold --meth', ['--methods']);
  },
);

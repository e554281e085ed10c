// Commands for the work around a switch: waiting, maintenance, configurations, the shell.

import { Argument, Option } from 'commander';
import {
  client,
  clientFlags,
  GROUPS,
  isJson,
  jsonOption,
  serviceOption,
  textOptions,
  type CommandContext,
  type Options,
} from './command-parts.ts';

export function addOperateCommands(context: CommandContext): void {
  context.program.commandsGroup(GROUPS.operate);
  addGateCommands(context);
  addProcessCommands(context);
  addLocalCommands(context);
}

const WAIT_HELP = 'until what still runs has ended, at most so long (30s); exit 1 if it has not';
const CLOSE_HELP = 'close tunnels, event streams and uploads that still run';

/** What becomes of that which still runs. */
function endingFlags(options: Options): {
  readonly wait: string | undefined;
  readonly close: boolean;
} {
  const { wait } = options;
  return {
    wait: wait === true ? '30s' : textOptions(options, ['wait'] as const).wait,
    close: options['close'] === true,
  };
}

/** Whether requests go through at all. */
function addGateCommands({ program, terminal, finish }: CommandContext): void {
  client(program, 'hold', 'let requests wait, for a moment')
    .addOption(serviceOption())
    .option('--for <time>', 'then they go on by themselves (10s)')
    .addOption(new Option('--methods <which>', 'which requests wait').choices(['all', 'writes']))
    .option('--wait [time]', WAIT_HELP)
    .option('--close', CLOSE_HELP)
    .option('--reason <text>', 'why; kept in the log')
    .action(async (options: Options) => {
      const { hold } = await import('../verbs/gate.ts');
      const given = textOptions(options, ['for', 'methods', 'reason'] as const);
      const flags = { ...clientFlags(terminal, options), ...given, ...endingFlags(options) };
      finish(await hold(terminal, flags));
    });
  client(program, 'resume', 'let the requests that wait go on')
    .alias('release')
    .addOption(serviceOption())
    .option('--reason <text>', 'why; kept in the log')
    .action(async (options: Options) => {
      const { resume } = await import('../verbs/gate.ts');
      const given = textOptions(options, ['reason'] as const);
      finish(await resume(terminal, { ...clientFlags(terminal, options), ...given }));
    });
  client(program, 'maintenance', 'answer every request with a clear 503, or no longer')
    .addArgument(new Argument('<state>', 'begin or end it').choices(['on', 'off']))
    .addOption(serviceOption())
    .option('--message <text>', 'one line for people')
    .option('--retry-after <time>', 'when to come back, such as 10m (60s)')
    .option('--wait [time]', WAIT_HELP)
    .option('--close', CLOSE_HELP)
    .option('--reason <text>', 'why; kept in the log')
    .action(async (state: string, options: Options) => {
      const { maintenance } = await import('../verbs/gate.ts');
      const given = textOptions(options, ['message', 'retryAfter', 'reason'] as const);
      const flags = { ...clientFlags(terminal, options), ...given, ...endingFlags(options) };
      finish(await maintenance(terminal, { ...flags, on: state === 'on' }));
    });
}

/** The running program itself. */
function addProcessCommands({ program, terminal, finish }: CommandContext): void {
  client(program, 'reload', 'read the configuration again; nothing is dropped')
    .option('--dry-run', 'show what would change, and change nothing')
    .option('--reason <text>', 'why; kept in the log')
    .action(async (options: Options) => {
      const { reload } = await import('../process/reload.ts');
      const given = textOptions(options, ['reason'] as const);
      const dryRun = options['dryRun'] === true;
      finish(await reload(terminal, { ...clientFlags(terminal, options), ...given, dryRun }));
    });
  client(program, 'upgrade', 'let the program on the disk take over, without a gap').action(
    async (options: Options) => {
      const { upgrade } = await import('../process/upgrade.ts');
      finish(await upgrade(terminal, clientFlags(terminal, options)));
    },
  );
}

/** What needs no server. */
function addLocalCommands({ program, terminal, finish }: CommandContext): void {
  program
    .command('config')
    .description('look at configurations')
    .command('check')
    .description('say all that is wrong with a file; start nothing')
    .argument('<file>', 'the configuration')
    .addOption(jsonOption())
    .action(async (file: string, options: Options) => {
      const { configCheck } = await import('../process/config-check.ts');
      finish(await configCheck(terminal, { file, json: isJson(terminal, options) }));
    });
  program
    .command('completion')
    .description('print a script that completes commands in a shell')
    .addArgument(new Argument('<shell>', 'whose script').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: 'bash' | 'zsh' | 'fish') => {
      const { completion } = await import('./completion.ts');
      finish(completion(terminal, program, shell));
    });
  program
    .command('help')
    .description('tell all about a command')
    .argument('[command...]', 'such as switch')
    .action(async (names: readonly string[]) => {
      const { help } = await import('./help.ts');
      finish(help(terminal, program, names));
    });
}

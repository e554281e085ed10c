// The table of commands: their flags, their help, and which file does the work. That file is
// loaded when its command is called, so that none pays for the others.

import { Command, CommanderError } from 'commander';
import { VERSION } from '../../base/version.ts';
import { isSet, type CommandContext } from './command-parts.ts';
import { addChangeCommands } from './commands-change.ts';
import { addLookCommands } from './commands-look.ts';
import { addOperateCommands } from './commands-operate.ts';
import { addRolloutCommands } from './commands-rollout.ts';
import { addRunCommands } from './commands-run.ts';
import { addSecureCommands } from './commands-secure.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { foreignWord } from './foreign-words.ts';
import { helpPage, pathOf } from './help.ts';
import type { Setting } from '../../config/settings/table/settings-list.ts';
import { jsonText, type Terminal } from '../terminal/print.ts';

/** Runs the command that `args` (without node and script) name. */
export async function runCommand(terminal: Terminal, args: readonly string[]): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.done;
  // A script reads one document, whatever happens.
  const json = isSet(terminal, { json: args.includes('--json') }, 'json');
  const complain = json ? () => {} : terminal.err;
  const foreign = foreignWord(args);
  if (foreign !== undefined) {
    if (json) terminal.out(jsonText({ code: 'usage', message: foreign }));
    else terminal.err(`turnout: ${foreign}`);
    return EXIT.usage;
  }
  const outcomes: Outcomes = { finish: (code) => (exitCode = code), complain };
  const program = buildProgram(terminal, outcomes, await settingsFor(args));
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version end with 0; all else that commander throws is wrong usage.
    if (error.exitCode === 0) return EXIT.done;
    const message = error.message.replace(/^error: /, '');
    if (json) terminal.out(jsonText({ code: 'usage', message }));
    return EXIT.usage;
  }
}

/** The settings are flags of `turnout run`; a command that shows none of them does not load them. */
async function settingsFor(args: readonly string[]): Promise<readonly Setting[]> {
  if (!args.includes('run') && !args.includes('completion')) return [];
  const { allSettings } = await import('../../config/settings/table/settings-list.ts');
  return allSettings();
}

interface Outcomes extends Pick<CommandContext, 'finish'> {
  /** Takes what is wrong with the usage. */
  readonly complain: (text: string) => void;
}

/** Builds the table; nothing of it runs yet. */
export function buildProgram(
  terminal: Terminal,
  { finish, complain }: Outcomes,
  settings: readonly Setting[],
): Command {
  const program = new Command('turnout')
    .description('Blue/green traffic switch: moves all traffic in one atomic step.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'tell all about a command')
    .helpCommand(false)
    .configureHelp({ formatHelp: (command) => helpPage(terminal, command) })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        terminal.out(text.trimEnd());
      },
      writeErr: (text) => {
        complain(text.trimEnd().replace(/^error: /, 'turnout: '));
      },
      getOutHasColors: () => terminal.hasColors,
      getErrHasColors: () => terminal.hasErrorColors,
    })
    .showHelpAfterError('`turnout --help` shows all commands');
  const context = { program, terminal, finish };
  addRunCommands(context, settings);
  addLookCommands(context);
  addChangeCommands(context);
  addRolloutCommands(context);
  addOperateCommands(context);
  addSecureCommands(context);
  pointAtHelp(program);
  return program;
}

/** Wrong usage is told with the page that says it right; only `turnout help` gives help. */
function pointAtHelp(parent: Command): void {
  for (const command of parent.commands) {
    const name = pathOf(command).replace(/^turnout /, '');
    command.helpCommand(false).showHelpAfterError(`\`turnout help ${name}\` tells all about it`);
    pointAtHelp(command);
  }
}

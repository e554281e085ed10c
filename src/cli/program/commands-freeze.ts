// Commands that decide whether traffic may move to another release at all.

import { Argument } from 'commander';
import {
  client,
  clientFlags,
  serviceOption,
  textOptions,
  type CommandContext,
  type Options,
} from './command-parts.ts';

export function addFreezeCommands({ program, terminal, finish }: CommandContext): void {
  client(program, 'unlock', 'let a release be switched to again after a rollback from it')
    .addArgument(new Argument('[color]', 'left out: the one locked out').choices(['blue', 'green']))
    .addOption(serviceOption())
    .option('--reason <text>', 'why; kept in the audit log')
    .action(async (color: string | undefined, options: Options) => {
      const { unlock } = await import('../verbs/freeze.ts');
      const given = textOptions(options, ['reason'] as const);
      finish(await unlock(terminal, { ...clientFlags(terminal, options), ...given, color }));
    });
  client(program, 'freeze', 'stop all switching: an incident, a business event')
    .requiredOption('--reason <text>', 'why; told to everybody who is refused')
    .action(async (options: Options) => {
      const { freeze } = await import('../verbs/freeze.ts');
      const given = textOptions(options, ['reason'] as const);
      finish(await freeze(terminal, { ...clientFlags(terminal, options), ...given }));
    });
  client(program, 'unfreeze', 'let switching go on')
    .option('--reason <text>', 'why; kept in the audit log')
    .action(async (options: Options) => {
      const { unfreeze } = await import('../verbs/freeze.ts');
      const given = textOptions(options, ['reason'] as const);
      finish(await unfreeze(terminal, { ...clientFlags(terminal, options), ...given }));
    });
}

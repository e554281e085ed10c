// Commands about tokens, and about what callers have done.

import { Option } from 'commander';
import {
  client,
  clientFlags,
  GROUPS,
  serviceOption,
  textOptions,
  type CommandContext,
  type Options,
} from './command-parts.ts';

export function addSecureCommands(context: CommandContext): void {
  context.program.commandsGroup(GROUPS.operate);
  addTokenCommands(context);
  const { program, terminal, finish } = context;
  client(program, 'audit', 'list who did what, the latest first')
    .addOption(serviceOption())
    .option('--limit <count>', 'how many (50)')
    .option('--before <number>', 'entries before that one')
    .option('--verify', 'check that nothing was changed or removed; exit 1 if so')
    .option('--head <seq:hash>', 'check that a head which was noted earlier is still part of it')
    .action(async (options: Options) => {
      const { audit } = await import('../verbs/audit.ts');
      const given = textOptions(options, ['limit', 'before', 'head'] as const);
      const verify = options['verify'] === true;
      finish(await audit(terminal, { ...clientFlags(terminal, options), ...given, verify }));
    });
}

function addTokenCommands({ program, terminal, finish }: CommandContext): void {
  const token = program
    .command('token')
    .description('make, list and revoke tokens of the admin API');
  client(token, 'create', 'make a token; its text goes to stdout, this once')
    .argument('<name>', 'stands in the audit log')
    .addOption(
      new Option('--role <role>', 'read sees, switch changes traffic (default), admin all').choices(
        ['read', 'switch', 'admin'],
      ),
    )
    .option('--services <names>', 'good for these alone, separated by commas')
    .option('--targets <rules>', 'where its targets may lead: ranges, names, unix:/folder')
    .option('--life <time>', 'such as 90d; left out: until it is revoked')
    .option('--reason <text>', 'why; kept in the audit log')
    .addOption(stateOption())
    .action(async (name: string, options: Options) => {
      const { tokenCreate } = await import('../process/token.ts');
      const names = ['role', 'services', 'targets', 'life', 'reason', 'state'] as const;
      const flags = { ...clientFlags(terminal, options), ...textOptions(options, names), name };
      finish(await tokenCreate(terminal, flags));
    });
  client(token, 'list', 'list the tokens, without their secrets')
    .addOption(stateOption())
    .action(async (options: Options) => {
      const { tokenList } = await import('../process/token.ts');
      const given = textOptions(options, ['state'] as const);
      finish(await tokenList(terminal, { ...clientFlags(terminal, options), ...given }));
    });
  client(token, 'revoke', 'end a token; from then on it opens nothing')
    .argument('<token>', 'its id or its name, not its text')
    .option('--reason <text>', 'why; kept in the audit log')
    .addOption(stateOption())
    .action(async (id: string, options: Options) => {
      const { tokenRevoke } = await import('../process/token.ts');
      const given = textOptions(options, ['reason', 'state'] as const);
      finish(await tokenRevoke(terminal, { ...clientFlags(terminal, options), ...given, id }));
    });
}

function stateOption(): Option {
  return new Option('--state <dir>', 'in the state directory of a server that does not run');
}

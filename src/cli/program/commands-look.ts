// Commands that ask and change nothing, and the one that ends drains.

import {
  client,
  clientFlags,
  GROUPS,
  serviceOption,
  textOption,
  textOptions,
  type CommandContext,
  type Options,
} from './command-parts.ts';

export function addLookCommands({ program, terminal, finish }: CommandContext): void {
  program.commandsGroup(GROUPS.look);
  client(program, 'status', 'show what is active, healthy and flowing')
    .addOption(serviceOption())
    .option('-w, --watch', 'draw it anew all the time; Ctrl-C ends it')
    .option('--interval <time>', 'how often --watch draws (1s)')
    .action(async (options: Options) => {
      const { status } = await import('../verbs/status.ts');
      const interval = textOption(options, 'interval');
      const watch = options['watch'] === true;
      finish(await status(terminal, { ...clientFlags(terminal, options), watch, interval }));
    });
  client(program, 'history', 'list the switches, the latest first')
    .addOption(serviceOption())
    .option('--limit <count>', 'how many')
    .action(async (options: Options) => {
      const { history } = await import('../verbs/history.ts');
      const limit = textOption(options, 'limit');
      finish(await history(terminal, { ...clientFlags(terminal, options), limit }));
    });
  client(program, 'drain', 'show what is left of the releases before; wait for it or end it')
    .addOption(serviceOption())
    .option('--generation <number>', 'this one alone')
    .option('--wait', 'until nothing is left; exit 1 after --timeout')
    .option('--timeout <time>', 'how long --wait waits, such as 10m')
    .option('--evict', 'end it now: sessions move over, connections close')
    .option('--reason <text>', 'why; kept in the log')
    .action(async (options: Options) => {
      const { drain } = await import('../verbs/drain.ts');
      const given = textOptions(options, ['generation', 'timeout', 'reason'] as const);
      const wait = options['wait'] === true;
      const evict = options['evict'] === true;
      finish(await drain(terminal, { ...clientFlags(terminal, options), ...given, wait, evict }));
    });
  client(program, 'preview', 'get a token that shows the idle color before a switch')
    .addOption(serviceOption())
    .option('--for <time>', 'how long it is good, such as 1h')
    .action(async (options: Options) => {
      const { preview } = await import('../verbs/preview.ts');
      const given = textOptions(options, ['for'] as const);
      finish(await preview(terminal, { ...clientFlags(terminal, options), ...given }));
    });
  client(program, 'ready', 'exit 0 if traffic is served, 1 if not').action(
    async (options: Options) => {
      const { ready } = await import('../verbs/ready.ts');
      finish(await ready(terminal, clientFlags(terminal, options)));
    },
  );
}

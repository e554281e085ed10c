// Commands that ask and change nothing, and the one that ends drains.

import { Option } from 'commander';
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
    .addOption(
      new Option('--check', 'one line for each thing that is wrong; exit 0, 1, 2 or 3').conflicts([
        'watch',
        'interval',
      ]),
    )
    .action(async (options: Options) => {
      if (options['check'] === true) {
        const { check } = await import('../verbs/check.ts');
        finish(await check(terminal, clientFlags(terminal, options)));
        return;
      }
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
  client(program, 'events', 'tell what happens, as it happens; Ctrl-C ends it')
    .addOption(serviceOption())
    .option('--since <id>', 'first what came after this line of --json')
    .action(async (options: Options) => {
      const { events } = await import('../verbs/events.ts');
      const since = textOption(options, 'since');
      finish(await events(terminal, { ...clientFlags(terminal, options), since }));
    });
  client(program, 'active', 'exit 0 if a color is the active one, 1 if not')
    .addOption(serviceOption())
    .addOption(
      new Option('--color <color>', 'which one; left out: tell which it is').choices([
        'blue',
        'green',
      ]),
    )
    .option('--wait <time>', 'until it is, or this long')
    .action(async (options: Options) => {
      const { active } = await import('../verbs/which-active.ts');
      const given = textOptions(options, ['color', 'wait'] as const);
      finish(await active(terminal, { ...clientFlags(terminal, options), ...given }));
    });
  client(program, 'drain', 'show what is left of earlier deployments; wait for it or end it')
    .addOption(serviceOption())
    .option('--deployment <number>', 'this one alone')
    .option('--generation <number>', 'instead: the one that last became active in it')
    .option('--wait', 'until nothing is left; exit 1 after --timeout')
    .option('--timeout <time>', 'how long --wait waits, such as 10m')
    .option('--evict', 'end it now: sessions move over, connections close')
    .option('--reason <text>', 'why; kept in the log')
    .action(async (options: Options) => {
      const { drain } = await import('../verbs/drain.ts');
      const given = textOptions(options, [
        'deployment',
        'generation',
        'timeout',
        'reason',
      ] as const);
      const wait = options['wait'] === true;
      const evict = options['evict'] === true;
      finish(await drain(terminal, { ...clientFlags(terminal, options), ...given, wait, evict }));
    });
  client(program, 'deployments', 'list what was registered and can be switched to')
    .addOption(serviceOption())
    .action(async (options: Options) => {
      const { deployments } = await import('../verbs/deployments.ts');
      finish(await deployments(terminal, clientFlags(terminal, options)));
    });
  client(program, 'freezes', 'list the times in which switching is frozen: now, next, all')
    .addOption(serviceOption())
    .action(async (options: Options) => {
      const { freezes } = await import('../verbs/freezes.ts');
      finish(await freezes(terminal, clientFlags(terminal, options)));
    });
  client(program, 'preview', 'get a link that shows one deployment, or end its links')
    .argument('[deployment]', 'its number, a release or a color; left out: the idle color')
    .addOption(serviceOption())
    .option('--for <time>', 'how long it is good, such as 2h (1h)')
    .option('--lasting', 'it is good until it is revoked')
    .option('--revoke', 'links to the deployment open nothing any more')
    .option('--reason <text>', 'why; kept in the audit log')
    .action(async (of: string | undefined, options: Options) => {
      const { preview } = await import('../verbs/preview.ts');
      const given = textOptions(options, ['for', 'reason'] as const);
      const lasting = options['lasting'] === true;
      const revoke = options['revoke'] === true;
      const flags = { ...clientFlags(terminal, options), ...given, of, lasting, revoke };
      finish(await preview(terminal, flags));
    });
  client(program, 'ready', 'exit 0 if this process takes traffic, 1 if not').action(
    async (options: Options) => {
      const { ready } = await import('../verbs/check.ts');
      finish(await ready(terminal, clientFlags(terminal, options)));
    },
  );
}

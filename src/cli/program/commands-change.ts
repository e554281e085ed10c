// Commands that change which release gets the traffic, and whether that may change at all.

import { Argument, Option, type Command } from 'commander';
import {
  change,
  client,
  clientFlags,
  confirmed,
  GROUPS,
  dryRunOption,
  isSet,
  serviceOption,
  textOptions,
  type CommandContext,
  type Options,
} from './command-parts.ts';
import type { Terminal } from '../terminal/print.ts';

export function addChangeCommands(context: CommandContext): void {
  context.program.commandsGroup(GROUPS.change);
  addSwitches(context);
  addScheduled(context);
  addScale(context);
  addFreezes(context);
  addApply(context);
}

/** What traffic can be moved to. */
const DESTINATION = '[color|deployment]';

function addSwitches({ program, terminal, finish }: CommandContext): void {
  confirmed(client(program, 'deploy', 'put a release on the idle color and switch to it'))
    .argument('<release>', 'its id: a version or a commit')
    .requiredOption('--targets <urls>', 'where it runs: URL[,URL]')
    .option('--timeout <time>', 'how long its targets may take to get healthy (30s)')
    .option('--no-switch', 'register it and no more; with --wait until it is healthy')
    .option('--evict', 'end what another release, idle or draining, has at one of the addresses')
    .option('--unlock', 'a rollback has locked it out, and it is well after all')
    .option(
      '--schema-provides <number>',
      'schema of the data that its migrations bring, such as 12',
    )
    .option('--schema-requires <range>', 'schemas that its code works with, such as 10..12')
    .addOption(dryRunOption())
    .addOption(serviceOption())
    .option('--reason <text>', 'why; kept in the history')
    .action(async (release: string, options: Options) => {
      const { deploy } = await import('../verbs/deploy.ts');
      const flags = {
        ...confirmedFlags(terminal, options),
        ...textOptions(options, [
          'schemaProvides',
          'schemaRequires',
          'targets',
          'timeout',
        ] as const),
        evict: options['evict'] === true,
        unlock: options['unlock'] === true,
        noSwitch: options['switch'] === false,
        dryRun: options['dryRun'] === true || options['planOnly'] === true,
      };
      finish(await deploy(terminal, { ...flags, release, targets: flags.targets ?? '' }));
    });
  confirmed(change(client(program, 'switch', 'move all traffic to another deployment')))
    .argument(
      DESTINATION,
      'a color, a release id, a number; left out on a terminal: the other color',
    )
    .option('--timeout <time>', 'how long --wait waits, such as 10m')
    .option('--hold <time>', 'new requests wait up to this long until all others have ended')
    .option('--migrate <gate>', 'with --hold: gate with "at: hold" that changes the data meanwhile')
    .option('--services <names>', 'several services in one step, or none of them: a,b')
    .option('--at <time>', 'not now, but then: 03:00, "2026-12-01 03:00", 2026-12-01T03:00+01:00')
    .option('--in <time>', 'not now, but after this long, such as 2h')
    .option(
      '--zone <name>',
      'whose clock --at means, such as Europe/Berlin; left out: this machine',
    )
    .option('--grace <time>', 'how late it may be made where no process ran then (5m)')
    .action(async (to: string | undefined, options: Options) => {
      const given = textOptions(options, ['hold', 'migrate', 'services', 'timeout'] as const);
      const flags = {
        ...confirmedFlags(terminal, options),
        ...given,
        force: options['force'] === true,
        dryRun: options['dryRun'] === true || options['planOnly'] === true,
      };
      const due = textOptions(options, ['at', 'in', 'zone', 'grace'] as const);
      if (due.at !== undefined || due.in !== undefined) {
        const { orderSwitch } = await import('../verbs/scheduled-switches.ts');
        finish(await orderSwitch(terminal, { ...flags, ...due, to }));
        return;
      }
      const { switchTraffic } = await import('../verbs/switch.ts');
      finish(await switchTraffic(terminal, { ...flags, to }));
    });
  change(client(program, 'rollback', 'take the last switch back, at once'))
    .argument(DESTINATION, 'a release id, a number, a color; left out: what was active before')
    .addOption(
      new Option(
        '--restick <which>',
        'all: sessions go back at once; new: those of the release that is left drain (all)',
      ).choices(['all', 'new']),
    )
    .option('--no-lock-out', 'the release that is left is not at fault and may be switched to')
    .option('--wait', 'until the drain that begins has ended; exit 1 if it does not')
    .option('--timeout <time>', 'how long --wait waits, such as 10m')
    .action(async (to: string | undefined, options: Options) => {
      const { rollback } = await import('../verbs/switch.ts');
      const flags = {
        ...clientFlags(terminal, options),
        ...textOptions(options, ['reason', 'restick', 'timeout'] as const),
        to,
        force: options['force'] === true,
        dryRun: options['dryRun'] === true,
        wait: options['wait'] === true,
        lockOut: options['lockOut'] !== false,
      };
      finish(await rollback(terminal, flags));
    });
}

function addScale({ program, terminal, finish }: CommandContext): void {
  client(program, 'scale', 'add and take away targets of a deployment while it serves')
    .argument('[deployment]', 'its number, a release or a color; left out: the active one')
    .option('--targets <urls>', 'all that it shall have: URL[,URL]')
    .option('--add <urls>', 'instead: what comes, URL[,URL]')
    .option('--remove <urls>', 'instead: what goes, URL[,URL]')
    .addOption(serviceOption())
    .option('--reason <text>', 'why; kept in the audit log')
    .action(async (of: string | undefined, options: Options) => {
      const { scale } = await import('../verbs/scale.ts');
      const given = textOptions(options, ['targets', 'add', 'remove', 'reason'] as const);
      finish(await scale(terminal, { ...clientFlags(terminal, options), ...given, of }));
    });
}

function addScheduled({ program, terminal, finish }: CommandContext): void {
  const orders = client(program, 'scheduled', 'list the switches that are ordered for later')
    .argument('[order]', 'this one alone, such as s-12')
    .addOption(serviceOption())
    .enablePositionalOptions()
    .action(async (id: string | undefined, options: Options) => {
      const { scheduled } = await import('../verbs/scheduled-switches.ts');
      finish(await scheduled(terminal, { ...clientFlags(terminal, options), id }));
    });
  client(orders, 'cancel', 'take one of them back')
    .argument('<order>', 'its id, such as s-12')
    .option('--reason <text>', 'why; kept in the audit log')
    .action(async (id: string, _options: Options, command: Command) => {
      const { cancelScheduled } = await import('../verbs/scheduled-switches.ts');
      const options: Options = command.optsWithGlobals();
      const given = textOptions(options, ['reason'] as const);
      finish(await cancelScheduled(terminal, { ...clientFlags(terminal, options), ...given, id }));
    });
}

/** Whether traffic may move to another release at all. */
function addFreezes({ program, terminal, finish }: CommandContext): void {
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
    .requiredOption('--reason <text>', 'why; told to each caller that is refused')
    .option('--service <name>', 'this one alone; left out: all of them')
    .action(async (options: Options) => {
      const { freeze } = await import('../verbs/freeze.ts');
      const given = textOptions(options, ['reason'] as const);
      finish(await freeze(terminal, { ...clientFlags(terminal, options), ...given }));
    });
  client(program, 'unfreeze', 'let switching go on')
    .option('--service <name>', 'the one that was frozen alone; left out: what was frozen for all')
    .option('--reason <text>', 'why; kept in the audit log')
    .action(async (options: Options) => {
      const { unfreeze } = await import('../verbs/freeze.ts');
      const given = textOptions(options, ['reason'] as const);
      finish(await unfreeze(terminal, { ...clientFlags(terminal, options), ...given }));
    });
}

function addApply({ program, terminal, finish }: CommandContext): void {
  client(program, 'apply', 'make true what a file declares; nothing if it is true already')
    .requiredOption('-f, --file <file>', 'YAML or JSON; - for standard input')
    .addOption(dryRunOption())
    .option('-y, --yes', 'do not ask (TURNOUT_YES=true)')
    .option('--timeout <time>', 'how long targets may take to get healthy (30s)')
    .option('--evict', 'end what other releases, idle or draining, have at the addresses')
    .option('--reason <text>', 'why; kept in the history')
    .action(async (options: Options) => {
      const { apply } = await import('../verbs/apply.ts');
      const { file, ...given } = textOptions(options, ['file', 'reason', 'timeout'] as const);
      const flags = {
        ...clientFlags(terminal, options),
        ...given,
        file: file ?? '',
        dryRun: options['dryRun'] === true,
        evict: options['evict'] === true,
        yes: isSet(terminal, options, 'yes'),
      };
      finish(await apply(terminal, flags));
    });
}

function confirmedFlags(terminal: Terminal, options: Options) {
  return {
    ...clientFlags(terminal, options),
    ...textOptions(options, ['plan', 'bake', 'guard', 'until', 'reason'] as const),
    yes: isSet(terminal, options, 'yes'),
    wait: options['wait'] === true,
  };
}

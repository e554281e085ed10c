// The commands about rollouts: look, follow, steer.

import { Argument, Option, type Command } from 'commander';
import {
  client,
  clientFlags,
  GROUPS,
  isJson,
  isSet,
  jsonOption,
  serviceOption,
  textOptions,
  untilOption,
  type CommandContext,
  type Options,
} from './command-parts.ts';

const ID = '[id]';
const ID_HELP = 'such as r-118; left out: the one that goes on';

/** What each verb does to a rollout, for the help. */
const ACTS = [
  ['approve', 'let it go on that waits for a person'],
  ['reject', 'end it that waits for a person'],
  ['pause', 'stop its clocks; its guard goes on'],
  ['resume', 'let its clocks go on'],
  ['skip', 'go to its next step without the rest of this one'],
  ['promote', 'move all traffic now, without the rest of its steps'],
  ['abort', 'end it and take its traffic back, at once'],
] as const;

export function addRolloutCommands(context: CommandContext): void {
  const { program, terminal, finish } = context;
  program.commandsGroup(GROUPS.change);
  const rollout = client(program, 'rollout', 'show how traffic moves to a release, and steer it')
    .argument(ID, ID_HELP)
    .addOption(serviceOption())
    .option('--series', 'what was measured, a line for each ten seconds')
    .enablePositionalOptions()
    .action(async (id: string | undefined, options: Options) => {
      const flags = { ...clientFlags(terminal, options), id };
      if (options['series'] === true) {
        const { seriesOfRollout } = await import('../verbs/show-series.ts');
        finish(await seriesOfRollout(terminal, flags));
        return;
      }
      const { rollout: show } = await import('../verbs/rollout.ts');
      finish(await show(terminal, flags));
    });
  addLooks(rollout, context);
  for (const [verb, help] of ACTS) addAct(rollout, context, { verb, help });
  client(rollout, 'point-of-no-return', 'say that there is no way back any more, or one again')
    .addArgument(new Argument('<state>', 'from now on, or no longer').choices(['on', 'off']))
    .argument(ID, ID_HELP)
    .addOption(serviceOption())
    .option('--reason <text>', 'why; kept with it')
    .option('-y, --yes', 'do not ask (TURNOUT_YES=true)')
    .action(async (state: string, id: string | undefined, _own: Options, command: Command) => {
      const { pointOfNoReturn } = await import('../verbs/point-of-no-return.ts');
      const options = command.optsWithGlobals<Options>();
      const given = textOptions(options, ['reason'] as const);
      const said = { id, on: state === 'on', yes: isSet(terminal, options, 'yes') };
      const flags = { ...clientFlags(terminal, options), ...given, ...said };
      finish(await pointOfNoReturn(terminal, flags));
    });
  client(rollout, 'schema', 'say which schema the data of a service have, as after a restore')
    .argument('<level>', 'a number such as 12; unknown: every release fits')
    .addOption(serviceOption())
    .option('--reason <text>', 'why; it needs one')
    .option('-y, --yes', 'do not ask (TURNOUT_YES=true)')
    .action(async (level: string, _own: Options, command: Command) => {
      const { dataSchema } = await import('../verbs/stated-schema.ts');
      const options = command.optsWithGlobals<Options>();
      const given = textOptions(options, ['reason'] as const);
      const said = { level, yes: isSet(terminal, options, 'yes') };
      finish(await dataSchema(terminal, { ...clientFlags(terminal, options), ...given, ...said }));
    });
}

function addLooks(rollout: Command, { terminal, finish }: CommandContext): void {
  client(rollout, 'watch', 'follow it to its end; the exit code says how it went')
    .argument(ID, ID_HELP)
    .addOption(serviceOption())
    .addOption(untilOption())
    .option('--timeout <time>', 'how long to wait, such as 1h; exit 1 after it')
    .action(async (id: string | undefined, _own: Options, command: Command) => {
      const { watchRollout } = await import('../verbs/rollout.ts');
      const options = command.optsWithGlobals<Options>();
      const given = textOptions(options, ['until', 'timeout'] as const);
      finish(await watchRollout(terminal, { ...clientFlags(terminal, options), ...given, id }));
    });
  client(rollout, 'list', 'list rollouts, the latest first')
    .addOption(serviceOption())
    .option('--active', 'those that go on, alone')
    .option('--limit <count>', 'how many')
    .action(async (_own: Options, command: Command) => {
      const { listRollouts } = await import('../verbs/rollout.ts');
      const options = command.optsWithGlobals<Options>();
      const given = textOptions(options, ['limit'] as const);
      const active = options['active'] === true;
      finish(await listRollouts(terminal, { ...clientFlags(terminal, options), ...given, active }));
    });
  rollout
    .command('plan')
    .description('show what a plan means; asks no server')
    .argument('<plan>', 'such as canary-10-5m')
    .addOption(jsonOption())
    .action(async (plan: string, _own: Options, command: Command) => {
      const { showPlan } = await import('../verbs/rollout.ts');
      finish(showPlan(terminal, { plan, json: isJson(terminal, command.optsWithGlobals()) }));
    });
}

function addAct(
  rollout: Command,
  { terminal, finish }: CommandContext,
  { verb, help }: { readonly verb: (typeof ACTS)[number][0]; readonly help: string },
): void {
  const command = client(rollout, verb, help)
    .argument(ID, ID_HELP)
    .addOption(serviceOption())
    .option('--reason <text>', verb === 'promote' ? 'why; it needs one' : 'why; kept with it');
  if (verb === 'approve' || verb === 'reject') {
    command.option('--gate <name>', 'left out: the one that waits');
  }
  if (verb === 'abort') {
    command
      .addOption(
        new Option('--restick <which>', 'all: sessions go back at once; new: they drain').choices([
          'all',
          'new',
        ]),
      )
      .option('--ramp <time>', 'go back evenly over this time')
      .option('--no-lock-out', 'the release that is left is not at fault')
      .option('--force', 'although its targets are down, or switching is frozen; needs --reason');
  }
  command.action(async (id: string | undefined, _own: Options, own: Command) => {
    const { actOnRollout } = await import('../verbs/rollout.ts');
    const options = own.optsWithGlobals<Options>();
    const given = textOptions(options, ['reason', 'gate', 'restick', 'ramp'] as const);
    const flags = {
      ...clientFlags(terminal, options),
      ...given,
      id,
      lockOut: options['lockOut'] !== false,
      force: options['force'] === true,
    };
    finish(await actOnRollout(terminal, flags, verb));
  });
}

// Commands that start something in the foreground: the proxy, and a demo of it.

import { Option } from 'commander';
import { keepHeapSmall } from '../../base/heap-growth.ts';
import type { Setting } from '../../config/settings/table/settings-list.ts';
import {
  GROUPS,
  isJson,
  jsonOption,
  settingOption,
  textOption,
  type CommandContext,
  type Options,
} from './command-parts.ts';

/** `all`: the settings, each of which is a flag of `turnout run`. */
export function addRunCommands(
  { program, terminal, finish }: CommandContext,
  all: readonly Setting[],
): void {
  program.commandsGroup(GROUPS.run);
  const run = program
    .command('run')
    .description('run the proxy in the foreground')
    .addOption(new Option('--config <file>', 'configuration as YAML (TURNOUT_CONFIG)'))
    .addOption(jsonOption());
  const settings = all.filter(({ flag }) => flag !== '');
  const flags = new Map(settings.map((setting) => [settingOption(setting), setting.flag]));
  for (const option of flags.keys()) run.addOption(option);
  run.action(async (options: Options) => {
    const given: Record<string, string> = {};
    for (const [option, flag] of flags) {
      const value = textOption(options, option.attributeName());
      if (value !== undefined) given[flag] = value;
    }
    keepHeapSmall();
    const { run: start } = await import('../process/run.ts');
    const config = textOption(options, 'config') ?? '';
    finish(await start(terminal, { config, settings: given, json: isJson(terminal, options) }));
  });
  program
    .command('demo')
    .description('run the proxy with two small environments, to try it')
    .option('--listen <address>', 'where traffic comes in (TURNOUT_LISTEN)')
    .option('--admin <address>', 'where the admin API listens (TURNOUT_ADMIN)')
    .addOption(jsonOption())
    .action(async (options: Options) => {
      keepHeapSmall();
      const { demo } = await import('../process/demo.ts');
      const listen = textOption(options, 'listen');
      const admin = textOption(options, 'admin');
      finish(await demo(terminal, { listen, admin, json: isJson(terminal, options) }));
    });
}

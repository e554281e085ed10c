// The table of commands: their flags, their help, and which file does the work. That file is
// loaded when its command is called, so that none pays for the others.

import { readFileSync } from 'node:fs';
import { Argument, Command, CommanderError, Option } from 'commander';
import { allSettings, type Setting } from '../config/table.ts';
import type { ClientFlags } from './client-command.ts';
import { EXIT, type ExitCode } from './exit.ts';
import type { Terminal } from './print.ts';
import type { SwitchFlags } from './switch.ts';

/** Runs the command that `args` (without node and script) name. */
export async function runCommand(terminal: Terminal, args: readonly string[]): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.done;
  const program = buildProgram(terminal, (code) => (exitCode = code));
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version end with 0; all else that commander throws is wrong usage.
    return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
}

type Finish = (code: ExitCode) => void;

function buildProgram(terminal: Terminal, finish: Finish): Command {
  const program = new Command('turnout')
    .description('Blue/green traffic switch: moves all traffic in one atomic step.')
    .version(version())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        terminal.out(text.trimEnd());
      },
      writeErr: (text) => {
        terminal.err(text.trimEnd());
      },
    })
    .showHelpAfterError('(turnout --help shows all commands)');
  addServerCommands(program, terminal, finish);
  addClientCommands(program, terminal, finish);
  program
    .command('config')
    .description('look at configurations')
    .command('check')
    .description('say all that is wrong with a file; start nothing')
    .argument('<file>')
    .addOption(jsonOption())
    .action(async (file: string, options: Options) => {
      const { configCheck } = await import('./config-check.ts');
      finish(configCheck(terminal, { file, json: isJson(terminal, options) }));
    });
  return program;
}

function addServerCommands(program: Command, terminal: Terminal, finish: Finish): void {
  const run = program
    .command('run')
    .description('run the proxy in the foreground')
    .addOption(new Option('--config <file>', 'configuration as YAML (TURNOUT_CONFIG)'))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nEvery setting of docs/settings.md is a flag too: --health-path, --client-head-size, …' +
        '\nA flag wins over its variable, a variable over the file.',
    );
  const settings = allSettings().filter((setting) => setting.flag !== '');
  const flags = new Map(settings.map((setting) => [settingOption(setting), setting.flag]));
  for (const option of flags.keys()) run.addOption(option);
  run.action(async (options: Options) => {
    const given: Record<string, string> = {};
    for (const [option, flag] of flags) {
      const value = textOption(options, option.attributeName());
      if (value !== undefined) given[flag] = value;
    }
    const { run: start } = await import('./run.ts');
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
      const { demo } = await import('./demo.ts');
      const listen = textOption(options, 'listen');
      const admin = textOption(options, 'admin');
      finish(await demo(terminal, { listen, admin, json: isJson(terminal, options) }));
    });
}

function addClientCommands(program: Command, terminal: Terminal, finish: Finish): void {
  client(program, 'status', 'show what is active, healthy and flowing')
    .addOption(serviceOption())
    .action(async (options: Options) => {
      const { status } = await import('./status.ts');
      finish(await status(terminal, clientFlags(terminal, options)));
    });
  change(client(program, 'switch', 'move all traffic to a color'))
    .addArgument(new Argument('[color]', 'left out: the other one').choices(['blue', 'green']))
    .option('--hold <time>', 'new requests wait up to this long until all others have ended')
    .action(async (to: string | undefined, options: Options) => {
      const { switchTraffic } = await import('./switch.ts');
      finish(await switchTraffic(terminal, { to, ...changeFlags(terminal, options) }));
    });
  change(client(program, 'rollback', 'take the last switch back'))
    .addOption(
      new Option('--restick <who>', 'sessions that go back at once').choices(['all', 'new']),
    )
    .action(async (options: Options) => {
      const { rollback } = await import('./switch.ts');
      finish(await rollback(terminal, { to: undefined, ...changeFlags(terminal, options) }));
    });
  addSessionCommands(program, terminal, finish);
  client(program, 'history', 'list the switches, the latest first')
    .addOption(serviceOption())
    .option('--limit <count>', 'how many')
    .action(async (options: Options) => {
      const { history } = await import('./history.ts');
      const limit = textOption(options, 'limit');
      finish(await history(terminal, { ...clientFlags(terminal, options), limit }));
    });
  client(program, 'ready', 'exit 0 if traffic is served, 1 if not').action(
    async (options: Options) => {
      const { ready } = await import('./ready.ts');
      finish(await ready(terminal, clientFlags(terminal, options)));
    },
  );
}

/** What is about sessions and waiting. */
function addSessionCommands(program: Command, terminal: Terminal, finish: Finish): void {
  client(program, 'drain', 'show what is left of the releases before; wait for it or end it')
    .addOption(serviceOption())
    .option('--generation <number>', 'this one alone')
    .option('--wait', 'until nothing is left; exit 1 after --timeout')
    .option('--timeout <time>', 'how long --wait waits, such as 10m')
    .option('--evict', 'end it now: sessions move over, connections close')
    .option('--reason <text>', 'why; kept in the log')
    .action(async (options: Options) => {
      const { drain } = await import('./drain.ts');
      const isSet = (name: string): boolean => options[name] === true;
      const given = textOptions(options, ['generation', 'timeout', 'reason'] as const);
      const flags = { ...given, wait: isSet('wait'), evict: isSet('evict') };
      finish(await drain(terminal, { ...clientFlags(terminal, options), ...flags }));
    });
  client(program, 'hold', 'let requests wait, for a moment')
    .addOption(serviceOption())
    .option('--for <time>', 'then they go on by themselves (10s)')
    .addOption(new Option('--methods <which>', 'who waits').choices(['all', 'writes']))
    .option('--reason <text>', 'why; kept in the log')
    .action(async (options: Options) => {
      const { hold } = await import('./gate.ts');
      const given = textOptions(options, ['for', 'methods', 'reason'] as const);
      finish(await hold(terminal, { ...clientFlags(terminal, options), ...given }));
    });
  client(program, 'release', 'let those who wait go on')
    .addOption(serviceOption())
    .option('--reason <text>', 'why; kept in the log')
    .action(async (options: Options) => {
      const { release } = await import('./gate.ts');
      const given = textOptions(options, ['reason'] as const);
      finish(await release(terminal, { ...clientFlags(terminal, options), ...given }));
    });
  client(program, 'maintenance', 'answer everybody with a clear 503, or no longer')
    .addArgument(new Argument('<state>').choices(['on', 'off']))
    .addOption(serviceOption())
    .option('--message <text>', 'one line for people')
    .option('--retry-after <time>', 'when to come back, such as 10m (60s)')
    .option('--reason <text>', 'why; kept in the log')
    .action(async (state: string, options: Options) => {
      const { maintenance } = await import('./gate.ts');
      const given = textOptions(options, ['message', 'retryAfter', 'reason'] as const);
      const flags = { ...clientFlags(terminal, options), ...given, on: state === 'on' };
      finish(await maintenance(terminal, flags));
    });
  client(program, 'preview', 'get a token that shows the idle color before a switch')
    .addOption(serviceOption())
    .option('--for <time>', 'how long it is good, such as 1h')
    .action(async (options: Options) => {
      const { preview } = await import('./preview.ts');
      const given = textOptions(options, ['for'] as const);
      finish(await preview(terminal, { ...clientFlags(terminal, options), ...given }));
    });
}

/** What commander collects; its own type allows anything. */
type Options = Readonly<Record<string, unknown>>;

function client(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--admin <address>', 'http://host:port or unix:/path of the admin API (TURNOUT_ADMIN)')
    .addOption(jsonOption());
}

function change(command: Command): Command {
  return command
    .addOption(serviceOption())
    .option('--force', 'override health; needs --reason')
    .option('--reason <text>', 'why; kept in the history');
}

function serviceOption(): Option {
  return new Option('--service <name>', 'where there are several (TURNOUT_SERVICE)');
}

function jsonOption(): Option {
  return new Option('--json', 'print JSON for scripts (TURNOUT_JSON=true)');
}

function settingOption({ flag, variable, row }: Setting): Option {
  const isToggle = row.json['type'] === 'boolean';
  const option = new Option(
    isToggle ? `--${flag} [true|false]` : `--${flag} <value>`,
    `${row.doc} (${variable})`,
  ).hideHelp(!row.isCommon);
  if (isToggle) option.preset('true');
  // Given twice, a list grows: --blue A --blue B is --blue A,B.
  if (row.kind === 'list') {
    option.argParser((value: string, before: string | undefined) =>
      before === undefined ? value : `${before},${value}`,
    );
  }
  return option;
}

function clientFlags(terminal: Terminal, options: Options): ClientFlags {
  return {
    admin: textOption(options, 'admin'),
    service: textOption(options, 'service'),
    json: isJson(terminal, options),
  };
}

function changeFlags(terminal: Terminal, options: Options): Omit<SwitchFlags, 'to'> {
  const force = options['force'] === true;
  const given = textOptions(options, ['reason', 'hold', 'restick'] as const);
  return { ...clientFlags(terminal, options), ...given, force };
}

function textOptions<const Name extends string>(
  options: Options,
  names: readonly Name[],
): Readonly<Record<Name, string | undefined>> {
  const entries = names.map((name) => [name, textOption(options, name)]);
  return Object.fromEntries(entries) as Record<Name, string | undefined>;
}

function textOption(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

function isJson(terminal: Terminal, options: Options): boolean {
  const variable = terminal.environment['TURNOUT_JSON'];
  return options['json'] === true || variable === 'true' || variable === '1';
}

function version(): string {
  const path = new URL('../../package.json', import.meta.url);
  const manifest: unknown = JSON.parse(readFileSync(path, 'utf8'));
  const holds = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return holds ? String(manifest.version) : 'unknown';
}

// What the commands of the table are made of: options that many of them have, and how what
// commander collected is read. Knows no command by name.

import { Option, type Command } from 'commander';
import type { Setting } from '../../config/settings/table/settings-list.ts';
import type { ClientFlags } from '../client/client-command.ts';
import type { ExitCode } from '../client/exit.ts';
import type { Terminal } from '../terminal/print.ts';

/** What commander collects; its own type allows anything. */
export type Options = Readonly<Record<string, unknown>>;

/** What a group of commands is added to. */
export interface CommandContext {
  readonly program: Command;
  readonly terminal: Terminal;
  /** Takes the exit code of the command that ran. */
  readonly finish: (code: ExitCode) => void;
}

/** Headings of the help, in the order they are printed. */
export const GROUPS = {
  run: 'Run',
  look: 'Look',
  change: 'Change',
  operate: 'Operate',
} as const;

/** Adds a command that asks a running Turnout. */
export function client(program: Command, name: string, description: string): Command {
  const command = program.command(name).description(description).addOption(jsonOption());
  const connection: readonly (readonly [flags: string, description: string])[] = [
    ['--admin <address>', 'http(s)://host:port or unix:/path of the admin API (TURNOUT_ADMIN)'],
    ['--token <text>', 'sent as Authorization: Bearer; better as the variable (TURNOUT_TOKEN)'],
    ['--ca <file>', 'PEM of the authority that signed the certificate of the server (TURNOUT_CA)'],
    ['--cert <file>', 'PEM of the certificate of this client (TURNOUT_CERT)'],
    ['--key <file>', 'PEM of its private key (TURNOUT_KEY)'],
  ];
  for (const [flags, text] of connection) {
    command.addOption(new Option(flags, text).helpGroup('Connection'));
  }
  return command;
}

/** Adds what every change of the active color takes. */
export function change(command: Command): Command {
  return command
    .addOption(serviceOption())
    .addOption(dryRunOption())
    .option('--force', 'override health; needs --reason')
    .option('--reason <text>', 'why; kept in the history');
}

/** Adds what a change takes that asks first and may be waited for. */
export function confirmed(command: Command): Command {
  return command
    .addOption(
      new Option('--plan <plan>', 'how traffic moves: canary-10-5m, "10%:5m, 50%:approve"'),
    )
    .option('--bake <time>', 'how long it is watched once all traffic has moved')
    .addOption(
      new Option('--guard <mode>', 'what follows evidence against the release').choices([
        'off',
        'watch',
        'rollback',
      ]),
    )
    .option('-y, --yes', 'do not ask (TURNOUT_YES=true)')
    .option('--wait', 'until the rollout or the drain that begins has ended; exit 1 if it does not')
    .addOption(untilOption())
    .addOption(new Option('--plan-only', 'the same as --dry-run').hideHelp());
}

/** How far a rollout that is waited for has to get. */
export function untilOption(): Option {
  const help =
    'how far a rollout has to get: all its traffic shifted, baked, done; or waiting (done)';
  return new Option('--until <what>', help).choices(['done', 'baked', 'shifted', 'waiting']);
}

export function serviceOption(): Option {
  return new Option('--service <name>', 'where there are several (TURNOUT_SERVICE)');
}

export function dryRunOption(): Option {
  return new Option('--dry-run', 'show what would change or be refused, and change nothing');
}

export function jsonOption(): Option {
  return new Option('--json', 'print one JSON document for scripts (TURNOUT_JSON=true)');
}

export function settingOption({ flag, variable, row }: Setting): Option {
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

export function clientFlags(terminal: Terminal, options: Options): ClientFlags {
  return {
    ...textOptions(options, ['admin', 'token', 'ca', 'cert', 'key', 'service'] as const),
    json: isJson(terminal, options),
  };
}

export function textOptions<const Name extends string>(
  options: Options,
  names: readonly Name[],
): Readonly<Record<Name, string | undefined>> {
  const entries = names.map((name) => [name, textOption(options, name)]);
  return Object.fromEntries(entries) as Record<Name, string | undefined>;
}

export function textOption(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** True where the flag is given, or its variable says so. */
export function isSet(terminal: Terminal, options: Options, name: string): boolean {
  const variable = terminal.environment[`TURNOUT_${name.toUpperCase()}`];
  return options[name] === true || variable === 'true' || variable === '1';
}

export function isJson(terminal: Terminal, options: Options): boolean {
  return isSet(terminal, options, 'json');
}

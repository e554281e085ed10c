// What a shell may offer behind the words of a command line, gathered from the table of commands.
// Knows no shell.

import type { Argument, Command, Option } from 'commander';
import { COLORS } from '../../contract/table.ts';
import { pathOf } from './help.ts';

/** What may stand behind the words of `path`. */
export interface Offer {
  /** Words that call the command: `turnout config check`. */
  readonly path: string;
  readonly commands: readonly Described[];
  readonly options: readonly OfferedOption[];
  /** The first argument; undefined: there is none. */
  readonly argument: OfferedValue | undefined;
}

interface Described {
  readonly name: string;
  readonly text: string;
}

export interface OfferedOption {
  /** `--watch`. */
  readonly long: string;
  /** `-w`, or undefined. */
  readonly short: string | undefined;
  readonly text: string;
  /** Undefined: it takes none. */
  readonly value: OfferedValue | undefined;
}

export interface OfferedValue {
  /** Placeholder, such as `address`. */
  readonly name: string;
  /** Empty: anything. */
  readonly choices: readonly string[];
  readonly isFile: boolean;
  /** It may be left out. */
  readonly isOptional: boolean;
}

/** Returns what may stand behind `command` and each command below it. */
export function offersOf(command: Command): readonly Offer[] {
  const options = command.options.filter(({ long }) => typeof long === 'string');
  const path = pathOf(command);
  const help = { long: '--help', short: '-h', text: 'tell all about it', value: undefined };
  const offer: Offer = {
    path,
    commands: command.commands.map((one) => ({ name: one.name(), text: one.description() })),
    options: [...options.map(offeredOption), help],
    argument: argumentOf(command),
  };
  return [offer, ...command.commands.flatMap(offersOf)];
}

function offeredOption(option: Option): OfferedOption {
  const { long, short, description, required, optional, argChoices } = option;
  // `--health-path <value>`, `--toggle [true|false]`
  const placeholder = /[<[](.+?)[>\]]/.exec(option.flags)?.[1] ?? '';
  const choices = argChoices ?? (placeholder.includes('|') ? placeholder.split('|') : []);
  const value = valueOf(placeholder, { choices, isOptional: optional });
  return {
    long: long ?? '',
    short,
    text: description,
    value: required || optional ? value : undefined,
  };
}

function argumentOf(command: Command): OfferedValue | undefined {
  const first: Argument | undefined = command.registeredArguments[0];
  if (first === undefined) return undefined;
  // `turnout help switch`: what it takes is the table itself.
  const isCommand = first.name() === 'command';
  const names = command.parent?.commands.map((one) => one.name()) ?? [];
  // `turnout switch`: what else it takes, the server knows.
  const colors = first.name().startsWith('color|') ? COLORS : [];
  const choices = first.argChoices ?? (isCommand ? names : colors);
  return valueOf(first.name(), { choices, isOptional: !first.required });
}

function valueOf(
  placeholder: string,
  { choices, isOptional }: Pick<OfferedValue, 'choices' | 'isOptional'>,
): OfferedValue {
  return { name: placeholder, choices, isFile: placeholder === 'file', isOptional };
}

// The help of a command, laid out like a page of a manual: what it does, its options, examples,
// exit codes. What it says comes from the table of commands and from manual.ts.

import type { Command, Help } from 'commander';
import { nearest } from '../../config/values/suggest.ts';
import { GROUPS } from './command-parts.ts';
import { EXIT, EXIT_MEANINGS, type ExitCode } from '../client/exit.ts';
import { EXAMPLES, EXPLANATIONS } from './manual.ts';
import { styled, type Terminal } from '../terminal/print.ts';
import { widthOf } from '../terminal/width.ts';

/** Lines longer than this are hard to read, however wide the window is. */
const COLUMNS_MAX = 100;
/** Narrower windows break the lines of the help themselves. */
const COLUMNS_MIN = 24;
/** Cells that a meaning needs beside its term; with less it stands below. */
const MEANING_COLUMNS_MIN = 24;
/** Terms longer than this get a line of their own. */
const TERM_COLUMNS_MAX = 28;

/** Prints the page of the command that `names` lead to; of `turnout` itself without any. */
export function help(terminal: Terminal, program: Command, names: readonly string[]): ExitCode {
  let command = program;
  for (const name of names) {
    const next = command.commands.find(
      (one) => one.name() === name || one.aliases().includes(name),
    );
    if (next === undefined) {
      const known = command.commands.map((one) => one.name());
      // Told like all other wrong usage; throws.
      return command.error(`error: unknown command '${name}'${nearest(name, known)}`);
    }
    command = next;
  }
  terminal.out(helpPage(terminal, command).trimEnd());
  return EXIT.done;
}

/** Returns the page of `command`. */
export function helpPage(terminal: Terminal, command: Command): string {
  const columns = Math.min(terminal.size()?.columns ?? 80, COLUMNS_MAX);
  const page = new Page(terminal, Math.max(columns, COLUMNS_MIN));
  const helper = command.createHelp();
  const path = pathOf(command);
  page.section('NAME', [`${path} - ${command.description()}`]);
  // An alias is the old name, for scripts that have it: the help shows the new one alone.
  const [, alias] = [command.name(), ...command.aliases()];
  const usage = helper.commandUsage(command);
  page.section('USAGE', [alias === undefined ? usage : usage.replace(`|${alias}`, '')]);
  page.section('DESCRIPTION', EXPLANATIONS[path] ?? []);
  const args = helper.visibleArguments(command);
  page.list(
    'ARGUMENTS',
    args.map((one) => [helper.argumentTerm(one), helper.argumentDescription(one)]),
  );
  listCommands(page, command, helper);
  listOptions(page, command, helper);
  const examples = EXAMPLES[path] ?? [];
  page.section(
    'EXAMPLES',
    examples.flatMap(([line, what]) => [`# ${what}`, styled(terminal, 'bold', line)]),
  );
  page.list(
    'EXIT CODES',
    EXIT_MEANINGS.map(([code, meaning]) => [String(code), meaning]),
  );
  return page.text();
}

/** Returns the words that call `command`: `turnout config check`. */
export function pathOf(command: Command): string {
  const { parent } = command;
  return parent === null ? command.name() : `${pathOf(parent)} ${command.name()}`;
}

function listCommands(page: Page, command: Command, helper: Help): void {
  const commands = helper.visibleCommands(command);
  const groups = [...Object.values(GROUPS), ''];
  for (const group of groups) {
    const members = commands.filter((one) => (one.helpGroup() || '') === group);
    const title = group === '' ? 'COMMANDS' : `COMMANDS: ${group.toUpperCase()}`;
    page.list(
      title,
      members.map((one) => [one.name(), one.description()]),
    );
  }
}

function listOptions(page: Page, command: Command, helper: Help): void {
  const options = helper.visibleOptions(command);
  const headings = new Set(['', ...options.map((one) => one.helpGroupHeading ?? '')]);
  for (const heading of headings) {
    const members = options.filter((one) => (one.helpGroupHeading ?? '') === heading);
    const title = heading === '' ? 'OPTIONS' : `OPTIONS: ${heading.toUpperCase()}`;
    page.list(
      title,
      members.map((one) => [helper.optionTerm(one), helper.optionDescription(one)]),
    );
  }
}

/** Lines under headings, wrapped to a width. */
class Page {
  readonly #terminal: Terminal;
  readonly #columns: number;
  readonly #lines: string[] = [];

  constructor(terminal: Terminal, columns: number) {
    this.#terminal = terminal;
    this.#columns = columns;
  }

  /** Adds paragraphs under a heading; nothing where there is none. */
  section(title: string, paragraphs: readonly string[]): void {
    if (paragraphs.length === 0) return;
    this.#title(title);
    for (const paragraph of paragraphs) this.#lines.push(...this.#wrapped(paragraph, 2));
  }

  /** Adds terms and what they mean. */
  list(title: string, rows: readonly (readonly [term: string, meaning: string])[]): void {
    if (rows.length === 0) return;
    this.#title(title);
    const widths = rows.map(([term]) => widthOf(term)).filter((width) => width <= TERM_COLUMNS_MAX);
    const beside = 4 + Math.max(0, ...widths);
    const indent = this.#columns - beside < MEANING_COLUMNS_MIN ? 6 : beside;
    for (const [term, meaning] of rows) {
      const [first = '', ...more] = this.#wrapped(meaning, indent);
      const head = `  ${term}`.padEnd(indent);
      // Two spaces at least keep them apart.
      if (widthOf(term) > indent - 4) this.#lines.push(head, first, ...more);
      else this.#lines.push((head + first.slice(indent)).trimEnd(), ...more);
    }
  }

  text(): string {
    return `${this.#lines.join('\n')}\n`;
  }

  #title(title: string): void {
    if (this.#lines.length > 0) this.#lines.push('');
    this.#lines.push(styled(this.#terminal, 'bold', title));
  }

  /** Returns lines that begin with `indent` spaces; a word longer than a line stays whole. */
  #wrapped(text: string, indent: number): string[] {
    const margin = ' '.repeat(indent);
    const room = this.#columns - indent;
    const lines: string[] = [];
    let line = '';
    for (const word of text.split(' ')) {
      if (line !== '' && widthOf(line) + 1 + widthOf(word) > room) {
        lines.push(margin + line);
        line = word;
      } else {
        line = line === '' ? word : `${line} ${word}`;
      }
    }
    return [...lines, margin + line];
  }
}

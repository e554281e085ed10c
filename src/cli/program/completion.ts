// `turnout completion`: prints the script that completes commands in one shell. What a shell may
// offer is in offers.ts; how it is told is in a file for each shell.

import type { Command } from 'commander';
import { bashScript } from './completion-bash.ts';
import { fishScript } from './completion-fish.ts';
import { zshScript } from './completion-zsh.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { offersOf } from './offers.ts';
import type { Terminal } from '../terminal/print.ts';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** Prints the script of `shell` for the commands of `program`. */
export function completion(
  terminal: Terminal,
  program: Command,
  shell: keyof typeof SCRIPTS,
): ExitCode {
  terminal.out(SCRIPTS[shell](offersOf(program)).trimEnd());
  return EXIT.done;
}

// The configuration as this machine and this shell have it, for a command that needs one, and what is
// wrong with it.

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { countText } from '../../base/count-text.ts';
import { visibleText } from '../../base/visible-text.ts';
import { descriptorLimit } from '../../config/descriptors.ts';
import { printFault, type Fault } from '../../config/fault.ts';
import { loadConfig, type Loaded } from '../../config/load.ts';
import { jsonText, type Terminal } from '../terminal/print.ts';

/** Lines that are printed; a file with more is of another kind altogether. */
const FAULTS_SHOWN_MAX = 100;

/** Returns what file, environment and flags make together on this machine. */
export function loadLocalConfig(
  environment: Terminal['environment'],
  { file, flags }: { readonly file: string; readonly flags: Readonly<Record<string, string>> },
): Loaded {
  const machine = {
    platform: process.platform,
    cpus: availableParallelism(),
    descriptors: descriptorLimit(ownLimits()),
  };
  return loadConfig({ file, environment, flags, machine });
}

function ownLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return ''; // Another system, or /proc is hidden.
  }
}

/** Returns a fault of what the configuration leads to, such as a file, which says itself where it is. */
export function faultNowhere(message: string): Fault {
  return { where: { kind: 'nowhere' }, path: '', message };
}

/** Prints all faults: one line each, or one JSON document. */
export function printFaults(
  terminal: Terminal,
  { faults, warnings, json, where = 'the configuration, nothing was started' }: Report,
): void {
  if (json) {
    terminal.out(jsonText({ ok: false, faults, warnings }));
    return;
  }
  for (const fault of faults.slice(0, FAULTS_SHOWN_MAX)) terminal.err(printFault(fault));
  const hidden = faults.length - FAULTS_SHOWN_MAX;
  if (hidden > 0) terminal.err(`${terminal.signs.ellipsis} and ${hidden} more`);
  for (const warning of warnings) terminal.err(`warning: ${visibleText(warning)}`);
  terminal.err(`turnout: ${countText(faults.length, 'fault')} in ${where}`);
}

interface Report {
  readonly faults: readonly Fault[];
  readonly warnings: readonly string[];
  readonly json: boolean;
  /** What has them, and what comes of it. */
  readonly where?: string;
}

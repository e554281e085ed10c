// The shortest way to the two commands that run every few seconds: `turnout ready` and
// `turnout status --check`. Whatever it does not understand at once goes the usual way, through the
// table of commands, which calls the same verbs.

import { parseArgs } from 'node:util';
import type { ExitCode } from '../client/exit.ts';
import type { Terminal } from '../terminal/print.ts';

/** Runs one of the two; undefined: `args` say something else, or something more. */
export async function startLightly(
  terminal: Terminal,
  args: readonly string[],
): Promise<ExitCode | undefined> {
  const [name, ...rest] = args;
  const isCheck = name === 'status' && rest.includes('--check');
  if (name !== 'ready' && !isCheck) return undefined;
  const given = flagsIn(rest);
  // Wrong usage, `--help`, `--watch`.
  if (given === undefined || given.check !== isCheck) return undefined;
  if (name === 'ready' && given.service !== undefined) return undefined;
  const { check, ready } = await import('../verbs/check.ts');
  const { environment } = terminal;
  const isSet = (variable: string): boolean => /^(?:true|1)$/.test(environment[variable] ?? '');
  const flags = { ...given, json: given.json || isSet('TURNOUT_JSON') };
  return isCheck ? await check(terminal, flags) : await ready(terminal, flags);
}

const TEXT = { type: 'string' } as const;
const SWITCH = { type: 'boolean', default: false } as const;

function flagsIn(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        admin: TEXT,
        token: TEXT,
        ca: TEXT,
        cert: TEXT,
        key: TEXT,
        service: TEXT,
        json: SWITCH,
        check: SWITCH,
      },
    });
    const { admin, token, ca, cert, key, service, json, check } = values;
    return { admin, token, ca, cert, key, service, json, check };
  } catch {
    return undefined;
  }
}

// `turnout switch` and `turnout rollback`: one call each, and what came of it.

import { partOf, textOf } from './answer.ts';
import { askAndPrint, complain, withService, type ClientFlags } from './client-command.ts';
import type { ExitCode } from './exit.ts';
import { colorName, type Terminal } from './print.ts';

export interface SwitchFlags extends ClientFlags {
  /** `blue`, `green` or `undefined`: the other one. */
  readonly to: string | undefined;
  readonly force: boolean;
  readonly reason: string | undefined;
  /** A time such as `10s`; undefined: nobody waits. */
  readonly hold: string | undefined;
  readonly restick: string | undefined;
}

/** Makes a color the active one. */
export async function switchTraffic(terminal: Terminal, flags: SwitchFlags): Promise<ExitCode> {
  const body = { to: flags.to, hold: flags.hold };
  return await change(terminal, flags, { path: '/v1/switch', body });
}

/** Takes the last switch back. */
export async function rollback(terminal: Terminal, flags: SwitchFlags): Promise<ExitCode> {
  return await change(terminal, flags, { path: '/v1/rollback', body: { restick: flags.restick } });
}

async function change(
  terminal: Terminal,
  flags: SwitchFlags,
  { path, body }: { readonly path: string; readonly body: object },
): Promise<ExitCode> {
  const { force, reason } = flags;
  if (force && (reason ?? '') === '') {
    const message = '--force needs --reason TEXT: the history keeps why health was overridden';
    return complain(terminal, flags, { code: 'usage', message });
  }
  const why = reason === undefined ? {} : { reason };
  return await askAndPrint(terminal, flags, {
    question: {
      method: 'POST',
      path: withService(terminal, flags, path),
      body: { ...body, ...(force ? { force } : {}), ...why },
    },
    show: (answer) => changeText(terminal, answer),
  });
}

function changeText(terminal: Terminal, answer: unknown): string {
  const service = textOf(answer, 'service');
  const to = colorName(terminal, textOf(answer, 'to'));
  const generation = `generation ${textOf(answer, 'generation')}`;
  if (partOf(answer, 'changed') === false) {
    return `${service}: ${to} is active already, nothing has changed (${generation})`;
  }
  const from = colorName(terminal, textOf(answer, 'from'));
  const release = textOf(answer, 'release');
  const what = release === '-' ? '' : `release ${release}, `;
  return `${service}: ${from} → ${to} (${what}${generation}, ${textOf(answer, 'tookMs')} ms)`;
}

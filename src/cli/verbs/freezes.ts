// `turnout freezes`: the freeze windows of each service, which is in force and which is next.

import { freezesAnswer, type FreezesAnswer } from '../../api/freeze-windows.ts';
import { shown, type Lenient } from '../client/answer.ts';
import { askAndPrint, withService, type ClientFlags } from '../client/client-command.ts';
import type { ExitCode } from '../client/exit.ts';
import { freezeText, presentText, nextText } from '../texts/freeze-text.ts';
import { listing } from '../terminal/listing.ts';
import { styled, type Terminal } from '../terminal/print.ts';

/** Prints what is frozen now, what is next, and all windows. */
export async function freezes(terminal: Terminal, flags: ClientFlags): Promise<ExitCode> {
  const path = withService(terminal, flags, '/v1/freezes');
  return await askAndPrint(terminal, flags, {
    question: { method: 'GET', path, body: undefined, answer: freezesAnswer },
    show: (answer) => freezesText(terminal, answer),
  });
}

function freezesText(terminal: Terminal, { freeze, services }: Lenient<FreezesAnswer>): string {
  const nowMs = terminal.nowMs();
  const lines = freeze === null ? [] : [styled(terminal, 'red', freezeText(freeze))];
  for (const one of services) {
    const name = styled(terminal, 'bold', shown(one.service));
    const { freeze: own, present, next } = one;
    const now =
      present === null ? 'may be switched now' : styled(terminal, 'red', presentText(one, nowMs));
    const isFrozen = own?.at !== undefined;
    const text = isFrozen ? styled(terminal, 'red', freezeText(own, shown(one.service))) : now;
    lines.push(`${name}: ${text}`);
    if (next !== null) lines.push(`  ${nextText(next, nowMs)}`);
  }
  const head = ['SERVICE', 'WINDOW', 'OF', 'REASON'];
  const rows = services.flatMap(({ service, windows }) =>
    windows.map(({ when, scope, reason }) => [
      shown(service),
      shown(when),
      scope === 'all' ? 'all services' : 'this service',
      shown(reason),
    ]),
  );
  if (rows.length === 0) return [...lines, 'no freeze window is configured'].join('\n');
  return [...lines, '', listing(head, rows, terminal.size()?.columns ?? Infinity)].join('\n');
}

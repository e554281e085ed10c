// `turnout deployments`: what was registered, what of it is in use, what can be gone back to.

import { deploymentsAnswer, type DeploymentsAnswer } from '../../api/releases.ts';
import { shown, type Lenient } from '../client/answer.ts';
import {
  askAndPrint,
  serviceNamed,
  withService,
  type ClientFlags,
} from '../client/client-command.ts';
import type { ExitCode } from '../client/exit.ts';
import { listing } from '../terminal/listing.ts';
import { colorName, type Terminal } from '../terminal/print.ts';

/** Prints the deployments, the latest first. */
export async function deployments(terminal: Terminal, flags: ClientFlags): Promise<ExitCode> {
  const path = withService(terminal, flags, '/v1/deployments');
  return await askAndPrint(terminal, flags, {
    question: { method: 'GET', path, body: undefined, answer: deploymentsAnswer },
    show: (answer) => deploymentsText(terminal, answer, serviceNamed(terminal, flags)),
  });
}

function deploymentsText(
  terminal: Terminal,
  { deployments: all }: Lenient<DeploymentsAnswer>,
  service: string,
): string {
  if (all.length === 0) {
    const where = service === '' ? '' : ` for ${service}`;
    return `nothing is registered${where} yet: \`turnout deploy RELEASE --targets URL\``;
  }
  const head = ['NUMBER', 'SERVICE', 'RELEASE', 'USE', 'COLOR', 'TARGETS', 'SINCE', 'BY', 'NOTE'];
  const rows = all.map((one) => [
    shown(one.deployment),
    shown(one.service),
    shown(one.release),
    shown(one.use),
    one.color === null ? shown(undefined) : colorName(terminal, shown(one.color)),
    one.targets.join(', '),
    shown(one.registeredAt),
    shown(one.actor),
    one.obstacle ?? '',
  ]);
  return listing(head, rows, terminal.size()?.columns ?? Infinity);
}

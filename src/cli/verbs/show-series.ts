// `turnout rollout --series`: what was measured while a rollout had traffic, a line for each point.

import { rolloutSeries, type RolloutSeries } from '../../api/rollout-series.ts';
import { shown, type Lenient } from '../client/answer.ts';
import { askAndPrint, complain, withService } from '../client/client-command.ts';
import type { ExitCode } from '../client/exit.ts';
import { judgedText, oddsText } from '../texts/rollout-guard-text.ts';
import { clockText, moveText } from '../texts/rollout-state-text.ts';
import { listing } from '../terminal/listing.ts';
import { shareText } from '../terminal/numbers.ts';
import { styled, type Terminal } from '../terminal/print.ts';
import { lookAt, type RolloutFlags } from './rollout.ts';

type Service = Lenient<RolloutSeries>['services'][number];

const HEAD = ['', 'STAGE', 'WANTED', 'MEASURED', 'OLD', 'NEW', 'EVIDENCE'];

/** Prints the series of one rollout: of the one that goes on, else of the last one. */
export async function seriesOfRollout(terminal: Terminal, flags: RolloutFlags): Promise<ExitCode> {
  const found = flags.id === undefined ? await lookAt(terminal, flags) : undefined;
  if (found?.ok === false) return complain(terminal, flags, found.trouble);
  const id = flags.id ?? shown(found?.answer.id);
  const path = withService(terminal, flags, `/v1/rollouts/${encodeURIComponent(id)}/series`);
  return await askAndPrint(terminal, flags, {
    question: { method: 'GET', path, body: undefined, answer: rolloutSeries },
    show: (answer) => answer.services.map((one) => seriesText(terminal, one)).join('\n'),
  });
}

function seriesText(terminal: Terminal, service: Service): string {
  const name = styled(terminal, 'bold', shown(service.service));
  const head = `${name} ${terminal.signs.dot} ${moveText(terminal, service)}`;
  if (service.points.length === 0) {
    return `${head}\n  nothing was measured, or it is not kept any more`;
  }
  const rows = service.points.map(({ at, stage, share, old, new: next, evidence }) => [
    `  ${clockText(at, terminal.nowMs())}`,
    shown(stage),
    percentText(share.wanted),
    percentText(share.measured),
    judgedText(old),
    judgedText(next),
    oddsText(evidence),
  ]);
  const limit =
    service.limit === null ? [] : [`  the guard fails it at ${oddsText(service.limit)}`];
  const columns = terminal.size()?.columns ?? Infinity;
  return [head, listing(HEAD, rows, columns), ...limit].join('\n');
}

function percentText(share: number | null | undefined): string {
  return typeof share === 'number' ? shareText(share / 100) : '-';
}

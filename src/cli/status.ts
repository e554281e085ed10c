// `turnout status`: what is active, how every target is, and what flows.

import { listOf, partOf, textOf } from './answer.ts';
import { askAndPrint, withService, type ClientFlags } from './client-command.ts';
import type { ExitCode } from './exit.ts';
import { colorName, styled, table, type Terminal } from './print.ts';

/** Prints the status of a running Turnout. */
export async function status(terminal: Terminal, flags: ClientFlags): Promise<ExitCode> {
  const path = withService(terminal, flags, '/v1/status');
  return await askAndPrint(terminal, flags, {
    question: { method: 'GET', path, body: undefined },
    show: (answer) => statusText(terminal, answer),
  });
}

function statusText(terminal: Terminal, answer: unknown): string {
  const isReady = partOf(answer, 'ready') === true;
  const head = [
    `turnout ${textOf(answer, 'version')}`,
    isReady ? styled(terminal, 'green', 'ready') : styled(terminal, 'red', 'not ready'),
    `generation ${textOf(answer, 'generation')}`,
    `${textOf(answer, 'workers', 'listening')} of ${textOf(answer, 'workers', 'count')} workers`,
    `traffic on ${textOf(answer, 'listen')}`,
  ].join(' · ');
  const warning = partOf(answer, 'state', 'warning');
  const lines = [head];
  if (typeof warning === 'string') {
    lines.push(styled(terminal, 'yellow', `state: ${textOf(answer, 'state', 'warning')}`));
  }
  for (const service of listOf(answer, 'services')) {
    lines.push('', serviceText(terminal, service));
  }
  return lines.join('\n');
}

function serviceText(terminal: Terminal, service: unknown): string {
  const active = textOf(service, 'active');
  const since = `${textOf(service, 'since', 'at')} (generation ${textOf(service, 'since', 'generation')})`;
  const rows = [['', 'COLOR', 'RELEASE', 'HEALTH', 'IN FLIGHT', 'TUNNELS', 'REQUESTS']];
  const targets = [['', 'COLOR', 'TARGET', 'HEALTH', 'SINCE', 'REASON']];
  for (const color of ['blue', 'green']) {
    const side = partOf(service, color);
    const name = colorName(terminal, color);
    const traffic = ['inflight', 'tunnels', 'requests'].map((key) => textOf(side, 'traffic', key));
    const mark = color === active ? '*' : ' ';
    rows.push([mark, name, textOf(side, 'release'), healthText(terminal, side), ...traffic]);
    for (const target of listOf(side, 'targets')) {
      const url = textOf(target, 'url');
      const changedAt = textOf(target, 'changedAt');
      const reason = textOf(target, 'reason');
      targets.push([' ', name, url, healthText(terminal, target), changedAt, reason]);
    }
  }
  const title = `${textOf(service, 'name')}: ${colorName(terminal, active)} is active since ${since}`;
  return [title, ...notices(terminal, service), table(rows), '', table(targets)].join('\n');
}

/** What is out of the ordinary. */
function notices(terminal: Terminal, service: unknown): string[] {
  const lines: string[] = [];
  if (partOf(service, 'maintenance') !== null && partOf(service, 'maintenance') !== undefined) {
    lines.push(styled(terminal, 'red', 'in maintenance: everybody gets 503'));
  }
  if (textOf(service, 'held', 'until') !== '-') {
    const count = textOf(service, 'held', 'requests');
    const until = textOf(service, 'held', 'until');
    lines.push(styled(terminal, 'yellow', `held until ${until}: ${count} requests wait`));
  }
  for (const drain of listOf(service, 'draining')) {
    const color = colorName(terminal, textOf(drain, 'color'));
    const release = textOf(drain, 'release');
    const name = release === '-' ? color : `${release} on ${color}`;
    const left = listOf(drain, 'reasons').map(String).join(', ') || 'nothing is left';
    lines.push(`generation ${textOf(drain, 'generation')} drains (${name}): ${left}`);
  }
  return lines;
}

const HEALTH_STYLES = { up: 'green', down: 'red', partly: 'yellow' } as const;

function healthText(terminal: Terminal, value: unknown): string {
  const health = textOf(value, 'health');
  const isStyled = health === 'up' || health === 'down' || health === 'partly';
  return isStyled ? styled(terminal, HEALTH_STYLES[health], health) : health;
}

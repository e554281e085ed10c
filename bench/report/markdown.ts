// Results as tables for people. Pure.

import { SCENARIOS } from '../scenarios.ts';
import type { BudgetRow } from './budgets.ts';
import { AFFINITY_KINDS } from '../affinity.ts';
import {
  affinityRows,
  cpuRows,
  LAG_MS_MAX,
  latencyRows,
  summarize,
  throughputRows,
  type Results,
  type Summary,
} from './results.ts';

const MEBIBYTE = 1024 * 1024;

/** Returns the whole report as Markdown. */
export function report(results: Results, budgets: readonly BudgetRow[]): string {
  const { machine } = results;
  return [
    `# Bench of ${results.startedAt.slice(0, 10)}, commit ${machine.commit}`,
    `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}. ` +
      `Proxy alone on one core: ${machine.pinned ? 'yes' : 'no'}. Origin: ${results.origin}. ` +
      `Load average at the start: ${machine.loadAverage.toFixed(2)}. ` +
      `${results.rounds} rounds of ${results.secondsPerRound} s, seed ${results.seed}.`,
    results.peers.map((peer) => `${peer.name} ${peer.version}`).join(' · '),
    ...speedSections(results),
    ...latencySection(results),
    ...idleSection(results),
    ...affinitySection(results),
    ...switchSection(results),
    '## Budgets',
    table(
      ['what', 'bound', 'measured', ''],
      budgets.map((row) => [row.what, row.bound, row.measured, row.verdict]),
    ),
    ...(results.notes.length > 0
      ? ['## Notes', results.notes.map((note) => `- ${note}`).join('\n')]
      : []),
  ].join('\n\n');
}

function speedSections(results: Results): string[] {
  const scenarios = SCENARIOS.filter(({ name }) =>
    results.speed.some((sample) => sample.scenario === name),
  );
  if (scenarios.length === 0) return [];
  const peers = results.peers.map((peer) => peer.name);
  const rows = (cell: (scenario: string, peer: string) => string): string[][] =>
    scenarios.map(({ name, title }) => [
      `**${name}** ${title}`,
      ...peers.map((peer) => cell(name, peer)),
    ]);
  const cpuCell = (scenario: string, peer: string): string =>
    spread(summarize(cpuRows(results, scenario), peer));
  const throughputCell = (scenario: string, peer: string): string => {
    const summary = summarize(throughputRows(results, scenario), peer);
    return summary === undefined ? '—' : Math.round(summary.median).toLocaleString('en');
  };
  return [
    '## CPU time per request, µs',
    'Median of the rounds, their range, and in bold the median ratio to nginx within a round.',
    table(['scenario', ...peers], rows(cpuCell)),
    '## Answers per second',
    'Median of the rounds; one core for the proxy, one for origin and load together, which is the limit of the cheapest proxies.',
    table(['scenario', ...peers], rows(throughputCell)),
  ];
}

function latencySection(results: Results): string[] {
  const offered = results.latency[0]?.offeredPerSecond;
  if (offered === undefined) return [];
  const rows = results.peers
    .filter((peer) => results.latency.some((sample) => sample.peer === peer.name))
    .map(({ name }) => {
      const own = results.latency.filter((sample) => sample.peer === name);
      const valid = own.filter((sample) => sample.lagP99Ms <= LAG_MS_MAX).length;
      const keepsUp = own.every((sample) => sample.answeredPerSecond > offered * 0.97);
      return [
        name,
        spread(summarize(latencyRows(results, 'p50Ms'), name)),
        spread(summarize(latencyRows(results, 'p99Ms'), name)),
        keepsUp ? 'yes' : 'no',
        `${valid} of ${own.length}`,
      ];
    });
  return [
    `## Latency at ${Math.round(offered).toLocaleString('en')} requests a second, ms`,
    `Small requests, counted from the moment each should have been sent. A round in which the load itself was more than ${LAG_MS_MAX} ms late (p99) is not valid and left out.`,
    table(['peer', 'p50', 'p99', 'kept up in every round', 'valid rounds'], rows),
  ];
}

function idleSection(results: Results): string[] {
  const rows = results.peers.flatMap(({ name }) => {
    const start = results.start.find((sample) => sample.peer === name);
    const held = (kind: string): string => {
      const sample = results.idle.find((one) => one.peer === name && one.kind === kind);
      if (sample === undefined) return '—';
      const lost = sample.connections - sample.connectionsOpen;
      const note = lost > 0 ? ` (${lost} closed)` : '';
      return `${(sample.bytesPerConnection / 1024).toFixed(1)}${note}`;
    };
    if (start === undefined && held('answered') === '—') return [];
    return [
      [
        name,
        held('answered'),
        held('fresh'),
        held('tls'),
        start === undefined ? '—' : (start.idleRssBytes / MEBIBYTE).toFixed(0),
        start === undefined ? '—' : start.readyMedianMs.toFixed(0),
      ],
    ];
  });
  if (rows.length === 0) return [];
  const head = [
    'peer',
    'KiB per idle connection',
    'KiB per fresh one',
    'KiB per TLS one',
    'idle MiB',
    'ready ms',
  ];
  return [
    '## At rest',
    '10,000 idle connections on one worker, 2,000 of TLS; idle memory and start with two workers where the peer has workers.',
    table(head, rows),
  ];
}

function affinitySection(results: Results): string[] {
  const rows = affinityRows(results);
  if (rows.length === 0) return [];
  return [
    '## Sessions, CPU time per small request, µs',
    'Turnout against itself with affinity off: median, range, and in bold the median ratio within a round.',
    table(
      ['sessions', 'µs'],
      Object.entries(AFFINITY_KINDS).map(([kind, title]) => [
        title,
        spread(summarize(rows, kind, 'off')),
      ]),
    ),
  ];
}

function switchSection(results: Results): string[] {
  if (results.switching.length === 0) return [];
  const rows = results.switching.map((run) => [
    run.load,
    String(run.workers),
    `${(run.leastBusyCore * 100).toFixed(0)} %`,
    String(run.switches),
    run.requests.toLocaleString('en'),
    String(run.failed),
    String(run.wrong),
    run.p50Ms.toFixed(2),
    run.p99Ms.toFixed(2),
    run.maxMs.toFixed(2),
  ]);
  const head = [
    'load',
    'workers',
    'least busy core',
    'switches',
    'requests',
    'failed',
    'wrong',
    'p50 ms',
    'p99 ms',
    'max ms',
  ];
  return ['## Switches', table(head, rows)];
}

function spread(summary: Summary | undefined): string {
  if (summary === undefined) return '—';
  const { median, low, high, ratio } = summary;
  const ratioText = Number.isNaN(ratio) ? '' : ` **${ratio.toFixed(2)}**`;
  return `${digits(median)} (${digits(low)}–${digits(high)})${ratioText}`;
}

/** Three significant digits, no exponent. */
function digits(value: number): string {
  if (Number.isNaN(value)) return '—';
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

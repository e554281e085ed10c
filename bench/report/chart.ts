// CPU time per request as an SVG: one panel a scenario, one bar a peer, each panel with
// a scale of its own. Bars and text are all it needs, so it is written directly. Pure.

import { SCENARIOS } from '../scenarios.ts';
import { cpuRows, summarize, type Results } from './results.ts';

const PANEL_WIDTH = 470;
const BAR_HEIGHT = 18;
const BAR_GAP = 6;
const LABEL_WIDTH = 140;
const VALUE_WIDTH = 130;
const TITLE_HEIGHT = 34;
const MARGIN = 24;
const COLUMNS = 2;
const HEADER_HEIGHT = 64;

/** Turnout stands out, the byte pump is pale, the others are alike. */
const FILL: Readonly<Record<string, string>> = { turnout: '#1f7a4d', 'byte-pump': '#c9ced6' };
const FILL_OTHERS = '#7b8aa0';

/** Returns the chart as the text of an SVG file. */
export function cpuChart(results: Results): string {
  const scenarios = SCENARIOS.filter(({ name }) => cpuRows(results, name).length > 0);
  const panelHeight = TITLE_HEIGHT + results.peers.length * (BAR_HEIGHT + BAR_GAP) + MARGIN;
  const width = MARGIN + COLUMNS * (PANEL_WIDTH + MARGIN);
  const height = HEADER_HEIGHT + Math.ceil(scenarios.length / COLUMNS) * panelHeight;
  const panels = scenarios.map((scenario, index) => {
    const x = MARGIN + (index % COLUMNS) * (PANEL_WIDTH + MARGIN);
    const y = HEADER_HEIGHT + Math.floor(index / COLUMNS) * panelHeight;
    return `<g transform="translate(${x} ${y})">${panel(results, scenario)}</g>`;
  });
  const { machine } = results;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    text(MARGIN, 28, `CPU time per request of the proxy, µs (shorter is better)`, 'font-size="16"'),
    text(
      MARGIN,
      48,
      `${machine.cpu}, one core per proxy, Node ${machine.node}, ${results.startedAt.slice(0, 10)}; ` +
        'bar: median of the rounds, line: their range',
      'fill="#5a6472"',
    ),
    ...panels,
    '</svg>\n',
  ].join('\n');
}

function panel(
  results: Results,
  scenario: { readonly name: string; readonly title: string },
): string {
  const rows = cpuRows(results, scenario.name);
  const bars = results.peers.flatMap(({ name }) => {
    const summary = summarize(rows, name);
    return summary === undefined ? [] : [{ name, ...summary }];
  });
  const longest = Math.max(...bars.map((bar) => bar.high));
  const scale = (PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH) / longest;
  const drawn = bars.map((bar, index) => {
    const y = TITLE_HEIGHT + index * (BAR_HEIGHT + BAR_GAP);
    const middle = y + BAR_HEIGHT / 2;
    const x = (value: number): string => (LABEL_WIDTH + value * scale).toFixed(1);
    const ratio = Number.isNaN(bar.ratio) ? '' : `  ${bar.ratio.toFixed(2)} × nginx`;
    return [
      text(LABEL_WIDTH - 8, middle + 4, bar.name, 'text-anchor="end"'),
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${(bar.median * scale).toFixed(1)}" height="${BAR_HEIGHT}" fill="${FILL[bar.name] ?? FILL_OTHERS}"/>`,
      `<path d="M${x(bar.low)} ${middle}H${x(bar.high)}" stroke="#20262e" stroke-width="1.5"/>`,
      text(
        Number(x(bar.high)) + 6,
        middle + 4,
        `${bar.median.toFixed(bar.median < 100 ? 1 : 0)}${ratio}`,
        'fill="#20262e"',
      ),
    ].join('');
  });
  return text(0, 20, scenario.title, 'font-weight="600"') + drawn.join('');
}

function text(x: number, y: number, content: string, attributes: string): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y}" ${attributes}>${escaped}</text>`;
}

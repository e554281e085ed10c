// How often the guard is wrong, and how soon it is right, in made-up rollouts. docs/guard.md has the tables;
// TURNOUT_WRITE_DOCS=1 with TURNOUT_GUARD_RUNS=2000 writes them again.
//
// In the long form all tables are compared to the letter; in the short one, the rare things are only
// compared as far as fewer rollouts can tell.

import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import {
  ERROR_RATES,
  NULL_ROWS,
  PACE_MODES,
  PACES,
  PATIENCE_ROWS,
  POWER_ROWS,
} from '../../../support/guard-scenarios.ts';
import {
  SCENARIO,
  simulate,
  thresholdRollsBack,
  type Scenario,
} from '../../../support/guard-simulation.ts';

const PAGE = new URL('../../../../docs/guard.md', import.meta.url);

/** Rollouts for each row of rare things in the document. */
const LONG_RUNS = 2_000;
const RUNS = Number(process.env['TURNOUT_GUARD_RUNS'] ?? 50);
/** Rollouts for each delay. */
const DELAY_RUNS = 100;

interface Tried {
  readonly failed: number;
  readonly passed: number;
  /** Of those that failed, sorted. */
  readonly delaysS: readonly number[];
}

function tried(scenario: Scenario, runs: number): Tried {
  const delaysS: number[] = [];
  let passed = 0;
  for (let seed = 1; seed <= runs; seed++) {
    const { verdict, afterS } = simulate(scenario, seed * 7_919);
    if (verdict?.kind === 'fail') delaysS.push(afterS);
    if (verdict?.kind === 'pass') passed += 1;
  }
  return { failed: delaysS.length, passed, delaysS: delaysS.toSorted((a, b) => a - b) };
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}

/** Returns `15/18 s`, with the share that was found where that is not all; `never` below one in 20. */
function delayText({ delaysS }: Tried): string {
  const found = delaysS.length / DELAY_RUNS;
  if (found < 0.05) return 'never';
  const text = `${quantile(delaysS, 0.5)}/${quantile(delaysS, 0.95)} s`;
  return found === 1 ? text : `${text} (${Math.round(found * 100)} %)`;
}

function percent(count: number): string {
  return `${Number(((100 * count) / RUNS).toFixed(1))} %`;
}

/** The tables of the document, each with its head. */
const tables: string[][] = [];

await t.test('a release that is well is not rolled back', async (t) => {
  const rows = NULL_ROWS.map(({ name, scenario, falseMax }) => {
    const { failed, passed } = tried(scenario, RUNS);
    // A short form may have one by chance, where some are allowed.
    const allowed = falseMax === 0 ? 0 : Math.max(1, falseMax * RUNS);
    t.ok(failed <= allowed, `${name}: ${failed} of ${RUNS}`);
    return `| ${name} | ${failed} of ${RUNS} | ${percent(passed)} |`;
  });
  const head = ['| a good release | rolled back | passes after 5 min |', '| --- | --- | --- |'];
  tables.push([...head, ...rows]);
});

await t.test('a release with errors is rolled back as soon as was worked out', async (t) => {
  const rows = POWER_ROWS.map(({ name, rps, scenario, expectedS }) => {
    const cells = ERROR_RATES.map((fresh, index) => {
      const result = tried({ ...scenario, fresh }, DELAY_RUNS);
      const expected = expectedS[index];
      if (expected !== undefined) {
        const median = quantile(result.delaysS, 0.5);
        const label = `${name}, ${rps}, ${fresh}: ${median} s, worked out: ${expected} s`;
        t.ok(Math.abs(median - expected) <= 0.2 * expected, label);
      }
      return delayText(result);
    });
    return `| ${[name, rps, ...cells].join(' | ')} |`;
  });
  const rates = ERROR_RATES.map((rate) => `${rate * 100} %`);
  tables.push([
    `| traffic | requests | ${rates.join(' | ')} |`,
    `| --- | --- | ${rates.map(() => '---').join(' | ')} |`,
    ...rows,
  ]);
});

await t.test('20 requests a minute are too few to tell small things', async (t) => {
  const scenario = { ...SCENARIO, rps: 1 / 3, isExtended: true };
  const rows = [SCENARIO.base, ...ERROR_RATES].map((fresh) => {
    const { failed, passed } = tried({ ...scenario, fresh }, DELAY_RUNS);
    if (fresh === SCENARIO.base) t.equal(failed, 0, 'what is well is never rolled back');
    if (fresh === 0.05)
      t.strictSame({ failed, passed }, { failed: 0, passed: 0 }, '5 % is neither');
    if (fresh >= 0.5) t.equal(failed, DELAY_RUNS, 'half is found always');
    const parts = [failed, passed, DELAY_RUNS - failed - passed];
    return `| ${[fresh * 100, ...parts].map((part) => `${part} %`).join(' | ')} |`;
  });
  tables.push([
    '| errors | rolled back | passes | inconclusive |',
    '| --- | --- | --- | --- |',
    ...rows,
  ]);
});

await t.test('a threshold rolls good releases back, unless normal is far from it', async (t) => {
  const seeds = Array.from({ length: DELAY_RUNS }, (_, index) => (index + 1) * 7_919);
  const counted = NULL_ROWS.filter(({ scenario }) => scenario.settings.latency.mode === 'off').map(
    ({ name, scenario }) => ({
      name,
      failed: seeds.filter((seed) => thresholdRollsBack(scenario, seed)).length,
    }),
  );
  t.ok(counted.filter(({ failed }) => failed > DELAY_RUNS / 4).length >= 5);
  tables.push([
    '| a good release | rolled back by a threshold |',
    '| --- | --- |',
    ...counted.map(({ name, failed }) => `| ${name} | ${failed} of ${DELAY_RUNS} |`),
  ]);
});

await t.test('one bet goes on over all steps of a linear plan', async (t) => {
  // Ten steps of a minute. With a bet for each step this takes 93 s, and 2 % are found in one of four.
  const linear = { ...SCENARIO, mode: 'side by side', seconds: 600, steps: 10 } as const;
  for (const { fresh, expectedS } of [
    { fresh: 0.05, expectedS: 54 },
    { fresh: 0.02, expectedS: 218 },
  ]) {
    const { failed, delaysS } = tried({ ...linear, fresh }, DELAY_RUNS);
    t.equal(failed, DELAY_RUNS, `${fresh * 100} % of errors are always found`);
    const median = quantile(delaysS, 0.5);
    t.ok(
      Math.abs(median - expectedS) <= 0.2 * expectedS,
      `${median} s, worked out: ${expectedS} s`,
    );
  }
  t.equal(tried(linear, RUNS).failed, 0);
});

await t.test('a release that is slow is rolled back', async () => {
  const rows = PACES.map(([name, pace]) => {
    const cells = PACE_MODES.map(([, scenario]) =>
      delayText(tried({ ...scenario, pace }, DELAY_RUNS)),
    );
    return `| ${[name, ...cells].join(' | ')} |`;
  });
  const modes = PACE_MODES.map(([name]) => name);
  tables.push([
    `| what is slower | ${modes.join(' | ')} |`,
    `| --- | ${modes.map(() => '---').join(' | ')} |`,
    ...rows,
  ]);
});

await t.test('more patience is slower, and calmer', async (t) => {
  const falls: number[] = [];
  const rows = PATIENCE_ROWS.map(({ patience, found, canary, bursts }) => {
    const { failed } = tried(bursts, RUNS);
    falls.push(failed);
    const cells = [found, canary].map((scenario) => delayText(tried(scenario, DELAY_RUNS)));
    return `| ${[`\`${patience}\``, ...cells, `${failed} of ${RUNS}`].join(' | ')} |`;
  });
  t.strictSame(
    falls,
    falls.toSorted((a, b) => a - b),
  );
  tables.push([
    '| `patience` | 5 % errors, bake | 5 % errors, canary 10 % | own outages of 3 s: rolled back |',
    '| --- | --- | --- | --- |',
    ...rows,
  ]);
});

/** Cells of a table, whatever the widths of its columns. */
function cellsOf(lines: readonly string[]): string[][] {
  return lines
    .filter((line) => line.startsWith('|') && !/^\| *-/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** Returns the table of the document that has the same head. */
function tableLike(lines: readonly string[], text: string): string {
  const [head] = cellsOf(lines);
  const tables = text.match(/(?:^\|.*\n)+/gm) ?? [];
  return tables.find((table) => cellsOf(table.split('\n'))[0]?.join() === head?.join()) ?? '';
}

/** `3 of 2000` and `0.2 %` say something of what is rare: fewer rollouts can't say exactly the same. */
const RARE = /^(?:\d+ of \d+|[\d.]+ %)$/;

function isLike(cell: string, other: string): boolean {
  if (cell === other) return true;
  if (RUNS === LONG_RUNS || !RARE.test(cell) || !RARE.test(other)) return false;
  const [one, two] = [shareOf(cell), shareOf(other)];
  const spread = Math.sqrt((Math.max(two, 1 / RUNS) * (1 - Math.min(two, 0.99))) / RUNS);
  return Math.abs(one - two) <= 4 * spread;
}

function shareOf(cell: string): number {
  const [count, all] = cell.split(' of ').map(Number.parseFloat);
  return all === undefined ? count! / 100 : count! / all;
}

await t.test('docs/guard.md says so', (t) => {
  let text = readFileSync(PAGE, 'utf8');
  const writes = process.env['TURNOUT_WRITE_DOCS'] === '1' && RUNS === LONG_RUNS;
  for (const lines of tables) {
    const written = tableLike(lines, text);
    t.not(written, '', `a table with the head ${lines[0]}`);
    if (writes) {
      text = text.replace(written, `${lines.join('\n')}\n`);
      continue;
    }
    const [said, now] = [cellsOf(written.split('\n')), cellsOf(lines)];
    t.equal(said.length, now.length, `rows below ${lines[0]}`);
    for (const [index, row] of now.entries()) {
      const differ = row.filter((cell, column) => !isLike(cell, said[index]?.[column] ?? ''));
      t.strictSame(differ, [], `${row[0]}: the document has ${said[index]?.join(', ')}`);
    }
  }
  if (writes) writeFileSync(PAGE, text);
  t.end();
});

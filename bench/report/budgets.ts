// The budgets of the design, each with what was measured. Pure.

import { AFFINITY_KINDS } from '../affinity.ts';
import type { Results } from './results.ts';
import { affinityRows, cpuRows, latencyRows, summarize } from './results.ts';

export interface BudgetRow {
  readonly what: string;
  readonly bound: string;
  readonly measured: string;
  readonly verdict: 'pass' | 'miss' | 'not measured';
}

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * 1024;

const IDLE_CONNECTION_BYTES_MAX = {
  answered: 12 * KIBIBYTE,
  fresh: 12 * KIBIBYTE,
  tls: 60 * KIBIBYTE,
} as const;
/** What a small request may lose over TLS, as a ratio to nginx. */
const TLS_ADDED_MAX = 0.1;
const IDLE_RSS_BYTES_MAX = 140 * MEBIBYTE;
const READY_MS_MAX = 700;
/** Of the call, by load: `full` keeps every core busy. */
const SWITCH_P99_MS_MAX = { none: 5, full: 15 } as const;
/** CPU time with sessions over the same without. */
const SESSION_MAX = { given: 1.05, active: 1.05, draining: 1.2 } as const;

/** Returns every budget row; what the run left out says so. */
export function budgetRows(results: Results): BudgetRow[] {
  const cpu = (scenario: string, against: string, bound: number): BudgetRow =>
    ratioRow(`${scenario}: CPU per request`, against, {
      ratio: summarize(cpuRows(results, scenario), 'turnout', against)?.ratio,
      bound,
    });
  return [
    cpu('small', 'nginx', 1.15),
    cpu('small', 'haproxy', 1.05),
    cpu('small', 'http-proxy-3', 0.25),
    cpu('bare', 'nginx', 1.15),
    cpu('bare', 'haproxy', 1.15),
    cpu('close', 'nginx', 1.8),
    cpu('64k', 'nginx', 1),
    cpu('1m', 'nginx', 1),
    cpu('upload', 'nginx', 1),
    tlsRow(results),
    cpu('tls-1m', 'nginx', 1.5),
    cpu('tls-new', 'nginx', 2),
    ratioRow(latencyTitle(results), 'nginx', {
      ratio: summarize(latencyRows(results, 'p99Ms'), 'turnout')?.ratio,
      bound: 1.2,
    }),
    ...(['given', 'active', 'draining'] as const).map((kind) =>
      ratioRow(`session: ${AFFINITY_KINDS[kind]}`, 'affinity off', {
        ratio: summarize(affinityRows(results), kind, 'off')?.ratio,
        bound: SESSION_MAX[kind],
      }),
    ),
    ...idleRows(results),
    ...switchRows(results),
  ];
}

/** Against the ratio in the clear of the same run. */
function tlsRow(results: Results): BudgetRow {
  const ratioOf = (scenario: string): number | undefined =>
    summarize(cpuRows(results, scenario), 'turnout')?.ratio;
  const plain = ratioOf('small');
  const what = 'tls: CPU per request';
  if (plain === undefined || Number.isNaN(plain)) {
    return unmeasured(what, `≤ small + ${TLS_ADDED_MAX} × nginx`);
  }
  return ratioRow(what, 'nginx', { ratio: ratioOf('tls'), bound: plain + TLS_ADDED_MAX });
}

/** The rate is half of the peak of nginx, or less where the load could not keep that: a note says so. */
function latencyTitle({ latency }: Results): string {
  const rate = latency[0]?.offeredPerSecond;
  if (rate === undefined) return 'p99 at half of the peak of nginx';
  return `p99 at ${rate.toLocaleString('en')} requests a second`;
}

function ratioRow(
  what: string,
  against: string,
  value: { readonly ratio: number | undefined; readonly bound: number },
): BudgetRow {
  const bound = `≤ ${value.bound.toFixed(2)} × ${against}`;
  if (value.ratio === undefined || Number.isNaN(value.ratio)) return unmeasured(what, bound);
  const measured = `${value.ratio.toFixed(2)} × ${against}`;
  return { what, bound, measured, verdict: value.ratio <= value.bound ? 'pass' : 'miss' };
}

function idleRows(results: Results): BudgetRow[] {
  const held = results.idle.filter((sample) => sample.peer === 'turnout');
  const start = results.start.find((sample) => sample.peer === 'turnout');
  const connections = held.map((sample) =>
    limitRow(`idle connection at ${sample.connections.toLocaleString('en')}, ${sample.kind}`, {
      value: sample.bytesPerConnection / KIBIBYTE,
      bound: IDLE_CONNECTION_BYTES_MAX[sample.kind] / KIBIBYTE,
      unit: 'KiB',
    }),
  );
  if (connections.length === 0) connections.push(unmeasured('idle connection', '≤ 12 KiB'));
  if (start === undefined) {
    return [...connections, unmeasured('idle process, 2 workers', '≤ 140 MiB, ready in ≤ 700 ms')];
  }
  return [
    ...connections,
    limitRow('idle process, 2 workers', {
      value: start.idleRssBytes / MEBIBYTE,
      bound: IDLE_RSS_BYTES_MAX / MEBIBYTE,
      unit: 'MiB',
    }),
    limitRow('start to first answer, 2 workers', {
      value: start.readyMedianMs,
      bound: READY_MS_MAX,
      unit: 'ms',
    }),
  ];
}

function switchRows(results: Results): BudgetRow[] {
  if (results.switching.length === 0) {
    return [
      unmeasured('switches under full load', '0 failed, 0 wrong, p99 ≤ 15 ms'),
      unmeasured('switches without load', 'p99 ≤ 5 ms'),
    ];
  }
  return results.switching.flatMap((run) => {
    const name = `${run.switches.toLocaleString('en')} switches, ${run.workers} worker(s), load ${run.load}`;
    const call = limitRow(`${name}: p99 of the call`, {
      value: run.p99Ms,
      bound: SWITCH_P99_MS_MAX[run.load],
      unit: 'ms',
    });
    if (run.load === 'none') return [call];
    return [
      limitRow(`${name}: failed requests`, { value: run.failed, bound: 0, unit: '' }),
      limitRow(`${name}: wrong color after the answer`, { value: run.wrong, bound: 0, unit: '' }),
      call,
    ];
  });
}

function limitRow(
  what: string,
  limit: { readonly value: number; readonly bound: number; readonly unit: string },
): BudgetRow {
  const { value, bound, unit } = limit;
  return {
    what,
    bound: `≤ ${bound} ${unit}`.trimEnd(),
    measured: `${Number.isInteger(value) ? value : value.toFixed(1)} ${unit}`.trimEnd(),
    verdict: value <= bound ? 'pass' : 'miss',
  };
}

function unmeasured(what: string, bound: string): BudgetRow {
  return { what, bound, measured: '—', verdict: 'not measured' };
}

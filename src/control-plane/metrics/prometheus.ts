// Hands finished numbers to the Prometheus client, which knows the text format. The
// library is loaded with the first scrape: until then it would only cost memory.

import type { Turns } from '../../base/turns.ts';
import type { HistogramTotals } from '../memory/totals.ts';

export type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

/** One metric with all of its series, in the form the client aggregates. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly aggregator: 'first';
  readonly values: Sample[];
  /** Adds one series and returns the family. */
  add(labels: Labels, value: number): Family;
}

/** Returns a metric without series. */
export function family(type: Family['type'], name: string, help: string): Family {
  return {
    name,
    help,
    type,
    aggregator: 'first',
    values: [],
    add(labels, value) {
      this.values.push({ labels, value });
      return this;
    },
  };
}

/** Adds one histogram to its family; `totals` has one bucket more than there are edges. */
export function histogram(
  { name, values }: Family,
  labels: Labels,
  edgesSeconds: readonly number[],
  { buckets, sumMs }: HistogramTotals,
): void {
  let count = 0;
  for (const [index, bucket] of buckets.entries()) {
    count += bucket;
    const le = edgesSeconds[index] ?? '+Inf';
    values.push({ labels: { ...labels, le }, value: count, metricName: `${name}_bucket` });
  }
  values.push({ labels, value: sumMs / 1_000, metricName: `${name}_sum` });
  values.push({ labels, value: count, metricName: `${name}_count` });
}

/** As many series are printed at once. */
const SERIES_AT_ONCE = 250;

/** Returns the text of `families`, printed in slices. */
export async function renderFamilies(families: readonly Family[], turns: Turns): Promise<string> {
  const { Registry } = await import('@prometheus-io/client');
  let text = '';
  for (const family of families) {
    const { values } = family;
    for (let from = 0; from === 0 || from < values.length; from += SERIES_AT_ONCE) {
      const slice = values.slice(from, from + SERIES_AT_ONCE);
      const printed = await Registry.aggregate([[{ ...family, values: slice }]]).metrics();
      text += from === 0 ? printed : withoutHead(printed);
      await turns.after(slice.length);
    }
    text += '\n';
  }
  return text;
}

/** The lines HELP and TYPE stand once for each family. */
function withoutHead(printed: string): string {
  return printed.slice(printed.indexOf('\n', printed.indexOf('\n') + 1) + 1);
}

/** Names that break the naming rules of Prometheus; others say the same. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
  'nodejs_eventloop_utilization_histogram',
  'nodejs_eventloop_utilization_summary',
];

let processText: Promise<() => Promise<string>> | undefined;

/** Returns the text of Node's own metrics; the first call begins to collect them. */
export async function renderProcess(): Promise<string> {
  processText ??= collectProcess();
  return (await processText)();
}

async function collectProcess(): Promise<() => Promise<string>> {
  const { collectDefaultMetrics, Registry } = await import('@prometheus-io/client');
  const registry = new Registry();
  collectDefaultMetrics({
    register: registry,
    // The defaults wake the process 110 times a second; this is enough to see a stall.
    eventLoopMonitoringPrecision: 50,
    eventLoopUtilizationTimeout: 1_000,
  });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  return async () => registry.metrics();
}

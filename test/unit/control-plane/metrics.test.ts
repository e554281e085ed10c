import { spawnSync } from 'node:child_process';
import t from 'tap';
import { FAILURE_INDEX } from '../../../src/base/failures.ts';
import {
  allocateSharedMemory,
  BLOCK,
  blockOffset,
  DURATION_EDGES_MS,
  observe,
  requestSlot,
  WORKER_ROW,
  workerRegion,
} from '../../../src/contract/counters.ts';
import { firstTable } from '../../../src/control-plane/first-table.ts';
import { renderMetrics } from '../../../src/control-plane/metrics.ts';
import { Slots } from '../../../src/control-plane/slots.ts';
import { SwitchTally } from '../../../src/control-plane/switch-tally.ts';
import { Totals } from '../../../src/control-plane/totals.ts';
import { skipWithout } from '../../support/installed.ts';
import { config, serviceConfig, target } from './support/fixtures.ts';

const SERVICES = [
  serviceConfig(),
  serviceConfig({ name: 'a "quoted"\nname', blue: { release: '', targets: [target(1)] } }),
];

function build() {
  const memory = allocateSharedMemory(2);
  const slots = new Slots();
  const stored = { generation: 0, fingerprint: '', services: new Map() };
  const table = firstTable(config('/nowhere', { services: SERVICES }), stored, slots);
  const tally = new SwitchTally(table);
  const parts = {
    version: '1.2.3',
    totals: new Totals(memory, 2),
    slots,
    table: () => table,
    tally,
    health: (slot: number) => ({ state: slot === 0 ? ('up' as const) : ('down' as const) }),
    workers: { listeningCount: 2, restarts: 1 },
    isFrozen: () => false,
  };
  const regions = [workerRegion(memory.counters, 0), workerRegion(memory.counters, 1)] as const;
  return { parts, regions, table, tally };
}

const BLUE = 'service="default",color="blue",release="v1"';

await t.test('what the workers count is added up', async (t) => {
  const { parts, regions } = build();
  const at = blockOffset(1); // default, blue
  for (const region of regions) {
    region[at + requestSlot(0, 200)]! += 2;
    region[at + BLOCK.inflight]! += 3;
    region[at + BLOCK.responseBytes]! += 1_000;
    region[WORKER_ROW.connectionsOpen]! += 4;
    observe(region, at + BLOCK.duration, 0.7);
    observe(region, at + BLOCK.duration, 999_999);
  }
  regions[0][at + requestSlot(0, 503)]! += 1;
  const text = await renderMetrics(parts);
  for (const line of [
    `turnout_requests_total{${BLUE},code="200",reason="active"} 4`,
    `turnout_requests_total{${BLUE},code="503",reason="active"} 1`,
    `turnout_inflight_requests{${BLUE}} 6`,
    `turnout_response_bytes_total{${BLUE}} 2000`,
    'turnout_connections_open 8',
    `turnout_request_duration_seconds_bucket{${BLUE},le="0.0005"} 0`,
    `turnout_request_duration_seconds_bucket{${BLUE},le="0.001"} 2`,
    `turnout_request_duration_seconds_bucket{${BLUE},le="60"} 2`,
    `turnout_request_duration_seconds_bucket{${BLUE},le="+Inf"} 4`,
    `turnout_request_duration_seconds_count{${BLUE}} 4`,
    'turnout_workers 2',
    'turnout_worker_restarts_total 1',
    'turnout_build_info{version="1.2.3"} 1',
    'turnout_generation 1',
    'turnout_active{service="default",color="blue"} 1',
    'turnout_active{service="default",color="green"} 0',
    'turnout_target_up{service="default",color="blue",target="http://127.0.0.1:3001"} 1',
    'turnout_target_up{service="default",color="green",target="http://127.0.0.1:3002"} 0',
  ]) {
    t.ok(text.split('\n').includes(line), line);
  }
  t.match(
    text,
    /^turnout_request_duration_seconds_sum\{service="default",color="blue",release="v1"\} 1999\.99/m,
  );
});

await t.test('failures are counted by code, also those that reached no service', async (t) => {
  const { parts, regions } = build();
  regions[0][blockOffset(0) + BLOCK.failures + FAILURE_INDEX.BAD_REQUEST]! += 2;
  regions[1][blockOffset(2) + BLOCK.failures + FAILURE_INDEX.BAD_REQUEST]! += 1;
  const text = await renderMetrics(parts);
  t.match(text, 'turnout_rejected_total{code="400",failure="BAD_REQUEST"} 3');
  t.match(text, 'turnout_rejected_total{code="502",failure="CONNECT_FAILED"} 0');
});

await t.test('switches are counted with their durations', async (t) => {
  const { parts, table, tally } = build();
  const record = {
    generation: 2,
    service: 'default',
    from: 'blue',
    to: 'green',
    release: 'v2',
    atMs: 5_000,
    outcome: 'switched',
    forced: false,
    reason: '',
    actor: '',
  } as const;
  tally.published(record, 3);
  tally.refused(table.services[0]!, 'refused');
  const text = await renderMetrics(parts);
  const direction = 'service="default",from="blue",to="green"';
  t.match(text, `turnout_switches_total{${direction},outcome="switched"} 1`);
  t.match(text, `turnout_switches_total{${direction},outcome="refused"} 1`);
  t.match(text, `turnout_switches_total{${direction},outcome="failed"} 0`);
  t.match(text, 'turnout_last_switch_timestamp_seconds{service="default"} 5');
  t.match(text, 'turnout_switch_duration_seconds_bucket{le="0.005"} 1');
  t.match(text, 'turnout_switch_duration_seconds_sum 0.003');
});

const skip = skipWithout('promtool');

await t.test('promtool has no complaint, with and without traffic', { skip }, async (t) => {
  const { parts, regions } = build();
  const check = async (): Promise<string> => {
    const input = await renderMetrics(parts);
    const done = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
    return `${done.status} ${done.stdout}${done.stderr}`;
  };
  t.equal(await check(), '0 ');
  for (const block of [1, 2, 3, 4]) {
    for (let status = 100; status < 600; status++) {
      regions[0][blockOffset(block) + requestSlot(0, status)]! += 1;
    }
    for (const edge of DURATION_EDGES_MS) {
      observe(regions[1], blockOffset(block) + BLOCK.duration, edge);
      observe(regions[1], blockOffset(block) + BLOCK.connect, edge);
    }
  }
  t.equal(await check(), '0 ');
});

// The metrics as Prometheus reads them: names, labels and values, by what was counted.

import { spawnSync } from 'node:child_process';
import t from 'tap';
import { FAILURE_INDEX } from '../../../../src/base/failures.ts';
import {
  BLOCK,
  blockOffset,
  DECISION,
  DURATION_EDGES_MS,
  ENDPOINT_ROW,
  endpointOffset,
  observe,
  requestSlot,
  WORKER_ROW,
} from '../../../../src/contract/counters.ts';
import { isLive, type Endpoint } from '../../../../src/contract/table.ts';
import { renderMetrics } from '../../../../src/control-plane/metrics/metrics.ts';
import { skipWithout } from '../../../support/installed.ts';
import { metricsScene } from '../support/metrics-scene.ts';

const BLUE = 'service="default",color="blue",release="v1"';

await t.test('what the workers count is added up', async (t) => {
  const { parts, regions } = metricsScene();
  const at = blockOffset(1); // default, blue
  for (const region of regions) {
    region[at + requestSlot(0, 200)]! += 2;
    region[at + BLOCK.inflight]! += 3;
    region[at + BLOCK.responseBytes]! += 1_000;
    region[WORKER_ROW.connectionsOpen]! += 4;
    region[WORKER_ROW.logLinesDropped]! += 5;
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
    'turnout_log_lines_dropped_total{log="access"} 10',
    'turnout_log_lines_dropped_total{log="process"} 7',
    'turnout_store_fault 1',
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
    'turnout_target_ejected{service="default",color="blue",target="http://127.0.0.1:3001"} 0',
    'turnout_target_ejected{service="default",color="green",target="http://127.0.0.1:3002"} 1',
    'turnout_target_ejections_total{service="default",color="green",target="http://127.0.0.1:3002"} 3',
  ]) {
    t.ok(text.split('\n').includes(line), line);
  }
  t.match(
    text,
    /^turnout_request_duration_seconds_sum\{service="default",color="blue",release="v1"\} 1999\.99/m,
  );
});

await t.test('orders of ACME are counted, and failures of each domain', async (t) => {
  const lines = (await renderMetrics(metricsScene().parts)).split('\n');
  t.same(
    lines.filter((line) => line.startsWith('turnout_acme_')),
    [
      'turnout_acme_orders_total{outcome="obtained"} 4',
      'turnout_acme_orders_total{outcome="failed"} 2',
      'turnout_acme_failures{domain="a.test"} 0',
      'turnout_acme_failures{domain="b.test"} 3',
    ],
  );
});

await t.test(
  'each certificate has one series for its end, and one for a file that is not used',
  async (t) => {
    const { parts } = metricsScene();
    const lines = (await renderMetrics(parts)).split('\n');
    t.strictSame(
      lines.filter((line) => line.startsWith('turnout_certificate_')),
      [
        'turnout_certificate_expiry_timestamp_seconds{name="a.test",source="/a.pem"} 7776000',
        'turnout_certificate_expiry_timestamp_seconds{name="b.test",source="acme"} 86400',
        'turnout_certificate_refused{name="a.test",source="/a.pem"} 1',
        'turnout_certificate_refused{name="b.test",source="acme"} 0',
      ],
    );
  },
);

await t.test(
  'copies of requests are in a series of their own, by what became of them',
  async (t) => {
    const { parts, regions } = metricsScene();
    const at = blockOffset(2) + BLOCK.shadow; // default, green
    for (const region of regions) for (let i = 0; i < 5; i++) region[at + i]! += i + 1;
    const lines = (await renderMetrics(parts))
      .split('\n')
      .filter((line) => line.includes('_shadow_'));
    const green = 'service="default",color="green",release="v2"';
    t.strictSame(lines.slice(2), [
      `turnout_shadow_requests_total{${green},result="sent"} 2`,
      `turnout_shadow_requests_total{${green},result="same"} 4`,
      `turnout_shadow_requests_total{${green},result="differed"} 6`,
      `turnout_shadow_requests_total{${green},result="failed"} 8`,
      `turnout_shadow_requests_total{${green},result="unpaired"} 10`,
    ]);
  },
);

await t.test('what the proxy answered itself is counted for no release', async (t) => {
  const { parts, regions } = metricsScene();
  const at = blockOffset(0);
  regions[0][at + requestSlot(DECISION.active, 503)]! += 2;
  regions[1][at + requestSlot(DECISION.preview, 503)]! += 1;
  regions[1][at + requestSlot(DECISION.active, 404)]! += 1;
  observe(regions[0], at + BLOCK.duration, 0.7);
  regions[0][at + BLOCK.responseBytes]! += 10;
  const lines = (await renderMetrics(parts)).split('\n');
  const none = 'service="",color="",release=""';
  for (const line of [
    `turnout_requests_total{${none},code="404",reason="own"} 1`,
    `turnout_requests_total{${none},code="503",reason="own"} 3`,
    `turnout_request_duration_seconds_count{${none}} 1`,
    `turnout_inflight_requests{${none}} 0`,
    `turnout_response_bytes_total{${none}} 10`,
  ]) {
    t.ok(lines.includes(line), line);
  }
  t.notOk(lines.some((line) => line.includes('color="blue"') && line.includes('code="503"')));
});

await t.test('a name has a series for each address where it has several', async (t) => {
  const { parts, table, regions } = metricsScene();
  const [{ slot: first }] = table.services[0]!.blue.endpoints as [Endpoint];
  const places = ['10.0.0.1:80', '10.0.0.2:80'];
  regions[0][endpointOffset(501) + ENDPOINT_ROW.connections] = 7;
  const render = async (count: number): Promise<string> =>
    renderMetrics({
      ...parts,
      health: (endpoint) =>
        endpoint.slot === first
          ? places
              .slice(0, count)
              .map((place, n) => ({ slot: 500 + n, place, state: 'up' as const }))
          : parts.health(endpoint),
      names: {
        of: () => table.services[0]!.blue.endpoints.filter(isLive),
        status: ({ slot }) =>
          slot === first
            ? { problem: '', answeredAtMs: 0, failureCount: 3, deniedAtMs: 0 }
            : undefined,
      },
    });
  const target = 'service="default",color="blue",target="http://127.0.0.1:3001"';
  const several = await render(2);
  t.match(several, `turnout_target_up{${target},address="10.0.0.1:80"} 1`);
  t.match(several, `turnout_upstream_connections{${target},address="10.0.0.2:80"} 7`);
  t.notMatch(several, `turnout_target_up{${target}}`);
  t.match(several, `turnout_lookup_failures_total{${target}} 3`);
  t.match(several, `turnout_target_addresses{${target}} 1`);
  t.notMatch(several, /turnout_target_addresses\{.*3002/, 'only names have addresses');
  t.match(await render(1), `turnout_target_up{${target}} 1`);
});

await t.test('failures are counted by code, also those that reached no service', async (t) => {
  const { parts, regions } = metricsScene();
  regions[0][blockOffset(0) + BLOCK.failures + FAILURE_INDEX.BAD_REQUEST]! += 2;
  regions[1][blockOffset(2) + BLOCK.failures + FAILURE_INDEX.BAD_REQUEST]! += 1;
  const text = await renderMetrics(parts);
  t.match(text, 'turnout_rejected_total{code="400",failure="BAD_REQUEST"} 3');
  t.match(text, 'turnout_rejected_total{code="502",failure="CONNECT_FAILED"} 0');
});

await t.test('switches are counted with their durations', async (t) => {
  const { parts, states, tally } = metricsScene();
  const record = {
    epoch: 2,
    service: 'default',
    from: 'blue',
    to: 'green',
    release: 'v2',
    atMs: 5_000,
    outcome: 'switched',
    deployment: 2,
    left: 1,
    forced: false,
    reason: '',
    actor: '',
  } as const;
  tally.published(record, 3);
  tally.refused(states.get('default')!, 'refused');
  const text = await renderMetrics(parts);
  const direction = 'service="default",from="blue",to="green"';
  t.match(text, `turnout_switches_total{${direction},outcome="switched"} 1`);
  t.match(text, `turnout_switches_total{${direction},outcome="refused"} 1`);
  t.match(text, `turnout_switches_total{${direction},outcome="failed"} 0`);
  t.match(text, 'turnout_last_switch_timestamp_seconds{service="default"} 5');
  t.match(text, 'turnout_switch_duration_seconds_bucket{le="0.005"} 1');
  t.match(text, 'turnout_switch_duration_seconds_sum 0.003');
});

await t.test('several blocks with the same labels are one series', async (t) => {
  const { parts, regions, slots } = metricsScene();
  const again = { service: 'default', color: 'blue', deployment: 9, release: 'v1' } as const;
  const other = slots.block(again);
  for (const [index, block] of [1, other].entries()) {
    const at = blockOffset(block);
    regions[index]![at + requestSlot(DECISION.session, 200)]! += 2;
    regions[0][at + BLOCK.inflight]! += 3;
    regions[0][at + BLOCK.failures + FAILURE_INDEX.BAD_REQUEST]! += 1;
    observe(regions[1], at + BLOCK.duration, 0.7);
  }
  const text = await renderMetrics(parts);
  const lines = text.split('\n');
  for (const line of [
    `turnout_requests_total{${BLUE},code="200",reason="session"} 4`,
    `turnout_inflight_requests{${BLUE}} 6`,
    `turnout_request_duration_seconds_count{${BLUE}} 2`,
    'turnout_rejected_total{code="400",failure="BAD_REQUEST"} 2',
  ]) {
    t.ok(lines.includes(line), line);
  }
  const names = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const labels = names.map((line) => line.slice(0, line.lastIndexOf(' ')));
  t.equal(new Set(labels).size, labels.length, 'no series is there twice');
});

await t.test('streams, waiting and rescued requests have their own series', async (t) => {
  const { parts, regions, table } = metricsScene();
  const at = blockOffset(1);
  for (const [slot, value] of [
    [BLOCK.streams, 2],
    [BLOCK.held, 3],
    [BLOCK.rescued, 4],
  ] as const) {
    for (const region of regions) region[at + slot] = value;
  }
  const closed = { message: '', retryAfterSeconds: 1 };
  const services = [{ ...table.services[0]!, maintenance: closed }, table.services[1]!];
  const text = await renderMetrics({ ...parts, table: () => ({ ...table, services }) });
  for (const line of [
    `turnout_event_streams{${BLUE}} 4`,
    `turnout_held_requests{${BLUE}} 6`,
    `turnout_rescued_total{${BLUE}} 8`,
    'turnout_maintenance{service="default"} 1',
    'turnout_maintenance{service="a \\"quoted\\"\\nname"} 0',
  ]) {
    t.ok(text.split('\n').includes(line), line);
  }
});

function heads(text: string): string[] {
  return text.split('\n').filter((line) => line.startsWith('# '));
}

await t.test('many series are made and printed in slices', async (t) => {
  const { parts, slots } = metricsScene();
  let turns = 0;
  const turn = async (): Promise<void> => void turns++;
  const few = await renderMetrics(parts, turn);
  const before = turns;
  const releases = 100;
  for (let made = 0; made < releases; made++) {
    slots.block({ service: 'default', color: 'blue', deployment: 100 + made, release: `r${made}` });
  }
  const text = await renderMetrics(parts, turn);
  const series = text.split('\n').filter((line) => line.includes('release="r')).length;
  t.ok(series >= releases * 40, `${series} series`);
  t.ok(turns - before >= (2 * series) / 1_000, `${turns - before} turns`);
  t.strictSame(heads(text), heads(few), 'each family has one head');
});

await t.test('each drain has its series while it lasts', async (t) => {
  const { parts, drains } = metricsScene();
  t.notMatch(await renderMetrics(parts), /turnout_draining_sessions\{/);
  drains.push({
    service: 'default',
    deployment: 4,
    scope: 'deployment',
    generation: 7,
    color: 'blue',
    release: 'v1',
    targets: [],
    startedAtMs: 1_000,
    sessionsUntilMs: 2_000,
    endsAtMs: 90_500,
    requests: 1,
    tunnels: 20,
    streams: 300,
    sessions: 4_000,
    sessionsError: 0.01,
    reasons: [],
  });
  const text = await renderMetrics(parts);
  for (const line of [
    `turnout_draining_sessions{${BLUE},deployment="4",generation="7"} 4000`,
    `turnout_draining_requests{${BLUE},deployment="4",generation="7"} 321`,
    `turnout_drain_ends_timestamp_seconds{${BLUE},deployment="4",generation="7"} 90.5`,
  ]) {
    t.ok(text.split('\n').includes(line), line);
  }
});

await t.test('lock-outs, a freeze and failovers are told, also where there was none', async (t) => {
  const { parts } = metricsScene();
  const lines = (await renderMetrics(parts)).split('\n');
  for (const line of [
    'turnout_switching_frozen 1',
    'turnout_locked_out{service="default",color="green"} 0',
    'turnout_failovers_total{service="default",outcome="switched"} 1',
    'turnout_failovers_total{service="default",outcome="failed"} 2',
    'turnout_failovers_total{service="default",outcome="blocked"} 3',
  ]) {
    t.ok(lines.includes(line), line);
  }
  const table = parts.table();
  const { services, epoch } = table;
  const lockedOut = { release: 'v2', deployment: 2, reason: '', actor: 'ann', atMs: 1, epoch };
  const locked = services.map((one) => ({ ...one, green: { ...one.green, lockedOut } }));
  const after = { ...parts, isSwitchingFrozen: () => false };
  const text = await renderMetrics({ ...after, table: () => ({ ...table, services: locked }) });
  t.match(text, '\nturnout_switching_frozen 0\n');
  t.match(text, '\nturnout_locked_out{service="default",color="green"} 1\n');
});

const skip = skipWithout('promtool');

await t.test('promtool has no complaint, with and without traffic', { skip }, async (t) => {
  const { parts, regions } = metricsScene();
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

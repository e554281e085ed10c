// What the tally writes into the shared counters.

import t from 'tap';
import { FAILURE_CODES, FAILURE_INDEX } from '../../../../src/base/failures.ts';
import {
  BLOCK,
  BLOCK_GAUGES,
  DECISION,
  DECISIONS,
  DURATION_EDGES_MS,
  ENDPOINT_GAUGES,
  ENDPOINT_ROW,
  RETRY_REASON,
  WORKER_ROW,
  blockOffset,
  endpointOffset,
  requestSlot,
  workerRegion,
} from '../../../../src/contract/counters.ts';
import { allocateSharedMemory } from '../../../../src/contract/shared-memory.ts';
import { Tally, UNTIMED } from '../../../../src/data-plane/base/tally.ts';

/** Runs `act` on worker 1 of 2 and returns the slots that are not 0, by their number. */
function written(act: (tally: Tally) => void): Record<number, number> {
  const { counters } = allocateSharedMemory(2);
  const region = workerRegion(counters, 1);
  act(new Tally(region));
  const first = region.byteOffset / Float64Array.BYTES_PER_ELEMENT;
  const slots: Record<number, number> = {};
  for (let slot = 0; slot < counters.length; slot++) {
    if (counters[slot] !== 0) slots[slot - first] = counters[slot]!;
  }
  return slots;
}

await t.test('connections are a gauge and a count', async (t) => {
  const seen = written((tally) => {
    tally.connectionOpened();
    tally.connectionOpened();
    tally.connectionClosed();
    tally.connectionRefused();
    tally.logLinesDropped(4);
    tally.connectionDisplaced();
    t.equal(tally.connectionsOpen, 1);
  });
  t.strictSame(seen, {
    [WORKER_ROW.connectionsOpen]: 1,
    [WORKER_ROW.connectionsAccepted]: 2,
    [WORKER_ROW.connectionsRefused]: 1,
    [WORKER_ROW.logLinesDropped]: 4,
    [WORKER_ROW.connectionsDisplaced]: 1,
  });
});

await t.test('a request leaves its status, its bucket and its time', async (t) => {
  const at = blockOffset(3);
  const seen = written((tally) => {
    tally.requestBegan(3);
    tally.requestEnded(3, 0, 204, 7);
  });
  const bucket = DURATION_EDGES_MS.findIndex((edge) => edge >= 7);
  t.strictSame(seen, {
    [at + requestSlot(0, 204)]: 1,
    [at + BLOCK.duration + bucket]: 1,
    [at + BLOCK.duration + DURATION_EDGES_MS.length + 1]: 7,
  });
});

await t.test('a status out of range is counted in the last slot', async (t) => {
  t.equal(requestSlot(0, 999), requestSlot(0, 599));
  t.equal(requestSlot(0, 99), requestSlot(0, 599));
});

await t.test('every failure code has a slot of its own in the block', async (t) => {
  for (const code of FAILURE_CODES) {
    const seen = written((tally) => tally.failed(0, code));
    t.strictSame(seen, { [blockOffset(0) + BLOCK.failures + FAILURE_INDEX[code]]: 1 }, code);
  }
});

await t.test('every decision counts its statuses apart', async (t) => {
  const at = blockOffset(1);
  const seen = written((tally) => {
    for (const index of DECISIONS.keys()) {
      tally.requestBegan(1);
      tally.requestEnded(1, index, 200, UNTIMED);
    }
  });
  t.equal(Object.keys(seen).length, DECISIONS.length);
  for (const index of DECISIONS.keys()) t.equal(seen[at + requestSlot(index, 200)], 1);
});

await t.test(
  'a request without a response is no longer in flight, and counts nowhere else',
  async (t) => {
    const seen = written((tally) => {
      tally.requestBegan(3);
      tally.requestEnded(3, 0, 0, 7);
    });
    t.strictSame(seen, {});
  },
);

await t.test('a request without a time of its own leaves its status alone', async (t) => {
  const seen = written((tally) => {
    tally.requestBegan(3);
    tally.requestEnded(3, DECISION.session, 101, UNTIMED);
  });
  t.strictSame(seen, { [blockOffset(3) + requestSlot(DECISION.session, 101)]: 1 });
});

await t.test('a request that goes on at another side is in flight there alone', async (t) => {
  const seen = written((tally) => {
    tally.requestBegan(1);
    tally.requestMoved(1, 2);
  });
  t.strictSame(seen, { [blockOffset(2) + BLOCK.inflight]: 1 });
});

await t.test('retries, rescues and bytes go to their block', async (t) => {
  const at = blockOffset(2);
  const seen = written((tally) => {
    tally.retried(2, RETRY_REASON.connect);
    tally.retried(2, RETRY_REASON.status);
    tally.retried(2, RETRY_REASON.status);
    tally.rescued(2);
    tally.rescued(2);
    tally.bytesMoved(2, 10, 20);
    tally.bytesMoved(2, 1, 2);
  });
  t.strictSame(seen, {
    [at + BLOCK.retries + RETRY_REASON.connect]: 1,
    [at + BLOCK.retries + RETRY_REASON.status]: 2,
    [at + BLOCK.rescued]: 2,
    [at + BLOCK.requestBytes]: 11,
    [at + BLOCK.responseBytes]: 22,
  });
});

await t.test('tunnels, streams and waiting requests are gauges of their block', async (t) => {
  const at = blockOffset(2);
  const seen = written((tally) => {
    for (const step of [1, 1, 1, -1] as const) tally.tunnels(2, step);
    for (const step of [1, 1, -1] as const) tally.streams(2, step);
    for (const step of [1, 1, 1, 1, -1] as const) tally.held(2, step);
  });
  t.strictSame(seen, { [at + BLOCK.tunnels]: 2, [at + BLOCK.streams]: 1, [at + BLOCK.held]: 3 });
});

await t.test('what an endpoint did with its requests is counted', async (t) => {
  const row = endpointOffset(5);
  const done = written((tally) => {
    tally.connectFailed(5);
    tally.endpointFailed(5);
    for (const status of [101, 200, 304, 404, 499]) tally.endpointResponded(5, status);
    for (const status of [500, 503, 599]) tally.endpointResponded(5, status);
  });
  t.strictSame(done, {
    [row + ENDPOINT_ROW.connectFailures]: 1,
    [row + ENDPOINT_ROW.failed]: 4,
    [row + ENDPOINT_ROW.answered]: 5,
  });
  const connected = written((tally) => {
    tally.connected(1, 5, 3);
    tally.endpointBusy(5, 1);
    tally.endpointConnections(5, 1);
    t.equal(tally.endpointInflight(5), 1);
  });
  t.equal(connected[row + ENDPOINT_ROW.connects], 1);
  t.equal(connected[row + ENDPOINT_ROW.connections], 1);
});

/** One call of each method with block and endpoint 1; a new method needs its row. */
const CALLS: { readonly [Name in keyof Tally]: (tally: Tally) => unknown } = {
  connectionOpened: (tally) => tally.connectionOpened(),
  connectionClosed: (tally) => tally.connectionClosed(),
  connectionRefused: (tally) => tally.connectionRefused(),
  connectionDisplaced: (tally) => tally.connectionDisplaced(),
  logLinesDropped: (tally) => tally.logLinesDropped(1),
  shadow: (tally) => tally.shadow(1, 'same'),
  shadowTimes: (tally) => tally.shadowTimes(1, 1, 1),
  connectionsOpen: (tally) => tally.connectionsOpen,
  handshakeBegan: (tally) => tally.handshakeBegan(),
  handshakeEnded: (tally) => tally.handshakeEnded('done'),
  handshake: (tally) => tally.handshake('not-a-proxy'),
  requestBegan: (tally) => tally.requestBegan(1),
  requestEnded: (tally) => tally.requestEnded(1, DECISION.active, 200, 1),
  requestMoved: (tally) => tally.requestMoved(1, 2),
  judged: (tally) => tally.judged(1, true, true),
  timed: (tally) => tally.timed(1, BLOCK.durationSplit, 1),
  bytesMoved: (tally) => tally.bytesMoved(1, 1, 1),
  failed: (tally) => tally.failed(1, 'NO_TARGET'),
  retried: (tally) => tally.retried(1, RETRY_REASON.closed),
  rescued: (tally) => tally.rescued(1),
  tunnels: (tally) => tally.tunnels(1, -1),
  streams: (tally) => tally.streams(1, -1),
  held: (tally) => tally.held(1, -1),
  connected: (tally) => tally.connected(1, 1, 1),
  connectFailed: (tally) => tally.connectFailed(1),
  endpointResponded: (tally) => tally.endpointResponded(1, 200),
  endpointFailed: (tally) => tally.endpointFailed(1),
  endpointBusy: (tally) => tally.endpointBusy(1, -1),
  endpointConnections: (tally) => tally.endpointConnections(1, -1),
  endpointInflight: (tally) => tally.endpointInflight(1),
  endpointTunnels: (tally) => tally.endpointTunnels(1, -1),
  endpointStreams: (tally) => tally.endpointStreams(1, -1),
};

await t.test('every slot that goes down is named as a gauge, and no other', async (t) => {
  const lowered = new Set<number>();
  for (const call of Object.values(CALLS)) {
    for (const [slot, value] of Object.entries(written(call))) {
      if (value < 0) lowered.add(Number(slot));
    }
  }
  const gauges = [
    WORKER_ROW.connectionsOpen,
    WORKER_ROW.handshakesOpen,
    ...BLOCK_GAUGES.map((slot) => blockOffset(1) + slot),
    ...ENDPOINT_GAUGES.map((slot) => endpointOffset(1) + slot),
  ];
  t.same([...lowered].toSorted(byNumber), gauges.toSorted(byNumber));
});

await t.test('the slots of a block that stand alone fill the space before the lists', async (t) => {
  const singles = Object.values(BLOCK).filter((slot) => slot < BLOCK.failures);
  t.same(
    singles.toSorted(byNumber),
    Array.from({ length: BLOCK.failures }, (_, slot) => slot),
  );
});

function byNumber(a: number, b: number): number {
  return a - b;
}

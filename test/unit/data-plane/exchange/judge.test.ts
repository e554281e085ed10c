// What counts for or against a release, row by row: each way to end, before and after the head of the
// response, by each reason for which a request went there.

import t from 'tap';
import { FAILURE_CODES, type FailureCode } from '../../../../src/base/failures.ts';
import { DECISION, DECISIONS, DURATION_EDGES_MS } from '../../../../src/contract/counters.ts';
import { judgedOf, type Judged } from '../../../../src/control-plane/memory/judged.ts';
import { Totals } from '../../../../src/control-plane/memory/totals.ts';
import { Judging } from '../../../../src/data-plane/routing/table/judging.ts';
import { refusalFor } from '../../../../src/data-plane/routing/responses/refusal.ts';
import { GET, HALF, OK, SWITCHING, UPGRADE } from '../support/exchange-texts.ts';
import { ExchangeWorld } from '../support/exchange-world.ts';

/** The block of blue, which is active. */
const BLUE = 1;

/** What is said against a release, whether or not the client saw a status of it. */
const AGAINST: readonly FailureCode[] = [
  'CONNECT_FAILED',
  'CONNECT_TIMEOUT',
  'UPSTREAM_CLOSED',
  'UPSTREAM_BAD_RESPONSE',
  'UPSTREAM_TIMEOUT',
  'UPSTREAM_ABORTED',
  'UPSTREAM_STALLED',
  'POOL_FULL',
  'POOL_TIMEOUT',
  'RESCUE_FAILED',
];

function judged(world: ExchangeWorld): Judged {
  return judgedOf(new Totals(world.memory, 1), BLUE);
}

/** Returns judged, bad and timed requests: of all, and of what was placed. */
function counts(world: ExchangeWorld): readonly (readonly number[])[] {
  const { all, split } = judged(world);
  return [all, split].map(({ judged: count, bad, durations }) => {
    return [count, bad, durations.reduce((sum, one) => sum + one, 0)];
  });
}

function worldOf(reason: number = DECISION.split): ExchangeWorld {
  return new ExchangeWorld({ decided: { reason } });
}

/** A request that is answered with `status`. */
function answered(world: ExchangeWorld, status: number, request = GET): ExchangeWorld {
  world.asks(request);
  world.target.opens();
  world.target.says(`HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`);
  return world;
}

function clientsOf(world: ExchangeWorld): unknown {
  return new Totals(world.memory, 1).clients(BLUE, Math.floor(Date.now() / 1_000));
}

await t.test('every failure counts against the release, or not at all', async (t) => {
  for (const code of FAILURE_CODES) {
    for (const isAfterHead of [false, true]) {
      const world = worldOf().asks(GET);
      world.target.opens();
      if (isAfterHead) world.target.says(HALF);
      world.tells((exchange) => exchange.fail(code));
      const isAgainst = AGAINST.includes(code);
      const row = isAgainst ? [1, 1, 1] : [0, 0, 1];
      t.strictSame(counts(world), [row, row], `${code}${isAfterHead ? ' after the head' : ''}`);
    }
  }
});

await t.test(
  'a client that leaves says nothing of errors, but how long it has waited',
  async (t) => {
    for (const code of ['CLIENT_GONE', 'CLIENT_STALLED', 'STOPPED'] as const) {
      const world = worldOf().asks(GET);
      world.target.opens();
      world.tells((exchange) => exchange.clientGone(code, true));
      t.strictSame(counts(world), [
        [0, 0, 1],
        [0, 0, 1],
      ]);
    }
  },
);

await t.test('every status counts, those of the settings against the release', async (t) => {
  for (const [status, bad] of [
    [200, 0],
    [304, 0],
    [404, 0],
    [499, 0],
    [500, 1],
    [503, 1],
    [599, 1],
    [600, 0],
  ] as const) {
    t.strictSame(counts(answered(worldOf(), status))[0], [1, bad, 1], `${status}`);
  }
  const world = worldOf();
  const badStatuses = [{ min: 404, max: 404 }];
  const judging = new Judging({ badStatuses, ignorePaths: [] });
  const deployment = { ...world.decided.deployment, judging };
  world.decided = { ...world.decided, deployment };
  answered(answered(world, 404), 500);
  t.strictSame(counts(world)[0], [2, 1, 2]);
});

await t.test('each reason is judged or not, and one of them is the cohort', async (t) => {
  const rows = {
    active: [1, 1, 1],
    session: [1, 1, 1],
    release: [1, 1, 1],
    preview: [0, 0, 0],
    rescue: [0, 0, 0],
    split: [1, 1, 1],
  };
  for (const reason of DECISIONS) {
    const split = reason === 'split' ? rows.split : [0, 0, 0];
    t.strictSame(counts(answered(worldOf(DECISION[reason]), 500)), [rows[reason], split], reason);
  }
});

await t.test('what no target was asked for is not judged', async (t) => {
  const refusal = refusalFor('MAINTENANCE');
  const world = new ExchangeWorld({ decided: { verdict: 'refuse', refusal } }).asks(GET);
  t.strictSame(counts(world)[0], [0, 0, 0]);
  const full = worldOf();
  for (const pool of full.pools) pool.mode = 'full';
  full.asks(GET);
  t.strictSame(counts(full)[0], [1, 1, 1], 'but one whose queue is full was');
});

await t.test(
  'paths that are ignored count neither by their status nor by their time',
  async (t) => {
    const world = worldOf();
    const judging = new Judging({ badStatuses: [{ min: 500, max: 599 }], ignorePaths: ['/poll*'] });
    const deployment = { ...world.decided.deployment, judging };
    world.decided = { ...world.decided, deployment };
    answered(world, 500, GET.replace(' / ', ' /poll/1?a=/x '));
    t.strictSame(counts(world), [
      [0, 0, 0],
      [0, 0, 0],
    ]);
    answered(world, 500, GET.replace(' / ', ' /x/poll?a=/poll '));
    t.strictSame(counts(world)[0], [1, 1, 1]);
  },
);

await t.test('a tunnel is judged when it begins, an event stream when it ends', async (t) => {
  const world = worldOf().asks(UPGRADE);
  world.target.opens();
  world.target.says(SWITCHING);
  t.strictSame(counts(world)[0], [1, 0, 1]);
  world.tells((exchange) => exchange.closeTunnel(false));
  t.strictSame(counts(world)[0], [1, 0, 1], 'once');
  const stream = worldOf().asks(GET);
  stream.target.opens();
  stream.target.says('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n');
  t.strictSame(counts(stream)[0], [0, 0, 0]);
  stream.tells((exchange) => exchange.fail('UPSTREAM_ABORTED'));
  t.strictSame(counts(stream)[0], [1, 1, 0], 'how long it lasted says nothing');
});

await t.test('clients are counted once, those with a bad answer as well', async (t) => {
  const world = worldOf();
  for (const status of [200, 200, 404]) answered(world, status);
  t.same(clientsOf(world), { seen: 1, bad: 0 });
  answered(world, 500);
  answered(world, 200);
  t.same(clientsOf(world), { seen: 1, bad: 1 });
  const preview = answered(worldOf(DECISION.preview), 500);
  t.same(clientsOf(preview), { seen: 0, bad: 0 });
});

await t.test('durations are told bucket by bucket', async (t) => {
  const world = worldOf().asks(GET);
  world.target.opens();
  world.target.says(OK);
  t.equal(judged(world).all.durations.length, DURATION_EDGES_MS.length + 1);
  t.strictSame(judged(world).all.durations, judged(world).split.durations);
});

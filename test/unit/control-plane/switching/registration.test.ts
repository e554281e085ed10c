// Which releases may come to a color, which drains may be ended, and what is told if not.

import t from 'tap';
import type { Service } from '../../../../src/contract/table.ts';
import {
  eviction,
  registration,
  type Registration,
} from '../../../../src/control-plane/switching/registration.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { wanted } from '../support/board.ts';
import { QUIET } from '../support/fixtures.ts';
import { drain, service } from '../support/tables.ts';

const NOW_MS = 1_000_000;
const LATER = { sessionsUntilMs: NOW_MS + 1, endsAtMs: NOW_MS + 2 };
const OVER = { sessionsUntilMs: NOW_MS, endsAtMs: NOW_MS + 2 };

const NOTHING_OURS = (): boolean => false;

/** Returns the service after the registration; undefined when nothing was to be done. */
function register(one: Service, changes: Partial<Registration>): Service | undefined {
  const context = { slots: new Slots(QUIET), isOurs: NOTHING_OURS, nowMs: NOW_MS };
  return registration(one, wanted(changes), context)?.(one, 9);
}

await t.test('a release comes to the idle color at its addresses, in normal form', async (t) => {
  const targets = ['http://LOCALHOST:3009', 'unix:/run/app.sock'];
  const after = register(service(), { release: 'v9', targets });
  t.match(after, {
    active: 'blue',
    green: {
      color: 'green',
      release: 'v9',
      hasServed: false,
      endpoints: [
        {
          url: 'http://localhost:3009',
          address: { kind: 'tcp', host: 'localhost', port: 3009 },
          authority: 'localhost:3009',
        },
        { url: 'unix:/run/app.sock', address: { kind: 'unix', path: '/run/app.sock' } },
      ],
    },
  });
  const slots = after!.green.endpoints.map(({ slot }) => slot);
  t.equal(new Set(slots).size, 2, 'each address has its own row');
});

await t.test('a release that is there already changes nothing, on either color', async (t) => {
  const green = { color: 'green', release: 'v2', targets: ['http://127.0.0.1:3002'] } as const;
  t.equal(register(service(), green), undefined);
  const blue = { color: 'blue', release: 'v1', targets: ['http://127.0.0.1:3001'] } as const;
  t.equal(register(service(), blue), undefined);
});

await t.test('the same addresses under another release are another release', async (t) => {
  const after = register(service(), { release: 'v3', targets: ['http://127.0.0.1:3002'] });
  t.match(after?.green, { release: 'v3', endpoints: [{ url: 'http://127.0.0.1:3002' }] });
});

await t.test('what cannot be a target is refused, with all that is wrong', async (t) => {
  const targets = ['ftp://x:1', 'http://ok:1', 'http://x/path', 'http://OK:1'];
  t.throws(() => register(service(), { targets }), {
    code: 'target-invalid',
    status: 400,
    message: /ftp:\/\/x:1: .*; http:\/\/x\/path: .*; expected each target once$/,
    members: { faults: { length: 3 } },
  });
});

await t.test('the color that gets the traffic is refused, and the other is named', async (t) => {
  t.throws(() => register(service(), { color: 'blue' }), {
    code: 'color-active',
    status: 409,
    message: 'default: blue gets the traffic; register on green, then switch',
  });
});

await t.test('an address that serves the active color is refused', async (t) => {
  const targets = ['http://127.0.0.1:3009', 'http://127.0.0.1:3001'];
  for (const evict of [false, true]) {
    t.throws(() => register(service(), { targets, evict }), {
      code: 'address-in-use',
      status: 409,
      message: 'http://127.0.0.1:3001 serves blue: a switch to green would change nothing there',
    });
  }
});

await t.test('an address where sessions still drain is refused, with the way out', async (t) => {
  const one = service({ draining: [drain(3, LATER), drain(4, LATER)] });
  const targets = ['http://127.0.0.1:3009', 'http://127.0.0.1:3002'];
  t.throws(() => register(one, { targets }), {
    code: 'address-in-use',
    status: 409,
    message:
      'generation 3, 4 of default still drains there; ' +
      'wait until it has ended, use other addresses, or say "evict": true',
    members: { generations: [3, 4] },
  });
});

await t.test('with evict, sessions that drain at the address move over at once', async (t) => {
  const others = drain(5, { ...LATER, side: { ...service().green, endpoints: [] } });
  const one = service({ draining: [drain(3, LATER), others] });
  const after = register(one, { targets: ['http://127.0.0.1:3002'], evict: true });
  t.match(after?.draining[0], { generation: 3, sessionsUntilMs: NOW_MS, longLived: 'cut' });
  t.equal(after?.draining[1], others, 'those elsewhere stay');
  t.match(after?.green, { release: 'v9' });
});

await t.test('an address where no session can come back any more is free', async (t) => {
  const one = service({ draining: [drain(3, OVER)] });
  const after = register(one, { targets: ['http://127.0.0.1:3002'] });
  t.match(after?.green, { release: 'v9' });
  t.equal(after?.draining[0], one.draining[0], 'what still runs there may finish');
});

await t.test('when no number is left, nothing is registered', async (t) => {
  const slots = new Slots({ ...QUIET, isBlockQuiet: () => false });
  const rows = Array.from({ length: 300 }, (_, index) => wanted({ release: `v${index}` }));
  const register = () => {
    for (const row of rows)
      registration(service(), row, { slots, isOurs: NOTHING_OURS, nowMs: NOW_MS });
  };
  t.throws(register, { code: 'no-slot', status: 409 });
});

await t.test('an eviction means one generation or all that have sessions', async (t) => {
  const one = service({ draining: [drain(3, LATER), drain(4, LATER), drain(5, OVER)] });
  const untilOf = (generation: number | undefined) =>
    eviction(one, generation, NOW_MS)?.(one, 9).draining.map((each) => each.sessionsUntilMs);
  t.same(untilOf(4), [NOW_MS + 1, NOW_MS, NOW_MS]);
  t.same(untilOf(undefined), [NOW_MS, NOW_MS, NOW_MS]);
});

await t.test('an eviction of what has no session any more changes nothing', async (t) => {
  const one = service({ draining: [drain(5, OVER)] });
  t.equal(eviction(one, 5, NOW_MS), undefined);
  t.equal(eviction(one, undefined, NOW_MS), undefined);
  t.equal(eviction(service(), undefined, NOW_MS), undefined);
});

await t.test('an eviction of a generation that does not drain is refused', async (t) => {
  const one = service({ draining: [drain(3, LATER), drain(4, LATER)] });
  t.throws(() => eviction(one, 9, NOW_MS), {
    code: 'drain-unknown',
    status: 404,
    message: 'expected one of: 3, 4',
    members: { generations: [3, 4] },
  });
  t.throws(() => eviction(service(), 9, NOW_MS), {
    code: 'drain-unknown',
    message: 'none drains',
    members: { generations: [] },
  });
});

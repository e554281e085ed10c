// Which connection makes room when all places are taken, compared with a plain model.

import t from 'tap';
import { networkOf } from '../../../../src/base/network.ts';
import { Crowd, type Seat, type SeatHolder } from '../../../../src/data-plane/base/crowd.ts';
import { Random } from '../../../support/random.ts';

class Holder implements SeatHolder {
  readonly address: string | undefined;
  readonly crowd: Crowd;
  readonly seat: Seat;
  /** Of the plain model: a number that grows with each rest. */
  idleSince = 0;
  isOpen = true;
  isFlushed = true;
  askedCount = 0;

  constructor(crowd: Crowd, address: string | undefined) {
    this.crowd = crowd;
    this.address = address;
    this.seat = crowd.enter(this, address);
  }

  get network(): string | Holder {
    return this.address === undefined ? this : networkOf(this.address);
  }

  makeRoom(): boolean {
    this.askedCount++;
    if (this.isFlushed) this.close();
    return this.isFlushed;
  }

  close(): void {
    this.isOpen = false;
    this.crowd.leave(this.seat);
  }
}

/** Returns which of `open` may make room for one from `address`, by the rule in plain words. */
function candidates(open: readonly Holder[], address: string | undefined): Holder[] {
  const counts = new Map<string | Holder, number>();
  for (const { network } of open) counts.set(network, (counts.get(network) ?? 0) + 1);
  const own = address === undefined ? undefined : networkOf(address);
  const ownCount = own === undefined ? 0 : (counts.get(own) ?? 0);
  const idle = open.filter(({ seat }) => seat.isIdle);
  const others = idle.filter(({ network }) => counts.get(network)! > ownCount);
  const most = Math.max(0, ...others.map(({ network }) => counts.get(network)!));
  const crowded = others.filter(({ network }) => counts.get(network) === most);
  const chosen = others.length > 0 ? crowded : idle.filter(({ network }) => network === own);
  // Of each network, the one that is idle for longest.
  return chosen.filter(({ network, idleSince }) =>
    chosen.every((one) => one.network !== network || one.idleSince >= idleSince),
  );
}

const ADDRESSES = [
  '10.0.0.1',
  '10.0.0.2',
  '10.0.0.3',
  '2001:db8::1',
  '2001:db8::2',
  '2001:db8:0:1::1',
  undefined,
];

await t.test('the choice is that of the plain rule, whatever happens before', async (t) => {
  const seed = Number(process.env['TURNOUT_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
  t.comment(`TURNOUT_TEST_SEED=${seed}`);
  const random = new Random(seed);
  for (let run = 0; run < 30; run++) {
    const crowd = new Crowd();
    let open: Holder[] = [];
    let clock = 0;
    for (let step = 0; step < 300; step++) {
      const address = ADDRESSES[Math.floor(random.fraction() ** 2 * ADDRESSES.length)];
      const one = open[random.below(open.length)];
      const act = random.fraction();
      if (act < 0.35 || one === undefined) {
        const fresh = new Holder(crowd, address);
        fresh.idleSince = ++clock;
        open.push(fresh);
      } else if (act < 0.55) crowd.wake(one.seat);
      else if (act < 0.75) {
        if (!one.seat.isIdle) one.idleSince = ++clock;
        crowd.rest(one.seat);
      } else if (act < 0.85) one.close();
      else {
        const allowed = candidates(open, address);
        const network = crowd.makeRoom(address);
        const closed = open.filter(({ isOpen }) => !isOpen);
        if ((network === undefined) !== (allowed.length === 0)) t.fail(`${allowed.length}`);
        if (closed.length > 1 || !closed.every((gone) => allowed.includes(gone))) t.fail('which');
      }
      open = open.filter(({ isOpen }) => isOpen);
    }
    for (const one of open) one.close();
    t.equal(crowd.makeRoom('10.0.0.9'), undefined, 'nothing is left behind');
  }
});

await t.test('one that has a response on its way goes behind the others', async (t) => {
  const crowd = new Crowd();
  const many = Array.from({ length: 20 }, () => new Holder(crowd, '10.0.0.1'));
  for (const one of many.slice(0, 10)) one.isFlushed = false;
  t.equal(crowd.makeRoom('10.0.0.2'), undefined, 'only some are looked at');
  t.equal(crowd.makeRoom('10.0.0.2'), '10.0.0.1', 'the next time others are');
  t.strictSame(
    many.filter(({ isOpen }) => !isOpen),
    [many[10]],
  );
});

await t.test('a choice among ten thousand asks a few', async (t) => {
  const crowd = new Crowd();
  const all = Array.from(
    { length: 10_000 },
    (_, index) => new Holder(crowd, `10.0.${index % 100}.${Math.floor(index / 100) % 50}`),
  );
  for (const one of all.slice(0, 9_000)) crowd.wake(one.seat);
  for (let i = 0; i < 100; i++) t.ok(crowd.makeRoom('10.9.9.9'));
  const askedCount = all.reduce((sum, one) => sum + one.askedCount, 0);
  t.equal(askedCount, 100);
});

await t.test('leaving twice, or moving after leaving, changes nothing', async (t) => {
  const crowd = new Crowd();
  const one = new Holder(crowd, '10.0.0.1');
  const other = new Holder(crowd, '10.0.0.1');
  one.close();
  one.close();
  crowd.rest(one.seat);
  crowd.wake(one.seat);
  t.equal(crowd.makeRoom(undefined), '10.0.0.1');
  t.notOk(other.isOpen);
  t.equal(crowd.makeRoom(undefined), undefined);
});

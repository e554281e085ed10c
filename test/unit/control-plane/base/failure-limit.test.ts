// Who guesses tokens is told to wait, network by network.

import t from 'tap';
import { FailureLimit } from '../../../../src/control-plane/base/failure-limit.ts';
import {
  AUTH_FAILURES_MAX,
  AUTH_FAILURES_WINDOW_MS,
  AUTH_NETWORKS_MAX,
} from '../../../../src/control-plane/base/control-limits.ts';
import { networkOf } from '../../../../src/base/network.ts';

await t.test(
  'a network may be wrong some times in a window, and is heard again after it',
  async (t) => {
    const limit = new FailureLimit();
    for (let index = 0; index < AUTH_FAILURES_MAX; index++) {
      t.equal(limit.waitMs('10.0.0.1', 1_000 + index), 0);
      limit.failed('10.0.0.1', 1_000 + index);
    }
    t.equal(limit.waitMs('10.0.0.1', 2_000), AUTH_FAILURES_WINDOW_MS - 1_000);
    t.equal(limit.waitMs('10.0.0.2', 2_000), 0, 'others are not concerned');
    t.equal(limit.waitMs('10.0.0.1', 1_000 + AUTH_FAILURES_WINDOW_MS), 0);
    limit.failed('10.0.0.1', 1_000 + AUTH_FAILURES_WINDOW_MS);
    t.equal(limit.waitMs('10.0.0.1', 1_001 + AUTH_FAILURES_WINDOW_MS), 0, 'a new window');
    const back = new FailureLimit();
    for (let index = 0; index < AUTH_FAILURES_MAX; index++) back.failed('a', 1_000_000);
    t.equal(back.waitMs('a', 0), 0, 'a clock that was set back locks nobody out');
  },
);

await t.test('networks are bounded, the oldest is forgotten', async (t) => {
  const limit = new FailureLimit();
  for (let index = 0; index < AUTH_FAILURES_MAX; index++) limit.failed('first', 0);
  for (let index = 1; index < AUTH_NETWORKS_MAX; index++) limit.failed(`n${index}`, 0);
  t.ok(limit.waitMs('first', 0) > 0);
  limit.failed('one more', 0);
  t.equal(limit.waitMs('first', 0), 0);
});

await t.test('a network is an IPv4 address or 64 bits of IPv6', async (t) => {
  const rows = [
    ['10.1.2.3', '10.1.2.3'],
    ['unix', 'unix'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:0db8:0001:0002::', '2001:db8:1:2'],
    ['2001:db8::6', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
  ] as const;
  for (const [address, network] of rows) t.equal(networkOf(address), network, address);
});

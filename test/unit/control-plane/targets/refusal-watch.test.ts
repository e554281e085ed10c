// Connects that fail, as the workers count them, raise a doubt about the name behind the address.

import t from 'tap';
import { ENDPOINT_ROW } from '../../../../src/contract/counters.ts';
import { REFUSALS_LOOK_MS } from '../../../../src/control-plane/base/control-limits.ts';
import { RefusalWatch } from '../../../../src/control-plane/targets/refusal-watch.ts';
import { ManualTimers } from '../support/manual-timers.ts';
import { nameScene, namesIn } from '../support/name-scene.ts';

await t.test(
  'each look raises a doubt about addresses at which connects have failed',
  async (t) => {
    const blue = ['http://app.test:3000', 'http://10.0.0.9:80'];
    const { names, dns, first } = nameScene(t, { blue });
    dns.hosts.set('app.test', ['10.0.0.1', '10.0.0.2']);
    names.follow(first);
    await names.prepare(first);
    const [one, two] = names.of(namesIn(first)[0]!);
    const plain = first.services[0]!.blue.endpoints[1]!;
    const timers = new ManualTimers();
    const counts = new Map<number, number>([[one!.slot, 5]]);
    const doubted: number[] = [];
    const watch = new RefusalWatch({
      table: () => first,
      names: { of: (endpoint) => names.of(endpoint), doubt: (slot) => doubted.push(slot) },
      totals: {
        endpoint: (slot, counter) =>
          counter === ENDPOINT_ROW.connectFailures ? (counts.get(slot) ?? 0) : 99,
      },
      timers,
    });
    watch.start();
    await timers.pass(2 * REFUSALS_LOOK_MS);
    t.same(doubted, [], 'what was counted before says nothing of now');
    counts.set(two!.slot, 1);
    counts.set(plain.slot, 1);
    await timers.pass(REFUSALS_LOOK_MS);
    t.same(doubted, [two!.slot], 'an address that is no name is looked up by nobody');
    await timers.pass(4 * REFUSALS_LOOK_MS);
    t.same(doubted, [two!.slot], 'once for as long as no other connect fails');
    counts.set(one!.slot, 0);
    await timers.pass(REFUSALS_LOOK_MS);
    counts.set(one!.slot, 1);
    await timers.pass(REFUSALS_LOOK_MS);
    t.same(doubted, [two!.slot, one!.slot], 'a count that begins anew is counted from there');
    watch.stop();
    t.equal(timers.count, 0);
  },
);

// A total outage over a real switchboard: when it begins and ends, what is told once, what a metric
// says, and which way out is named.

import t from 'tap';
import { back, board, change, DOWN, only, to, UNKNOWN } from '../support/board.ts';
import { serviceConfig, target } from '../support/fixtures.ts';

const SHOP = serviceConfig({
  name: 'shop',
  blue: { release: 'v1', targets: [target(3001), target(3011)] },
  green: { release: 'v2', targets: [target(3002)] },
});

function scene(services = [SHOP]) {
  const parts = board(services);
  const { outages, log, switchboard } = parts;
  parts.hooks.onPublished = () => outages.look();
  const told = () =>
    log.lines
      .filter(({ message }) => / served/.test(message))
      .map(({ level, message }) => `${level} ${message}`);
  const shop = () => switchboard.table.services.find(({ name }) => name === 'shop')!;
  return { ...parts, told, shop, outage: () => outages.of(shop()) };
}

await t.test(
  'it begins with the last target and ends with the first, each told once',
  async (t) => {
    const { ail, outages, told, outage } = scene();
    ail(3001, DOWN);
    outages.look();
    t.equal(outage(), undefined, 'one target is enough');
    ail(3011, DOWN);
    for (let look = 0; look < 5; look++) outages.look();
    t.match(outage(), { wayOut: 'green', obstacle: '' });
    t.equal(outages.count, 1);
    t.strictSame(told(), [
      'error shop: no request is served: blue is active and DOWN: http://127.0.0.1:3001 ' +
        '(connection refused), http://127.0.0.1:3011 (connection refused); green is up: ' +
        '`turnout switch green`',
    ]);
    ail(3011, { state: 'up', reason: '' });
    for (let look = 0; look < 5; look++) outages.look();
    t.equal(outage(), undefined);
    t.match(told()[1], /^warn shop: requests are served again, by blue, after \d s$/);
    t.equal(told().length, 2);
  },
);

await t.test('a target of which nothing is known gets requests, so it is no outage', async (t) => {
  const { ail, outages, outage, told } = scene();
  ail(3001, UNKNOWN);
  ail(3011, DOWN);
  outages.look();
  t.equal(outage(), undefined);
  t.strictSame(told(), []);
});

await t.test('a switch to a color that is well ends it at once', async (t) => {
  const { ail, outages, outage, switchboard, told } = scene();
  ail(3001, DOWN);
  ail(3011, DOWN);
  outages.look();
  await switchboard.switch(to('green'));
  t.equal(outage(), undefined);
  t.match(told().at(-1), /^warn shop: requests are served again, by green/);
});

await t.test('no way out is named that would be refused', async (t) => {
  const { ail, outages, outage, switchboard, told } = scene();
  await switchboard.switch(to('green'));
  await switchboard.rollback(back({ reason: 'v2 eats orders' }));
  ail(3001, DOWN);
  ail(3011, DOWN);
  outages.look();
  t.match(outage(), { wayOut: undefined, obstacle: /rolled back from v2/ });
  t.match(told().at(-1), /no switch is possible: .*rolled back from v2/);
  t.notMatch(told().at(-1), 'turnout switch');
  await switchboard.unlock(change(), undefined);
  t.match(outage(), { wayOut: 'green' });
  ail(3002, DOWN);
  t.match(outage(), { wayOut: undefined, obstacle: /green is not healthy/ });
});

await t.test('a color without any target is an outage as well', async (t) => {
  const { outages, outage, told } = scene([
    serviceConfig({ name: 'shop', blue: { release: '', targets: [] } }),
  ]);
  outages.look();
  t.match(outage(), { state: 'without a target', targets: '' });
  t.match(told(), [/^error shop: no request is served: blue is active and without a target;/]);
});

await t.test('with several services a hint names the one', async (t) => {
  const { ail, outages, told } = scene([SHOP, serviceConfig({ name: 'bank' })]);
  ail(3001, DOWN);
  ail(3011, DOWN);
  outages.look();
  t.match(told()[0], /^error shop: .*`turnout switch green --service shop`/);
  t.equal(outages.count >= 1, true);
});

await t.test('the beginning stays where the color changes and the outage goes on', async (t) => {
  const { ail, outages, outage, switchboard, told } = scene();
  for (const port of [3001, 3011, 3002]) ail(port, DOWN);
  outages.look();
  const { sinceMs } = outage()!;
  await switchboard.switch({ ...to('green'), force: true, reason: 'try it' });
  t.equal(only(switchboard.table).active, 'green');
  t.equal(outage()!.sinceMs, sinceMs);
  t.equal(told().filter((line) => line.startsWith('error')).length, 1);
});

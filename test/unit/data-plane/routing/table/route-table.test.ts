// Which service takes a request: exact host before wildcard before any host, then the longest path.

import t from 'tap';
import type { RoutingTable } from '../../../../../src/contract/table.ts';
import { RouteTable } from '../../../../../src/data-plane/routing/table/route-table.ts';
import { RequestHead } from '../../../../../src/http/heads/request-head.ts';
import { testSettings, testTable } from '../../../../support/plane.ts';

const LIMITS = testSettings({}).client;

/** Services by name: hosts and paths. */
type Services = Readonly<Record<string, readonly [hosts: string[], paths: string[]]>>;

function tableOf(services: Services): RouteTable {
  const plain = testTable(7, 'blue', { blue: [], green: [] });
  const table: RoutingTable = {
    ...plain,
    services: Object.entries(services).map(([name, [hosts, paths]]) => ({
      ...plain.services[0]!,
      name,
      hosts,
      paths,
    })),
  };
  return new RouteTable(table, testSettings({}), { poolsOf: () => [], instance: 'test' });
}

function routed(table: RouteTable, host: string, target: string): string | undefined {
  const head = new RequestHead(LIMITS);
  const bytes = Buffer.from(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 'latin1');
  t.equal(head.parse(bytes, 0, bytes.length), bytes.length, `${host} ${target} is a request`);
  return table.route(head)?.name;
}

function check(
  name: string,
  services: Services,
  cases: readonly (readonly [host: string, target: string, service: string | undefined])[],
): void {
  void t.test(name, async (t) => {
    const table = tableOf(services);
    for (const [host, target, service] of cases) {
      t.equal(routed(table, host, target), service, `${host} ${target}`);
    }
  });
}

check('one service without conditions takes everything', { all: [[], []] }, [
  ['a', '/', 'all'],
  ['', '/', 'all'],
  ['b:80', '/x?y', 'all'],
]);

check(
  'an exact host comes before a wildcard, and that before any host',
  {
    any: [[], []],
    wild: [['*.shop.test'], []],
    deep: [['*.eu.shop.test'], []],
    exact: [['www.shop.test'], []],
  },
  [
    ['www.shop.test', '/', 'exact'],
    ['api.shop.test', '/', 'wild'],
    ['a.eu.shop.test', '/', 'deep'],
    ['a.b.eu.shop.test', '/', 'deep'],
    ['shop.test', '/', 'any'],
    ['.shop.test', '/', 'any'],
    ['notshop.test', '/', 'any'],
    ['', '/', 'any'],
  ],
);

check('a host is compared without case, port and final dot', { shop: [['shop.test'], []] }, [
  ['SHOP.Test', '/', 'shop'],
  ['shop.test:8080', '/', 'shop'],
  ['shop.test.', '/', 'shop'],
  ['shop.test.:80', '/', 'shop'],
  ['shop.test.evil', '/', undefined],
  ['evil-shop.test', '/', undefined],
]);

check(
  'the longest path wins, and a path matches whole segments',
  {
    root: [[], ['/']],
    api: [[], ['/api']],
    orders: [[], ['/api/orders/']],
  },
  [
    ['a', '/', 'root'],
    ['a', '/api', 'api'],
    ['a', '/api/', 'api'],
    ['a', '/api?x=/orders', 'api'],
    ['a', '/apis', 'root'],
    ['a', '/api/orders', 'orders'],
    ['a', '/api/orders/1', 'orders'],
    ['a', '/api/ordersx', 'api'],
    ['a', '/API', 'root'],
    ['a', '/%61pi', 'root'],
    ['a', '//api', 'root'],
    ['a', '/x/../api', 'root'],
  ],
);

check(
  'an absolute target is routed by its own host and path',
  { shop: [['shop.test'], ['/api']] },
  [
    ['shop.test', 'http://shop.test/api/x', 'shop'],
    ['SHOP.test', 'http://shop.test/api?x', 'shop'],
    ['shop.test', 'http://shop.test', undefined],
    ['other.test', 'http://other.test/api', undefined],
  ],
);

check(
  'a host without a matching path falls back to a wider rule',
  { shop: [['shop.test'], ['/api']], rest: [[], []] },
  [
    ['shop.test', '/api', 'shop'],
    ['shop.test', '/', 'rest'],
  ],
);

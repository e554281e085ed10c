// Anything that may happen to a request, in any order: it ends once, is written to no longer than
// that, stays in no count, and its body goes to one target at most.

import { array, assert, constantFrom, oneof, property } from 'fast-check';
import t from 'tap';
import { RUNS } from '../../../support/arbitrary-message.ts';
import { EVENTS, GET, HALF, OK, POST, PUT, SWITCHING, UPGRADE } from '../support/exchange-texts.ts';
import { ExchangeWorld } from '../support/exchange-world.ts';

const REQUESTS = [GET, `${POST}abc`, PUT, UPGRADE, GET.replace('/ ', '/assets/a ')] as const;
const SAYINGS = [
  OK,
  HALF,
  SWITCHING,
  `${EVENTS}b\r\ndata: half\n\r\n`,
  'HTTP/1.1 103 Early Hints\r\n\r\n',
  'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\n\r\nuntil the close',
] as const;

/** Anything that may happen to a request, in any order. */
const HAPPENINGS: Readonly<Record<string, (world: ExchangeWorld) => void>> = {
  'a target opens': (world) => world.target?.opens(),
  'a target does not accept': (world) => world.target?.failsToConnect(),
  'a target breaks off': (world) => world.target?.breaksOff(),
  'a used connection was closed': (world) => world.target?.breaksOff('stale'),
  'a target ends': (world) => world.target?.ends(),
  'a target is too slow': (world) => world.target?.isTooSlow(),
  'a target has no room': (world) => world.target?.gives(false),
  'a target has room': (world) => world.target?.gives(true),
  'the client sends a part': (world) => world.sends('abc'),
  'the client sends more than there is': (world) => world.sends('abcdefghij'),
  'the client has no room': (world) => {
    world.client.hasRoom = false;
  },
  'the client has room': (world) => {
    world.client.hasRoom = true;
    world.tells((exchange) => exchange.onClientRoom());
  },
  'the client is too slow': (world) => world.tells((exchange) => exchange.onClientDeadline()),
  'the client leaves': (world) =>
    world.tells((exchange) => exchange.clientGone('CLIENT_GONE', false)),
  'the client closes in order': (world) =>
    world.tells((exchange) => exchange.clientGone('CLIENT_GONE', true)),
  'the client ends its side': (world) => world.tells((exchange) => exchange.tunnel?.clientEnded()),
  'a drain ends it gently': (world) => world.tells((exchange) => exchange.endGently()),
  'a drain cuts it': (world) => world.tells((exchange) => exchange.cutByDrain()),
  'something breaks': (world) => world.tells((exchange) => exchange.onFault(new Error('broken'))),
  'time goes by': (world) => world.passTime(2_000),
  'connections become free': (world) => {
    for (const pool of world.pools) pool.servesNext();
  },
  'pools connect': (world) => {
    for (const pool of world.pools) pool.mode = 'connect';
  },
  'pools are busy': (world) => {
    for (const pool of world.pools) pool.mode = 'queue';
  },
  'pools are full': (world) => {
    for (const pool of world.pools) pool.mode = 'full';
  },
};

const happening = oneof(
  // Without these, little else can happen.
  constantFrom('a target opens', 'the client sends a part').map((name) => ({ name, saying: '' })),
  constantFrom(...Object.keys(HAPPENINGS)).map((name) => ({ name, saying: '' })),
  constantFrom(...SAYINGS).map((saying) => ({ name: 'a target says', saying })),
);

/** A target says a head where one is due, and a part of a body or tunnel elsewhere. */
function say(world: ExchangeWorld, saying: string): void {
  const { target } = world;
  if (target === undefined || target.isConnecting) return;
  const isHeadDue = !world.exchange.response.isHeadSent;
  if (saying === SWITCHING && !world.exchange.wantsUpgrade) return;
  target.says(isHeadDue ? saying : 'x');
}

await t.test('whatever happens, in any order, a request ends once and stays in no count', (t) => {
  assert(
    property(
      constantFrom(...REQUESTS),
      array(happening, { maxLength: 24, size: 'large' }),
      (request, happenings) => {
        const world = new ExchangeWorld().asks(request);
        for (const { name, saying } of happenings) {
          if (saying === '') HAPPENINGS[name]!(world);
          else say(world, saying);
        }
        HAPPENINGS['the client leaves']!(world);
        const { deeds } = world.client;
        if (deeds.filter((deed) => deed === 'over').length !== 1) return false;
        if (deeds.some((deed) => deed.startsWith('written'))) return false;
        if (world.counted.length > 0) return false;
        if (world.targets.some((target) => target.request !== undefined)) return false;
        if (world.targets.some((one) => one.deeds.includes('written after the close')))
          return false;
        if (world.pools.some(({ waiting }) => waiting.length > 0)) return false;
        return world.targets.filter(({ sentBody }) => sentBody !== '').length <= 1;
      },
    ),
    { numRuns: RUNS },
  );
  t.end();
});

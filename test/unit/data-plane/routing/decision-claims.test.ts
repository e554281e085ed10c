// Sessions next to each other and over time: several claims in one request, deployments that are down,
// clients that keep no cookies, drains that end.

import t from 'tap';
import type { Deployment } from '../../../../src/contract/table.ts';
import {
  clientOf,
  Deciding,
  DEPLOYMENT,
  deploymentAt,
  drain,
  DRAINING_SLOTS,
  forged,
  LEGACY,
  legacyTokenOf,
  NOW_S,
  SESSION_ID,
  routes,
  shop,
  tokenOf,
  type Outcome,
} from '../../../support/deciding.ts';

const { active, draining, over } = DEPLOYMENT;
const ON = { affinity: { mode: 'drain' } } as const;
const STRICT = { affinity: { mode: 'strict' } } as const;
const HTTPS = 'X-Forwarded-Proto: https';

function toOf(fields: readonly string[], isProxy = false): string {
  return new Deciding(ON).ask(fields, { client: clientOf({ isProxy }) }).to;
}

function noise(count: number): string[] {
  return Array.from({ length: count }, () => 'x');
}

function cookies(...tokens: readonly string[]): string {
  return `Cookie: ${tokens.map((token) => `turnout=${token}`).join('; ')}`;
}

await t.test('the first claim that holds counts', async (t) => {
  t.equal(toOf([cookies(forged(tokenOf(draining)), tokenOf(draining))]), 'draining');
  t.equal(toOf([cookies('', 'x', tokenOf(over), tokenOf(draining))]), 'draining');
  t.equal(toOf([cookies(tokenOf(draining), tokenOf(active))]), 'draining');
  t.equal(toOf([cookies(tokenOf(active), tokenOf(draining))]), 'active');
});

await t.test('of several claims none is believed without proof', async (t) => {
  const own = tokenOf(draining);
  const planted = forged(tokenOf(active));
  t.equal(toOf([cookies(planted)]), 'active', 'alone it grants nothing, and takes nothing');
  t.equal(toOf([cookies(planted, own)]), 'draining');
  t.equal(toOf([cookies(planted, planted, own)]), 'draining');
  t.equal(toOf([cookies(own, planted)]), 'draining');
  t.equal(toOf([cookies(tokenOf(active, { by: 'unknown' }), own)]), 'draining');
  t.equal(toOf([cookies(tokenOf(active, { service: 'blog' }), own)]), 'draining');
  const moved = new Deciding(ON).ask([cookies(tokenOf(DEPLOYMENT.past), planted)]);
  t.equal(moved.gives?.id, SESSION_ID, 'the session moves over beside a planted one');
});

await t.test('a session that is nowhere any more gives way to one that drains', async (t) => {
  const gone = tokenOf(DEPLOYMENT.past);
  const outcome = new Deciding(ON).ask([cookies(gone, tokenOf(draining))]);
  t.equal(outcome.to, 'draining');
  t.equal(outcome.gives, undefined);
});

await t.test('the session of a request is forgotten with it', async (t) => {
  const deciding = new Deciding(ON);
  t.equal(deciding.ask([cookies(tokenOf(DEPLOYMENT.past))]).gives?.id, SESSION_ID);
  t.not(deciding.ask([]).gives?.id, SESSION_ID);
  deciding.setDown(DRAINING_SLOTS);
  t.equal(deciding.ask([cookies(tokenOf(draining))]).gives?.id, SESSION_ID);
  t.not(deciding.ask([]).gives?.id, SESSION_ID);
});

await t.test('a session that moves over is counted where it goes', async (t) => {
  const deciding = new Deciding(ON);
  deciding.setDown(DRAINING_SLOTS);
  for (let round = 0; round < 3; round++) deciding.ask([cookies(tokenOf(draining))]);
  t.strictSame(deciding.sessionsSeen(), { active: 1 });
});

await t.test('a claim in a second Cookie field counts too', async (t) => {
  const outcome = new Deciding(ON).ask(['Cookie: a=1', cookies(tokenOf(draining))]);
  t.equal(outcome.to, 'draining');
});

await t.test('the cookie comes before the field, which scripts can set', async (t) => {
  const stale = { seenAgoS: 61 };
  const byField = `X-Turnout-Session: ${tokenOf(active, { ...stale, id: 'fieldfieldfi' })}`;
  const outcome = new Deciding(ON).ask([byField, cookies(tokenOf(draining, stale))]);
  t.equal(outcome.to, 'draining');
  t.match(outcome.gives, { by: 'cookie', id: SESSION_ID });
});

await t.test('a session that came by cookie is never told in the field', async (t) => {
  const deciding = new Deciding(ON);
  const byOf = (...fields: readonly string[]) => {
    const client = clientOf({ isProxy: true });
    return deciding.ask(['X-Turnout-Session: x', ...fields], { client }).gives?.by;
  };
  const stale = { seenAgoS: 61 };
  t.equal(byOf(cookies(tokenOf(draining, stale))), 'cookie');
  t.equal(byOf(cookies(tokenOf(active, stale))), 'cookie');
  t.equal(byOf(cookies(tokenOf(DEPLOYMENT.past))), 'cookie', 'it moves over');
  t.equal(byOf(cookies(legacyTokenOf(LEGACY.draining))), 'cookie', 'it is of an earlier version');
  t.equal(byOf(cookies('x')), 'cookie', 'a client with cookies gets a new session by cookie');
  const secure = `__Host-turnout=${tokenOf(draining, stale)}`;
  t.equal(byOf(HTTPS, `Cookie: ${secure}`), 'secure-cookie');
  deciding.setDown(DRAINING_SLOTS);
  t.equal(byOf(cookies(tokenOf(draining))), 'cookie', 'its deployment is down');
  t.equal(byOf('Cookie: a=1'), 'field', 'other cookies are none of ours');
});

await t.test('the field counts where no cookie holds a session', async (t) => {
  const byField = `X-Turnout-Session: ${tokenOf(draining, { seenAgoS: 61 })}`;
  for (const token of ['x', forged(tokenOf(draining)), tokenOf(draining, { seenAgoS: 10_000 })]) {
    const outcome = new Deciding(ON).ask([cookies(token), byField]);
    t.equal(outcome.to, 'draining');
    t.equal(outcome.gives?.by, 'field');
  }
  const gone = new Deciding(ON).ask([cookies(tokenOf(DEPLOYMENT.past)), byField]);
  t.equal(gone.to, 'active', 'a session that moves over is the one of the client');
});

await t.test('a request has eight claims, what comes behind them is not looked at', async (t) => {
  const valid = tokenOf(draining);
  t.equal(toOf([cookies(...noise(7), valid)]), 'draining');
  t.equal(toOf([cookies(...noise(8), valid)]), 'active');
  const byField = `X-Turnout-Session: ${valid}`;
  t.equal(toOf([cookies(...noise(7)), byField]), 'draining');
  t.equal(toOf([cookies(...noise(8)), byField]), 'active');
  t.equal(toOf([...noise(50).map((x) => `X-Turnout-Session: ${x}`), cookies(valid)]), 'draining');
  const planted = cookies(...noise(20));
  t.equal(
    toOf([HTTPS, `${planted}; __Host-turnout=${valid}`], true),
    'draining',
    'what others planted takes no place',
  );
});

await t.test('whatever is not looked at is taken out all the same', async (t) => {
  const { sent } = new Deciding(ON).ask([cookies(...noise(50))]);
  t.notMatch(sent, /turnout=/);
});

await t.test(
  'a session moves over once nothing of its deployment is up, unless it is strict',
  async (t) => {
    const ask = (policy: typeof ON | typeof STRICT, down: readonly number[]): Outcome => {
      const deciding = new Deciding(policy);
      deciding.setDown(down);
      return deciding.ask([cookies(tokenOf(draining))]);
    };
    for (const policy of [ON, STRICT]) {
      t.equal(ask(policy, []).to, 'draining', 'nothing is known');
      t.equal(ask(policy, [DRAINING_SLOTS[0]]).to, 'draining', 'one of two is down');
    }
    const moved = ask(ON, DRAINING_SLOTS);
    t.equal(moved.to, 'active');
    t.match(moved.gives, { deployment: active, id: SESSION_ID, issuedS: NOW_S - 3_600 });
    t.equal(moved.hasSession, false);
    const stayed = ask(STRICT, DRAINING_SLOTS);
    t.equal(stayed.to, 'draining');
    t.equal(stayed.gives, undefined);
  },
);

await t.test('a session moves over from a deployment without any endpoint', async (t) => {
  const empty = deploymentAt('draining', { color: 'blue', release: 'r2', slots: [] });
  const service = { draining: [drain(empty, 600)] };
  t.equal(new Deciding(ON, service).ask([cookies(tokenOf(draining))]).to, 'active');
});

await t.test('sessions of a drain are over in the second that it says', async (t) => {
  const deciding = new Deciding(ON);
  const toAt = (afterS: number): string => {
    deciding.wall.seconds = NOW_S + afterS;
    return deciding.ask([cookies(tokenOf(draining, { seenAgoS: -600 }))]).to;
  };
  t.strictSame([599, 600, 601].map(toAt), ['draining', 'active', 'active']);
});

await t.test('a part of a second at the end of a drain counts as a whole one', async (t) => {
  const one = deploymentAt('draining', { color: 'blue', release: 'r2', slots: [0] });
  const inTheMiddle = { ...drain(one, 0), sessionsUntilMs: NOW_S * 1_000 + 1 };
  const deciding = new Deciding(ON, { draining: [inTheMiddle] });
  t.equal(deciding.ask([cookies(tokenOf(draining))]).to, 'draining');
});

await t.test('a session of two drains goes to its own', async (t) => {
  const [first, second] = shop().draining;
  const alive = { ...first!, sessionsUntilMs: second!.sessionsUntilMs };
  const deciding = new Deciding(ON, { draining: [alive, second!] });
  t.equal(deciding.ask([cookies(tokenOf(over))]).to, 'over');
  t.equal(deciding.ask([cookies(tokenOf(draining))]).to, 'draining');
});

await t.test('an upgrade request gets no new session, but an old one anew', async (t) => {
  const upgrade = ['Connection: upgrade', 'Upgrade: websocket'];
  const deciding = new Deciding(ON);
  const without = deciding.ask(upgrade);
  t.equal(without.gives, undefined);
  t.equal(without.hasSession, false);
  const stale = deciding.ask([...upgrade, cookies(tokenOf(draining, { seenAgoS: 61 }))]);
  t.equal(stale.to, 'draining');
  t.equal(stale.gives?.deployment, draining);
});

await t.test('one connection without cookies is one session, while that is fresh', async (t) => {
  const deciding = new Deciding(ON);
  const client = clientOf();
  const first = deciding.ask([], { client }).gives!;
  deciding.wall.seconds += 60;
  t.strictSame(deciding.ask([], { client }).gives, first, 'the same again');
  deciding.wall.seconds += 1;
  const next = deciding.ask([], { client }).gives!;
  t.not(next.id, first.id, 'a new one once it is stale');
  t.equal(next.issuedS, NOW_S + 61);
  t.strictSame(deciding.sessionsSeen(), {}, 'and none that counts');
});

await t.test('two connections are two sessions', async (t) => {
  const deciding = new Deciding(ON);
  const ids = [clientOf(), clientOf()].map((client) => deciding.ask([], { client }).gives!.id);
  t.not(ids[0], ids[1]);
});

await t.test('a connection of a trusted proxy is as many sessions as requests', async (t) => {
  const deciding = new Deciding(ON);
  const client = clientOf({ isProxy: true });
  const ids = [1, 2, 3].map(() => deciding.ask([], { client }).gives!.id);
  t.equal(new Set(ids).size, 3);
});

await t.test('a client that asks by field gets a session of its own each time', async (t) => {
  const deciding = new Deciding(ON);
  const client = clientOf();
  const ids = [1, 2].map(() => deciding.ask(['X-Turnout-Session: new'], { client }).gives!.id);
  t.not(ids[0], ids[1]);
});

await t.test(
  'a client that uses the field does not get the session that its connection had before',
  async (t) => {
    const deciding = new Deciding(ON);
    const client = clientOf();
    const byCookie = deciding.ask([], { client }).gives!;
    const next = deciding.ask(['X-Turnout-Session: new'], { client }).gives!;
    t.equal(next.by, 'field');
    t.not(next.id, byCookie.id);
    t.strictSame(deciding.ask([], { client }).gives, byCookie, 'and takes nothing away');
  },
);

await t.test(
  'a session given by field is not given again to a client without the field',
  async (t) => {
    const deciding = new Deciding(ON);
    const client = clientOf();
    const byField = deciding.ask(['X-Turnout-Session: new'], { client }).gives!;
    const next = deciding.ask([], { client }).gives!;
    t.equal(next.by, 'cookie');
    t.not(next.id, byField.id);
  },
);

await t.test('a session that was given belongs to its deployment', async (t) => {
  const deciding = new Deciding(ON);
  const client = clientOf();
  const first = deciding.ask([], { client }).gives!;
  const { green } = shop();
  const become = (change: Partial<Deployment>): void => {
    const service = { ...shop(), policy: deciding.policy, green: { ...green, ...change } };
    deciding.table = routes([service]);
  };
  become({ number: 30 });
  const next = deciding.ask([], { client }).gives!;
  t.equal(next.deployment, 30, 'another one, at the same place');
  t.not(next.id, first.id);
  become({ number: 30, servedSince: 41 });
  t.equal(deciding.ask([], { client }).gives?.id, next.id, 'the same one, active anew');
});

await t.test('a session that was given belongs to its service', async (t) => {
  const deciding = new Deciding(ON);
  const { policy } = deciding;
  deciding.table = routes([
    { ...shop(), policy, paths: ['/'] },
    { ...shop(), policy, paths: ['/blog'], name: 'blog' },
  ]);
  const client = clientOf();
  deciding.ask([], { client });
  const own = client.givenSession!;
  t.equal(own.service, 'shop');
  t.throws(() => deciding.ask([], { client, target: '/blog/1' }), /expected a line with a token/);
  t.equal(client.givenSession!.service, 'blog', 'the signature is for the other service');
  t.not(client.givenSession!.field, own.field);
});

await t.test('a client that brings a session is not given one', async (t) => {
  const client = clientOf();
  new Deciding(ON).ask([cookies(tokenOf(active))], { client });
  t.equal(client.givenSession, undefined);
});

await t.test('sessions are counted where they are, each once', async (t) => {
  const deciding = new Deciding(ON);
  for (let round = 0; round < 3; round++) {
    deciding.ask([cookies(tokenOf(draining))]);
    deciding.wall.seconds += 10;
  }
  deciding.ask([cookies(tokenOf(over))]);
  t.strictSame(deciding.sessionsSeen(), { draining: 1, active: 1 });
});

await t.test('a session counts once its token has come back', async (t) => {
  const deciding = new Deciding(ON);
  const lines = [1, 2, 3].map(() => deciding.ask([]).line);
  const byField = deciding.ask(['X-Turnout-Session: new']).line;
  t.strictSame(deciding.sessionsSeen(), {}, 'clients without cookies are none');
  const [first, second] = lines.map((line) => line.slice('Set-Cookie: '.length).split(';')[0]!);
  for (const cookie of [first, first, second]) deciding.ask([`Cookie: ${cookie}`]);
  t.strictSame(deciding.sessionsSeen(), { active: 2 });
  deciding.ask([byField]);
  t.strictSame(deciding.sessionsSeen(), { active: 3 });
});

await t.test('a request for no service goes nowhere', async (t) => {
  const deciding = new Deciding(ON);
  deciding.table = routes([{ ...shop(), policy: deciding.policy, hosts: ['other.test'] }]);
  const outcome = deciding.ask([cookies(tokenOf(draining))]);
  t.equal(outcome.to, 'nowhere');
  t.equal(outcome.verdict, 'forward');
  t.equal(outcome.gives, undefined);
  t.strictSame(deciding.sessionsSeen(), {});
});

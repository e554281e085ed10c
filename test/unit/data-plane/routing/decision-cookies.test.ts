// Which cookies a request may bring and an answer gives: names of this instance, of others and of earlier
// versions, and requests with which a browser does not send the cookie that it has.

import t from 'tap';
import type { PolicyPatch } from '../../../support/policy.ts';
import {
  Deciding,
  DEPLOYMENT,
  forged,
  LEGACY,
  legacyTokenOf,
  NOW_S,
  SESSION_ID,
  tokenOf,
  type Asking,
  type Outcome,
  clientOf,
  shop,
  routes,
} from '../../../support/deciding.ts';

const { active, draining } = DEPLOYMENT;
/** Of the instance `test`. */
const OWN = 'turnout-test-shop';

/** Decides for a service whose cookie has the name that it gets by itself. */
function ask(fields: readonly string[], asking: Asking = {}, policy: PolicyPatch = {}): Outcome {
  const affinity = { mode: 'drain', cookieName: '', ...policy.affinity } as const;
  return new Deciding({ ...policy, affinity }).ask(fields, asking);
}

function cookie(name: string, token: string): string {
  return `Cookie: a=1; ${name}=${token}`;
}

await t.test('a session is given and read under the name of instance and service', async (t) => {
  t.match(ask([]).line, `Set-Cookie: ${OWN}=`);
  t.equal(ask([cookie(OWN, tokenOf(draining))]).to, 'draining');
});

await t.test('a good token under any other name counts for nothing', async (t) => {
  for (const name of [
    'turnout-test',
    'turnout-test-blog',
    'turnout-other',
    'turnout-other-shop',
    'turnout-blog',
    `__Host-${OWN}`,
    `__Secure-${OWN}`,
    `${OWN}-preview`,
    'TURNOUT-TEST-SHOP',
  ]) {
    const outcome = ask([cookie(name, tokenOf(draining))]);
    t.equal(outcome.to, 'active', name);
    t.not(outcome.gives?.id, SESSION_ID, name);
  }
});

await t.test('no target gets a cookie of this instance, of whatever service', async (t) => {
  const token = tokenOf(draining);
  const deciding = new Deciding({ affinity: { mode: 'drain', cookieName: '' } });
  const { policy } = deciding;
  const named = { ...policy, affinity: { ...policy.affinity, cookieName: 'sid' } };
  deciding.table = routes([
    { ...shop(), policy },
    { ...shop(), policy: named, name: 'blog', paths: ['/blog'] },
  ]);
  const own = [
    'turnout-test',
    'turnout-test-shop',
    'turnout-test-blog',
    'turnout-test-gone',
    'turnout',
    'turnout-shop',
    'turnout-blog',
    'sid',
  ];
  const all = own.flatMap((name) => [name, `${name}-preview`]);
  const prefixed = all.flatMap((name) => [name, `__Host-${name}`, `__Secure-${name}`]);
  for (const value of ['x', '', legacyTokenOf(LEGACY.draining), 'green.x.y']) {
    const line = `Cookie: a=1; ${prefixed.map((name) => `${name}=${value}`).join('; ')}; b=2`;
    t.match(deciding.ask([line]).sent, /\r\nCookie: a=1; b=2\r\n/, value);
  }
  const foreign = ['turnout-other', 'turnout-other-shop', 'turnout-tes', 'turnout-test2', 'sid2'];
  const line = `Cookie: ${foreign.map((name) => `${name}=${token}`).join('; ')}`;
  t.match(deciding.ask([line]).sent, `\r\n${line}\r\n`, 'cookies of others pass');
});

await t.test('a Turnout behind may have the name of a service here as its instance', async (t) => {
  const line = `Cookie: turnout-shop=${tokenOf(draining)}; __Host-turnout=${tokenOf(active)}`;
  const outcome = ask([line]);
  t.match(outcome.sent, `\r\n${line}\r\n`);
  t.equal(outcome.to, 'active');
});

await t.test('sessions of earlier versions go on under the names that they had', async (t) => {
  for (const name of ['turnout', 'turnout-shop']) {
    const outcome = ask([cookie(name, legacyTokenOf(LEGACY.draining))]);
    t.equal(outcome.to, 'draining', name);
    t.equal(outcome.hasSession, true);
    t.match(outcome.line, `Set-Cookie: ${OWN}=`, 'and get the name of today');
    t.match(outcome.gives, { deployment: draining, epoch: 35, id: SESSION_ID });
    t.notMatch(outcome.sent, /turnout=|turnout-shop=/);
  }
  const https = 'X-Forwarded-Proto: https';
  const secure = ask([https, cookie('__Host-turnout', legacyTokenOf(LEGACY.draining))], {
    client: clientOf({ isProxy: true }),
  });
  t.equal(secure.to, 'draining');
  t.match(secure.line, `Set-Cookie: __Host-${OWN}=`);
  const elsewhere = ask([cookie('turnout-blog', legacyTokenOf(LEGACY.draining))]);
  t.equal(elsewhere.to, 'active', 'the name of another service');
});

/** A cookie as an earlier version gave it. */
function old(generation: number): string {
  return `turnout=${legacyTokenOf(generation, { id: 'oldoldoldold' })}`;
}

function today(deployment: number, details?: { readonly seenAgoS: number }): string {
  return `${OWN}=${tokenOf(deployment, details)}`;
}

/** Decides for both orders of two cookies. */
function both(one: string, other: string): Outcome[] {
  return [`Cookie: ${one}; ${other}`, `Cookie: ${other}; ${one}`].map((line) => ask([line]));
}

await t.test('the cookie of today counts before one of an earlier version', async (t) => {
  for (const outcome of both(old(LEGACY.draining), today(active))) {
    t.equal(outcome.to, 'active');
    t.equal(outcome.gives, undefined);
  }
  for (const outcome of both(old(LEGACY.active), today(draining))) t.equal(outcome.to, 'draining');
  for (const outcome of both(old(LEGACY.draining), today(DEPLOYMENT.past))) {
    t.equal(outcome.to, 'active', 'a session that has moved on since');
    t.equal(outcome.gives?.id, SESSION_ID);
  }
  for (const outcome of both(old(LEGACY.draining), `${OWN}=${forged(tokenOf(active))}`)) {
    t.equal(outcome.to, 'draining', 'a planted one beside it takes nothing away');
  }
  for (const outcome of both(old(LEGACY.draining), today(draining, { seenAgoS: 10_000 }))) {
    t.equal(outcome.to, 'draining', 'one that is over gives way');
  }
});

const POST = { method: 'POST' } as const;
const CROSS = 'Sec-Fetch-Site: cross-site';

await t.test(
  'a form that another site posts gets no session in place of a hidden one',
  async (t) => {
    t.equal(ask([CROSS], POST).line, '');
    t.equal(ask([CROSS, 'Cookie: login=1'], POST).line, '');
    for (const site of ['same-origin', 'same-site', 'none', 'Cross-Site', '']) {
      t.match(ask([`Sec-Fetch-Site: ${site}`], POST).line, /^Set-Cookie/, site);
    }
    t.match(ask([], POST).line, /^Set-Cookie/, 'a program that says nothing');
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      t.match(ask([CROSS], { method }).line, /^Set-Cookie/, `${method} brings the cookie`);
    }
    for (const method of ['PUT', 'DELETE', 'PATCH']) t.equal(ask([CROSS], { method }).line, '');
  },
);

await t.test('nor does it get the session that its connection had before', async (t) => {
  const deciding = new Deciding({ affinity: { mode: 'drain', cookieName: '' } });
  const client = clientOf();
  const given = deciding.ask([], { client }).line;
  t.equal(deciding.ask([CROSS], { client, ...POST }).line, '');
  t.equal(deciding.ask([], { client }).line, given);
});

await t.test('a form from elsewhere that brings a cookie keeps its session', async (t) => {
  const stale = cookie(OWN, tokenOf(draining, { seenAgoS: 61 }));
  t.match(ask([CROSS, stale], POST), { to: 'draining', gives: { id: SESSION_ID } });
  t.match(ask([CROSS, cookie(OWN, tokenOf(DEPLOYMENT.past))], POST).gives, { id: SESSION_ID });
  t.match(ask([CROSS, cookie(OWN, 'x')], POST).line, /^Set-Cookie/, 'nothing good is hidden');
  t.match(ask([CROSS, 'X-Turnout-Session: new'], POST).gives, { by: 'field' });
});

function lineFor(sameSite: 'strict' | 'none', asking: Asking): string {
  return ask([CROSS], asking, { affinity: { sameSite } }).line;
}

await t.test('what hides a cookie depends on its SameSite', async (t) => {
  t.equal(lineFor('strict', {}), '', 'a link from another site');
  t.equal(lineFor('strict', POST), '');
  t.match(lineFor('none', POST), /SameSite=None$/);
  t.match(lineFor('none', {}), /SameSite=None$/);
  t.match(ask([], {}, { affinity: { sameSite: 'strict' } }).line, /SameSite=Strict$/);
});

function lineAt(target: string, cookiePath: string): string {
  return ask([], { target }, { affinity: { cookiePath } }).line;
}

await t.test('a request outside of the path of the cookie gets none', async (t) => {
  for (const target of ['/app', '/app/', '/app/x?y', '/app?x=/', 'http://shop.test/app/x']) {
    t.match(lineAt(target, '/app'), /; Path=\/app; /, target);
  }
  for (const target of ['/', '/favicon.ico', '/application', '/ap', '/x/app', '/APP', '/?/app']) {
    t.equal(lineAt(target, '/app'), '', target);
  }
  t.match(lineAt('/app/x', '/app/'), /^Set-Cookie/);
  t.equal(lineAt('/app', '/app/'), '');
  t.match(lineAt('/anything', '/'), /^Set-Cookie/);
});

await t.test('a session outside of the path is kept where it is brought', async (t) => {
  const affinity = { mode: 'drain', cookieName: 'sid', cookiePath: '/app' } as const;
  const stale = cookie('sid', tokenOf(draining, { seenAgoS: 61 }));
  const outcome = new Deciding({ affinity }).ask([stale], { target: '/other' });
  t.match(outcome, { to: 'draining', gives: { id: SESSION_ID } });
});

await t.test('no session gets a token of a lower epoch than it brought', async (t) => {
  // The state was restored from a copy: numbers are given again that cookies hold already.
  for (const token of [
    tokenOf(active, { epoch: 99, seenAgoS: 61 }),
    tokenOf(draining, { epoch: 99, seenAgoS: 61 }),
    tokenOf(DEPLOYMENT.future, { epoch: 99 }),
  ]) {
    const outcome = ask([cookie(OWN, token)]);
    t.equal(outcome.line, '');
    t.equal(outcome.to, token.startsWith('f.') ? 'draining' : 'active');
  }
  const down = new Deciding({ affinity: { mode: 'drain' } });
  down.setDown([0, 1]);
  const moved = down.ask([cookie('turnout', tokenOf(draining, { epoch: 99 }))]);
  t.match(moved, { to: 'active', line: '' });
  const usual = down.ask([cookie('turnout', tokenOf(draining, { epoch: 34 }))]);
  t.match(usual.gives, { epoch: 40, id: SESSION_ID, issuedS: NOW_S - 3_600 });
});

// What holds with several instances of Turnout before the same apps, as docs/several-instances.md says:
// each decides for itself, and with copies of the same keys they honour each other's sessions as long
// as their decisions are the same.

import t, { type Test } from 'tap';
import { openNamed, openReleases, side } from './release-scene.ts';

t.setTimeout(120_000);

async function pair(t: Test, { isKeyShared = true } = {}) {
  const [v1, v2] = [await openNamed(t, 'tcp', 'v1'), await openNamed(t, 'tcp', 'v2')];
  const services = [{ blue: side('v1', v1.url), green: side('v2', v2.url) }];
  const a = await openReleases(t, services);
  const b = await openReleases(t, services, isKeyShared ? { keysOf: a } : {});
  await a.isUp('green');
  await b.isUp('green');
  return { a, b };
}

await t.test('a session of one is kept by the other, where both have switched', async (t) => {
  const { a, b } = await pair(t);
  const cookie = await a.newcomer('v1');
  await a.switchTo('green');
  await b.switchTo('green');
  t.match(await a.ask({ fields: { cookie } }), { text: 'v1', cookies: [] });
  t.match(await b.ask({ fields: { cookie } }), { text: 'v1', cookies: [] }, 'it drains there, too');
  t.equal((await b.ask()).text, 'v2');
});

await t.test('where one alone has switched, each serves what is active in it', async (t) => {
  const { a, b } = await pair(t);
  const old = await a.newcomer('v1');
  await a.switchTo('green');
  const fresh = await a.newcomer('v2');
  t.match(await b.ask({ fields: { cookie: old } }), { text: 'v1' });
  const heard = await b.ask({ fields: { cookie: fresh } });
  t.equal(heard.text, 'v1', 'a session of what is not active here goes to what is');
  await b.switchTo('green');
  t.equal((await b.ask({ fields: { cookie: fresh } })).text, 'v2');
});

await t.test('with keys of its own, an instance leaves the sessions of others alone', async (t) => {
  const { a, b } = await pair(t, { isKeyShared: false });
  const cookie = await a.newcomer('v1');
  await a.switchTo('green');
  await b.switchTo('green');
  const heard = await b.ask({ fields: { cookie } });
  t.equal(heard.text, 'v2', 'the client begins anew there');
  t.not(heard.cookies[0]!.split('=')[0], cookie.split('=')[0], 'and has a cookie of each');
  const both = `${cookie}; ${heard.cookies[0]}`;
  t.equal((await a.ask({ fields: { cookie: both } })).text, 'v1');
  t.equal((await b.ask({ fields: { cookie: both } })).text, 'v2');
});

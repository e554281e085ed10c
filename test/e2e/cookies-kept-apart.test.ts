// Session cookies of several services, and of two Turnouts in a row: none disturbs another, and no app
// ever sees one.

import t from 'tap';
import { openNamed, openReleases, side, type ReleaseScene } from './release-scene.ts';

t.setTimeout(180_000);

await t.test('a second service that is added moves no session', async (t) => {
  const [v1, v2, blog] = [
    await openNamed(t, 'tcp', 'v1'),
    await openNamed(t, 'tcp', 'v2'),
    await openNamed(t, 'tcp', 'blog'),
  ];
  const shop = { blue: side('v1', v1.url), green: side('v2', v2.url) };
  const scene = await openReleases(t, [shop]);
  const cookie = await scene.newcomer('v1');
  await scene.switchTo('green');
  t.equal((await scene.ask({ fields: { cookie } })).text, 'v1');
  const more = { name: 'blog', paths: ['/blog'], blue: side('b1', blog.url) };
  const both = [{ ...shop, name: 'default' }, more];
  scene.write(both);
  t.match(await scene.reload(), { status: 200 });
  const kept = await scene.ask({ fields: { cookie } });
  t.match(kept, { text: 'v1', cookies: [] }, 'no other cookie takes its place');
  const ofBlog = await scene.newcomer('blog', { path: '/blog', fields: { cookie } });
  t.not(ofBlog.split('=')[0], cookie.split('=')[0]);
  const all = `theme=dark; ${cookie}; ${ofBlog}`;
  t.equal((await scene.ask({ fields: { cookie: all } })).text, 'v1');
  t.equal((await scene.ask({ path: '/blog', fields: { cookie: all } })).text, 'blog');
  for (const way of ['restart', 'upgrade'] as const) {
    await scene[way]();
    t.equal((await scene.ask({ fields: { cookie: all } })).text, 'v1');
  }
  scene.write([shop]);
  t.match(await scene.reload(), { status: 200 });
  t.equal((await scene.ask({ fields: { cookie: all } })).text, 'v1', 'nor does one that goes');
  const seen = [v1, v2, blog].flatMap(({ cookies }) => cookies);
  t.strictSame([...new Set(seen)].toSorted(), ['', 'theme=dark'], 'no app saw a cookie of Turnout');
});

await t.test('two in a row keep their sessions apart, whichever switches', async (t) => {
  const [a, b, other] = [
    await openNamed(t, 'tcp', 'inner v1'),
    await openNamed(t, 'tcp', 'inner v2'),
    await openNamed(t, 'tcp', 'edge v2'),
  ];
  const inner = await openReleases(t, [{ blue: side('v1', a.url), green: side('v2', b.url) }]);
  const at = `http://${inner.running.proxy}`;
  const edge = await openReleases(t, [{ blue: side('e1', at), green: side('e2', other.url) }]);
  const cookie = await edge.newcomer('inner v1');
  t.equal(cookie.split('; ').length, 2, 'one of each');
  const visit = async (scene: ReleaseScene): Promise<string> =>
    (await scene.ask({ fields: { cookie } })).text;
  await inner.switchTo('green');
  t.equal(await visit(edge), 'inner v1');
  await edge.switchTo('green');
  t.equal(await visit(edge), 'inner v1');
  t.strictSame([...new Set(a.cookies)], [''], 'no app saw either of them');
  t.equal(await visit(inner), 'inner v1', 'the same host at another port');
});

const CROSS_SITE = {
  origin: 'https://login.test',
  'sec-fetch-site': 'cross-site',
  'sec-fetch-mode': 'navigate',
};

await t.test('a login that another site posts back finds its session', async (t) => {
  const [v1, v2] = [await openNamed(t, 'tcp', 'v1'), await openNamed(t, 'tcp', 'v2')];
  const colors = { blue: side('v1', v1.url), green: side('v2', v2.url) };
  const scene = await openReleases(t, [{ ...colors, affinity: { sameSite: 'none' } }]);
  const first = await scene.ask();
  t.match(first.set, [/; SameSite=None/]);
  const cookie = first.cookies.join('; ');
  await scene.switchTo('green');
  // As a browser does: it brings the cookie, which is not kept from other sites.
  const fields = { ...CROSS_SITE, cookie };
  t.equal((await scene.ask({ method: 'POST', path: '/acs', fields })).text, 'v1');
});

await t.test('where the browser keeps the cookie back, the session is not moved', async (t) => {
  const [v1, v2] = [await openNamed(t, 'tcp', 'v1'), await openNamed(t, 'tcp', 'v2')];
  const scene = await openReleases(t, [{ blue: side('v1', v1.url), green: side('v2', v2.url) }]);
  const first = await scene.ask();
  t.match(first.set, [/; SameSite=Lax/]);
  const cookie = first.cookies.join('; ');
  await scene.switchTo('green');
  const posted = await scene.ask({ method: 'POST', path: '/acs', fields: CROSS_SITE });
  t.match(posted, { text: 'v2', set: { length: 0 } }, 'it is given no other session');
  t.equal((await scene.ask({ fields: { cookie } })).text, 'v1');
});

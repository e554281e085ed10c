// Names of cookies: made of the instance and of one service, whatever other services there are.

import t from 'tap';
import {
  formerCookieNames,
  instanceCookies,
  previewCookieName,
  sessionCookieName,
  type NamedService,
} from '../../../src/contract/cookie-names.ts';
import { testPolicy } from '../../support/policy.ts';

function service(name: string, cookieName = ''): NamedService {
  return { name, policy: testPolicy({ affinity: { cookieName } }) };
}

await t.test('a cookie is named after the instance and the service', async (t) => {
  t.equal(sessionCookieName('x7k2p9', service('default')), 'turnout-x7k2p9');
  t.equal(sessionCookieName('x7k2p9', service('shop')), 'turnout-x7k2p9-shop');
});

await t.test('a name that is set stays as it is', async (t) => {
  t.equal(sessionCookieName('x7k2p9', service('default', 'sid')), 'sid');
  t.equal(sessionCookieName('x7k2p9', service('shop', 'sid')), 'sid');
});

await t.test('the cookie of a preview is named after that of the sessions', async (t) => {
  t.equal(previewCookieName('turnout-x7k2p9-shop'), 'turnout-x7k2p9-shop-~preview');
});

await t.test('no session cookie has the name of a preview cookie', async (t) => {
  const names = ['default', 'preview', 'shop', 'shop-preview'];
  const sessions = names.map((name) => sessionCookieName('i1', service(name)));
  for (const name of sessions) t.notOk(sessions.includes(previewCookieName(name)), name);
});

await t.test('a service may have had two names, unless its own is set', async (t) => {
  t.strictSame(formerCookieNames(service('shop')), ['turnout', 'turnout-shop']);
  t.strictSame(formerCookieNames(service('default')), ['turnout', 'turnout-default']);
  t.strictSame(formerCookieNames(service('shop', 'sid')), []);
});

await t.test('an instance has the cookies of all its services', async (t) => {
  const services = [service('default'), service('shop'), service('blog', 'sid')];
  t.strictSame(instanceCookies('edge', services), {
    prefix: 'turnout-edge',
    names: ['sid', 'sid-~preview', 'sid-preview'],
    formerNames: [
      'turnout',
      'turnout-preview',
      'turnout-default',
      'turnout-default-preview',
      'turnout-shop',
      'turnout-shop-preview',
      'turnout-blog',
      'turnout-blog-preview',
    ],
  });
});

await t.test('no cookie of an instance can be one of another that begins alike', async (t) => {
  const { prefix } = instanceCookies('edge', []);
  // Instances have no dash: see the setting.
  for (const other of ['edge2', 'edge_eu', 'edg', 'e']) {
    for (const name of ['default', 'shop', 'edge']) {
      const cookie = sessionCookieName(other, service(name));
      t.equal(cookie === prefix || cookie.startsWith(`${prefix}-`), false, cookie);
    }
  }
});

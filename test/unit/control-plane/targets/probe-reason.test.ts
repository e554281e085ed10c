// What is told of an answer that did not pass: path, status, and the settings that would mend it.

import t from 'tap';
import { allSettings } from '../../../../src/config/settings/table/settings-list.ts';
import { statusReason } from '../../../../src/control-plane/targets/probe-reason.ts';

const ASKED = {
  path: '/healthz',
  host: '10.0.0.5:3000',
  statusMin: 200,
  statusMax: 299,
  isTls: false,
  sendProxy: undefined,
};

await t.test('an app without the page is told with path and setting', (t) => {
  const cases = [
    [404, 'GET /healthz gave 404: set health.path, or health.kind: tcp'],
    [
      401,
      'GET /healthz gave 401, it wants a login: set health.path to a page without one, or health.kind: tcp',
    ],
    [
      403,
      'GET /healthz gave 403: it may want another Host than 10.0.0.5:3000: set health.host, or health.path, or health.kind: tcp',
    ],
    [
      301,
      'GET /healthz gave 301, a redirect: set health.path to where it leads, or health.status to 200-399',
    ],
    [503, 'GET /healthz gave 503, expected 200-299'],
  ] as const;
  for (const [status, reason] of cases) t.equal(statusReason(ASKED, status), reason);
  t.end();
});

await t.test('every setting that is named exists', (t) => {
  const known = new Set(allSettings().map(({ path }) => path.slice(-2).join('.')));
  for (let status = 100; status <= 599; status++) {
    for (const [name] of statusReason(ASKED, status).matchAll(/health\.\w+/g)) {
      t.ok(known.has(name), name);
    }
  }
  t.end();
});

await t.test('a query, which may hold a secret, is left out', (t) => {
  const reason = statusReason({ ...ASKED, path: '/up?token=secret' }, 404);
  t.match(reason, /^GET \/up gave 404/);
  t.notMatch(reason, 'secret');
  t.end();
});

await t.test(
  'an app that cannot read the PROXY header is told from one that wants another Host',
  (t) => {
    const told = { ...ASKED, sendProxy: 'v2' } as const;
    t.equal(
      statusReason(told, 400),
      'GET /healthz gave 400; it may not expect the PROXY header that it is sent first (sendProxy: v2)',
    );
    t.equal(statusReason(told, 503), 'GET /healthz gave 503, expected 200-299');
    t.match(statusReason(ASKED, 400), /another Host/);
    t.end();
  },
);

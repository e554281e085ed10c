// Web pages that would switch: in a browser of the operator, on another origin (CSRF), or under a
// name that was made to lead here (DNS rebinding). First with the fields that browsers send, then
// with a real browser.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { openChromium, WAIT_MS } from '../support/chromium.ts';
import { skipWithout } from '../support/installed.ts';
import { ask, openAdmin, post } from '../unit/control-plane/support/admin.ts';

const OWN = '127.0.0.1:8081';
const ALL = { services: undefined, before: undefined, limit: 1_000 };

interface Attempt {
  readonly name: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly code: string;
}

/** Sec-Fetch fields of a request that a page of `site` makes. */
function fetchFields(site: string, mode: string, dest: string): Record<string, string> {
  return { 'sec-fetch-site': site, 'sec-fetch-mode': mode, 'sec-fetch-dest': dest };
}

const EVIL = 'https://evil.example';
const NAVIGATE = { 'sec-fetch-user': '?1', 'upgrade-insecure-requests': '1' };
const JSON_BODY = '{"to":"green"}';
const FORM = 'application/x-www-form-urlencoded';

const ATTEMPTS: readonly Attempt[] = [
  ...[FORM, 'text/plain', 'multipart/form-data; boundary=----WebKitFormBoundaryx'].map(
    (type): Attempt => ({
      name: `a form of another site as ${type}`,
      method: 'POST',
      headers: {
        host: OWN,
        origin: EVIL,
        'content-type': type,
        ...fetchFields('cross-site', 'navigate', 'document'),
        ...NAVIGATE,
      },
      body: '{"to":"green","x":"="}',
      code: 'origin-not-allowed',
    }),
  ),
  {
    name: 'a form of a browser without fetch metadata',
    method: 'POST',
    headers: { host: OWN, origin: EVIL, 'content-type': 'text/plain', referer: `${EVIL}/` },
    body: JSON_BODY,
    code: 'origin-not-allowed',
  },
  {
    name: 'a form of a browser that sends no Origin either',
    method: 'POST',
    headers: { host: OWN, 'content-type': 'text/plain', referer: `${EVIL}/` },
    body: JSON_BODY,
    code: 'content-type-not-json',
  },
  {
    name: 'a form in a sandboxed frame',
    method: 'POST',
    headers: { host: OWN, origin: 'null', 'content-type': FORM },
    body: 'to=green',
    code: 'origin-not-allowed',
  },
  {
    name: 'fetch with mode no-cors',
    method: 'POST',
    headers: {
      host: OWN,
      origin: EVIL,
      'content-type': 'text/plain;charset=UTF-8',
      ...fetchFields('cross-site', 'no-cors', 'empty'),
    },
    body: JSON_BODY,
    code: 'origin-not-allowed',
  },
  {
    name: 'sendBeacon with a Blob of JSON, as old Chrome let it pass',
    method: 'POST',
    headers: {
      host: OWN,
      origin: EVIL,
      'content-type': 'application/json',
      ...fetchFields('cross-site', 'no-cors', 'empty'),
    },
    body: JSON_BODY,
    code: 'origin-not-allowed',
  },
  {
    name: 'fetch of a page on another port of this machine',
    method: 'POST',
    headers: {
      host: OWN,
      origin: 'http://127.0.0.1:3000',
      'content-type': 'application/json',
      ...fetchFields('same-site', 'cors', 'empty'),
    },
    body: JSON_BODY,
    code: 'origin-not-allowed',
  },
  {
    name: 'fetch of a page on another port that leaves out Origin',
    method: 'POST',
    headers: {
      host: OWN,
      'content-type': 'application/json',
      ...fetchFields('same-site', 'no-cors', 'empty'),
    },
    body: JSON_BODY,
    code: 'origin-not-allowed',
  },
  {
    name: 'the preflight of fetch with JSON',
    method: 'OPTIONS',
    headers: {
      host: OWN,
      origin: EVIL,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
      'access-control-request-private-network': 'true',
      ...fetchFields('cross-site', 'cors', 'empty'),
    },
    code: 'origin-not-allowed',
  },
  {
    name: 'an image of another site',
    path: '/v1/status',
    headers: { host: OWN, ...fetchFields('cross-site', 'no-cors', 'image') },
    code: 'origin-not-allowed',
  },
  {
    name: 'a frame of another site',
    path: '/v1/status',
    headers: { host: OWN, ...fetchFields('cross-site', 'navigate', 'iframe') },
    code: 'origin-not-allowed',
  },
  {
    name: 'a link on another site',
    path: '/v1/status',
    headers: { host: OWN, ...fetchFields('cross-site', 'navigate', 'document'), ...NAVIGATE },
    code: 'origin-not-allowed',
  },
  {
    name: 'a page under a name that leads here',
    method: 'POST',
    headers: {
      host: 'rebind.evil.example:8081',
      origin: 'http://rebind.evil.example:8081',
      'content-type': 'application/json',
      ...fetchFields('same-origin', 'cors', 'empty'),
    },
    body: JSON_BODY,
    code: 'host-not-allowed',
  },
  {
    name: 'the same page, reading',
    path: '/v1/status',
    headers: { host: 'rebind.evil.example:8081', ...fetchFields('same-origin', 'cors', 'empty') },
    code: 'host-not-allowed',
  },
  {
    name: 'a name that begins like ours',
    method: 'POST',
    headers: { host: '127.0.0.1.evil.example', 'content-type': 'application/json' },
    body: JSON_BODY,
    code: 'host-not-allowed',
  },
];

await t.test(
  'no page from another origin gets anything, and each attempt is recorded',
  async (t) => {
    const { address, pointer, audit } = await openAdmin(t);
    for (const { name, method = 'GET', path = '/v1/switch', headers, body, code } of ATTEMPTS) {
      const sent = body === undefined ? {} : { body };
      const answer = await ask(address, path, { method, headers, ...sent });
      const status = code === 'content-type-not-json' ? 415 : 403;
      t.match(answer, { status, json: { code } }, name);
      for (const field of Object.keys(answer.headers)) t.notMatch(field, /^access-control-/, name);
    }
    t.equal(pointer(), 1);
    const expected = ATTEMPTS.filter(({ method }) => method === 'POST').map(({ code }) => code);
    const written = (await audit.latest(ALL)).map(({ code }) => code);
    t.strictSame(written.toReversed(), expected, 'each POST has its entry');
    for (const entry of await audit.latest(ALL)) {
      t.match(entry, { actor: 'nobody', outcome: 'refused', address: '127.0.0.1' });
    }
  },
);

await t.test('an operator with a browser may look and change', async (t) => {
  const { address } = await openAdmin(t);
  const typed = { host: OWN, ...fetchFields('none', 'navigate', 'document'), ...NAVIGATE };
  t.equal((await ask(address, '/v1/status', { headers: typed })).status, 200, 'typed by hand');
  const own = {
    host: OWN,
    origin: `http://${OWN}`,
    ...fetchFields('same-origin', 'cors', 'empty'),
  };
  t.equal((await post(address, '/v1/switch', {}, own)).status, 200, 'a page of our own');
});

await t.test(
  'the names of the configuration are ours, and addresses where others come in',
  async (t) => {
    const everywhere = { kind: 'tcp', host: '0.0.0.0', port: 0 } as const;
    const { address } = await openAdmin(t, { listen: everywhere, hosts: ['turnout.internal'] });
    const statusFor = async (host: string): Promise<number> =>
      (await ask(address, '/livez', { headers: { host } })).status;
    const ours = [
      'turnout.internal',
      'Turnout.Internal:8081',
      '10.1.2.3:8081',
      '[fd00::1]',
      'localhost',
    ];
    for (const host of ours) t.equal(await statusFor(host), 200, host);
    const theirs = [
      'evil.example',
      'x.turnout.internal',
      'turnout.internal.evil.example',
      '10.1.2.3.nip.io',
    ];
    for (const host of theirs) t.equal(await statusFor(host), 403, host);
  },
);

await t.test('on loopback another address is not ours', async (t) => {
  const { address } = await openAdmin(t, { hosts: ['switch.test'] });
  t.equal((await ask(address, '/livez', { headers: { host: '10.1.2.3' } })).status, 403);
  t.equal((await ask(address, '/livez', { headers: { host: 'switch.test:1' } })).status, 200);
});

/** What a page of an attacker does; `admin` is where it wants to get. */
function attackerPage(admin: string): string {
  const body = JSON.stringify(JSON_BODY);
  return `<!doctype html><title>attack</title>
<iframe name="sink"></iframe>
<img src="http://${admin}/v1/status">
<form id="f1" method="post" target="sink" enctype="text/plain" action="http://${admin}/v1/switch">
  <input name='{"to":"green","reason":"' value='"}'></form>
<form id="f2" method="post" target="sink" action="http://${admin}/v1/switch"><input name="to" value="green"></form>
<form id="f3" method="post" target="sink" enctype="multipart/form-data" action="http://${admin}/v1/switch">
  <input name="to" value="green"></form>
<script>
  window.attack = async () => {
    const tries = [
      () => fetch('http://${admin}/v1/switch', { method: 'POST', mode: 'no-cors', body: ${body} }),
      () => fetch('http://${admin}/v1/switch', { method: 'POST', body: ${body},
        headers: { 'content-type': 'application/json' } }),
      () => fetch('http://${admin}/v1/switch', { method: 'POST', mode: 'no-cors',
        body: new Blob([${body}], { type: 'application/json' }) }),
      () => fetch('http://${admin}/v1/status').then((answer) => answer.text()),
      async () => navigator.sendBeacon('http://${admin}/v1/switch', ${body}),
    ];
    const results = [];
    for (const one of tries) results.push(await one().then(String, () => 'refused'));
    for (const id of ['f1', 'f2', 'f3']) {
      const loaded = new Promise((resolve) => document.querySelector('iframe').onload = resolve);
      document.getElementById(id).submit();
      await loaded;
    }
    return results;
  };
  window.rebound = async () => {
    const json = { 'content-type': 'application/json' };
    const change = await fetch('/v1/switch', { method: 'POST', headers: json, body: ${body} });
    const look = await fetch('/v1/status');
    return [change.status, look.status, (await look.json()).code];
  };
</script>`;
}

async function openAttacker(t: Test, admin: string): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(attackerPage(admin));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const skip = skipWithout('chromium');

async function withBrowser(t: Test, use: (page: Page) => Promise<void>): Promise<void> {
  const context = await openChromium(t, [
    // New browsers ask before a page may reach this machine. Not all are new.
    '--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests',
    // The DNS of the attacker, after it has changed its mind.
    '--host-resolver-rules=MAP rebind.evil.example 127.0.0.1',
  ]);
  await use(await context.newPage());
}

await t.test('a real browser with the page of an attacker changes nothing', { skip }, async (t) => {
  const { address, pointer, audit } = await openAdmin(t);
  const port = address.kind === 'tcp' ? address.port : 0;
  const attacker = await openAttacker(t, `127.0.0.1:${port}`);
  await withBrowser(t, async (page) => {
    await page.goto(attacker, { timeout: WAIT_MS });
    const results = (await page.evaluate('window.attack()')) as string[];
    t.equal(results[1], 'refused', 'JSON needs a preflight, which is refused');
    t.equal(results[3], 'refused', 'and nothing can be read');
    await page.goto(`http://127.0.0.1:${port}/v1/status`, { timeout: WAIT_MS });
    t.match(await page.textContent('body'), /"active": "blue"/, 'the operator himself can look');
  });
  t.equal(pointer(), 1);
  const entries = await audit.latest(ALL);
  t.ok(entries.length >= 5, `${entries.length} attempts were written down`);
  for (const entry of entries) {
    t.match(entry, { actor: 'nobody', code: 'origin-not-allowed', action: 'POST /v1/switch' });
  }
});

await t.test(
  'a real browser with a DNS name that leads here changes nothing',
  { skip },
  async (t) => {
    const { address, pointer, audit } = await openAdmin(t);
    const port = address.kind === 'tcp' ? address.port : 0;
    const host = `rebind.evil.example:${port}`;
    await withBrowser(t, async (page) => {
      // As if the page had come from the attacker, before the name led here.
      await page.route(`http://${host}/`, async (route) => {
        await route.fulfill({ contentType: 'text/html', body: attackerPage(host) });
      });
      await page.goto(`http://${host}/`, { timeout: WAIT_MS });
      const [change, look, code] = (await page.evaluate('window.rebound()')) as unknown[];
      t.strictSame([change, look, code], [403, 403, 'host-not-allowed']);
    });
    t.equal(pointer(), 1);
    t.match(await audit.latest(ALL), [{ code: 'host-not-allowed', outcome: 'refused' }]);
  },
);

// A real browser over TLS: sent from http to https, kept there by HSTS, with a session that stays on its
// release over a switch and an upgrade, and with the WebSocket and the EventSource of its page.

import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import t from 'tap';
import { openChromium, WAIT_MS } from '../../support/chromium.ts';
import { skipWithout } from '../../support/installed.ts';
import { openBrowserApp, shows } from '../../support/sse-browser-app.ts';
import { HOST, openTlsScene } from './tls-scene.ts';

const skip = skipWithout('chromium', 'openssl');

/** Returns what a page of the same browser is told by `fetch`. */
async function fetched(page: Page): Promise<unknown> {
  return page.evaluate("fetch('/color').then((answer) => answer.text())");
}

await t.test('a browser', { skip }, async (t) => {
  const scene = await openTlsScene(t, {
    targets: [await openBrowserApp(t, 'blue'), await openBrowserApp(t, 'green')],
    service: { hsts: '1h' },
  });
  const { door, plain, certFile } = scene;
  const { publicKey } = new X509Certificate(readFileSync(certFile));
  const pin = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' }));
  const http = `MAP ${HOST}:80 ${plain.host}:${plain.port}`;
  const context = await openChromium(t, [
    `--host-resolver-rules=${http},MAP ${HOST} ${door.host}:${door.port}`,
    `--ignore-certificate-errors-spki-list=${pin.digest('base64')}`,
  ]);
  const page = await context.newPage();
  const first = await page.goto(`http://${HOST}/`, { timeout: WAIT_MS });
  t.equal(first?.url(), `https://${HOST}:${door.port}/`);
  const redirect = first?.request().redirectedFrom();
  t.equal((await redirect?.response())?.status(), 308, 'sent on by the plain address');
  t.match(await first?.headerValue('strict-transport-security'), 'max-age=3600');
  await shows(page, 'blue');

  const cookies = await context.cookies();
  t.match(cookies, [{ name: /^__Host-turnout-/, secure: true, httpOnly: true, path: '/' }]);

  await scene.switchTo('green');
  t.equal(await fetched(page), 'blue', 'the session stays');
  await page.reload({ timeout: WAIT_MS });
  await shows(page, 'blue');
  t.strictSame(await page.evaluate("window.seen.filter(({ what }) => what === 'close')"), []);
  const after = await context.cookies();
  t.equal(after.length, 1);
  t.equal(after[0]?.name, cookies[0]?.name);

  const again = await page.goto(`http://${HOST}/`, { timeout: WAIT_MS });
  t.equal(again?.url(), `https://${HOST}/`, 'the port of https itself: this browser has HSTS');
  t.equal(
    (await again?.request().redirectedFrom()?.response())?.status(),
    307,
    'from inside of it',
  );
  await shows(page, 'blue');

  await scene.upgrade();
  t.equal(await fetched(page), 'blue', 'from a new process, too');
  await context.clearCookies();
  await page.goto(`https://${HOST}/`, { timeout: WAIT_MS });
  await shows(page, 'green');
});

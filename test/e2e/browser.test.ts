// A real browser across a switch: its EventSource and its WebSocket come back by themselves, to the
// color that is right for the session of the page.

import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openChromium, WAIT_MS } from '../support/chromium.ts';
import { skipWithout } from '../support/installed.ts';
import { openBrowserApp, shows, type Seen } from '../support/sse-browser-app.ts';
import { startTurnout } from './turnout-process.ts';

const skip = skipWithout('chromium');

/** Opens the page while blue is active, switches, and resolves with what the page saw until green. */
async function seenAcrossSwitch(
  t: Test,
  flags: readonly string[],
): Promise<{ readonly seen: readonly Seen[]; readonly calledMs: number }> {
  const [blue, green] = [await openBrowserApp(t, 'blue'), await openBrowserApp(t, 'green')];
  const targets = ['--blue', blue, '--green', green, '--health-interval', '100ms'];
  const running = await startTurnout(t, [...targets, ...flags]);
  await running.line((line) => line.includes(`green ${green} is up`));
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const context = await openChromium(t);
  const page = await context.newPage();
  await page.goto(`http://${running.proxy}/`, { timeout: WAIT_MS });
  await shows(page, 'blue');
  const calledMs = Date.now();
  const { status, text } = await admin.post('/v1/switch', { to: 'green' });
  t.equal(status, 200, text);
  await shows(page, 'green');
  const seen = await page.evaluate('window.seen');
  return { seen: seen as readonly Seen[], calledMs };
}

function textsOf(seen: readonly Seen[], what: Seen['what']): string[] {
  return seen.filter((one) => one.what === what).map(({ text }) => text);
}

await t.test('a browser comes back to the new color by itself', { skip }, async (t) => {
  const { seen } = await seenAcrossSwitch(t, ['--affinity-mode', 'off', '--drain-streams', '1s']);
  t.strictSame(textsOf(seen, 'event'), ['blue', 'green']);
  t.strictSame(textsOf(seen, 'message'), ['blue', 'green']);
  t.strictSame(textsOf(seen, 'close'), ['1012 clean']);
});

await t.test('a browser with a session stays until sessions are over', { skip }, async (t) => {
  const sessionsMs = 2_000;
  const flags = ['--drain-sessions', `${sessionsMs}ms`, '--drain-streams', '1s'];
  const { seen, calledMs } = await seenAcrossSwitch(t, flags);
  t.strictSame(textsOf(seen, 'event'), ['blue', 'green']);
  t.strictSame(textsOf(seen, 'message'), ['blue', 'green']);
  t.strictSame(textsOf(seen, 'close'), ['1012 clean']);
  for (const { what, text, atMs } of seen.filter((one) => one.text !== 'blue')) {
    const stayedMs = atMs - calledMs;
    // The wheel of a busy worker may be behind when it is asked for the time.
    t.ok(stayedMs > sessionsMs - 500, `${what} ${text} after ${stayedMs} ms`);
  }
});

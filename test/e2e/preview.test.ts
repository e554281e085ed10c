// The idle color before a switch: a client with a token sees it, no other does, and what it does there
// says nothing about the release.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openJournalApp, receiptOf } from '../support/hold-app.ts';
import { getOf, openHoldScene, responseAt, type HoldScene } from '../support/hold-scene.ts';
import { statusOf, valuesOf } from '../support/message.ts';
import { connectRaw } from '../support/raw-peer.ts';
import { settledMetrics } from '../support/settled-metrics.ts';
import { startTurnout, temporaryDirectory } from './turnout-process.ts';

t.setTimeout(180_000);

interface Preview {
  readonly color: string;
  readonly release: string;
  readonly token: string;
  readonly expiresAt: string;
  readonly field: string;
  readonly cookie: string;
  readonly listen: string | null;
}

async function preview({ change }: HoldScene, body: object = {}): Promise<Preview> {
  return (await change('/v1/preview', body)).json as unknown as Preview;
}

/** Returns the color that answers, and what it says. */
async function ask({ send }: HoldScene, ...fields: readonly string[]): Promise<string> {
  return (await (await send(getOf('/fields', ...fields))).response()).body;
}

async function register({ running }: HoldScene, release: string, url: string): Promise<number> {
  const { status } = await fetch(`http://${running.admin}/v1/releases/green`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ release, targets: [url] }),
  });
  return status;
}

function fieldNames(body: string): string[] {
  return body
    .split('\n')
    .slice(1)
    .map((line) => line.slice(0, line.indexOf(':')).toLowerCase());
}

await t.test(
  'a token in a field opens the idle color, and the target does not see it',
  async (t) => {
    const scene = await openHoldScene(t, ['--green-release', 'v2']);
    const made = await preview(scene, { for: '1h' });
    t.match(made, { color: 'green', release: 'v2', field: 'x-turnout-preview', listen: null });
    const seen = await ask(scene, `X-Turnout-Preview: ${made.token}`, 'Cookie: a=1;b=2; c');
    t.match(seen, /^green\n/);
    t.notOk(fieldNames(seen).includes('x-turnout-preview'));
    t.match(seen, '\nx-turnout-color: green\nx-turnout-release: v2\n', 'it is told what it is');
    t.match(seen, '\nCookie: a=1;b=2; c\n', 'other cookies are left alone');
    t.match(await ask(scene), /^blue\n/, 'everybody else is where they were');
    const both = await scene.connect();
    both.send(getOf('/a', `x-turnout-preview: ${made.token}`) + getOf('/b'));
    const first = await responseAt(both, { from: 0, method: 'GET' });
    t.match(first.body, /^green/);
    t.strictSame(valuesOf(first.fields, 'set-cookie'), [], 'a preview is no session');
    const second = await responseAt(both, { from: first.end, method: 'GET' });
    t.match(second.body, /^blue/, 'also on the same connection');
  },
);

await t.test('a token in a cookie does the same, and is cut out of the field', async (t) => {
  const scene = await openHoldScene(t);
  const { token, cookie } = await preview(scene);
  t.match(cookie, /^turnout-[0-9a-z]{6}-~preview$/);
  for (const [sent, left] of [
    [`${cookie}=${token}`, undefined],
    [`a=1; ${cookie}=${token}; b="2"`, 'a=1; b="2"'],
    [`${cookie}=${token}; a=1`, 'a=1'],
    [`a=1; ${cookie}=${token}`, 'a=1'],
    [`${cookie}=wrong; ${cookie}=${token}; a=1`, 'a=1'],
  ] as const) {
    const seen = await ask(scene, `Cookie: ${sent}`);
    t.match(seen, /^green\n/);
    const cookies = seen.split('\n').filter((line) => line.startsWith('Cookie:'));
    t.strictSame(cookies, left === undefined ? [] : [`Cookie: ${left}`]);
  }
});

await t.test('over TLS only the cookie with the prefix counts', async (t) => {
  const scene = await openHoldScene(t, ['--trusted-proxies', '127.0.0.1']);
  const { token, cookie } = await preview(scene);
  const https = 'X-Forwarded-Proto: https';
  t.match(await ask(scene, https, `Cookie: ${cookie}=${token}`), /^blue\n/);
  t.match(await ask(scene, https, `Cookie: __Host-${cookie}=${token}`), /^green\n/);
  t.match(await ask(scene, `Cookie: __Host-${cookie}=${token}`), /^blue\n/);
  const seen = await ask(scene, https, `Cookie: ${cookie}=${token}; __Host-${cookie}=${token}`);
  t.notOk(fieldNames(seen).includes('cookie'), 'the target sees neither');
});

await t.test('what is no token leads nowhere and breaks nothing', async (t) => {
  const scene = await openHoldScene(t);
  const { token, field, cookie } = await preview(scene);
  const [color, expires, signature = ''] = token.split('.');
  const turned = signature.startsWith('A') ? 'B' : 'A';
  const wrong = [
    '',
    'green',
    `${color}.${expires}`,
    `${color}.${expires}.`,
    `${color}.${expires}.${turned}${signature.slice(1)}`,
    `${color}.${expires}.${signature.slice(0, -1)}`,
    `${color}.zzzzzzz.${signature}`,
    `blue.${expires}.${signature}`,
    `${color}.0${expires}.${signature}`,
    `${token}.`,
    `${token}x`,
    ` ${token.toUpperCase()}`,
    'x'.repeat(4_000),
    '\u00ff\u00fe.1.2',
  ];
  for (const text of wrong) {
    const byField = await ask(scene, `${field}: ${text}`);
    t.match(byField, /^blue\n/, JSON.stringify(text.slice(0, 80)));
    t.notOk(fieldNames(byField).includes(field), 'and it ends here all the same');
    t.match(await ask(scene, `Cookie: ${cookie}=${text}`), /^blue\n/);
  }
  t.match(await ask(scene, `${field}: ${token}`), /^green\n/, 'the right one still does');
});

await t.test('a token ends with the release that it was made for', async (t) => {
  const scene = await openHoldScene(t, ['--green-release', 'v2']);
  const { token, field } = await preview(scene);
  t.match(await ask(scene, `${field}: ${token}`), /^green\n/);
  const next = await openJournalApp(t, 'green', scene.journal);
  t.equal(await register(scene, 'v3', next.url), 200);
  t.match(await ask(scene, `${field}: ${token}`), /^blue\n/);
  const another = await preview(scene);
  t.equal(another.release, 'v3');
  t.match(await ask(scene, `${field}: ${another.token}`), /^green\n/);
  t.match(await ask(scene, `${field}: ${token}`), /^blue\n/);
});

await t.test('a token ends when its time is over', async (t) => {
  const scene = await openHoldScene(t);
  const { token, field, expiresAt } = await preview(scene, { for: '5s' });
  let previews = 0;
  while ((await ask(scene, `${field}: ${token}`)).startsWith('green')) previews++;
  t.ok(Date.now() >= Date.parse(expiresAt), 'and not earlier');
  t.ok(previews > 0, `${previews} requests were previews`);
});

await t.test('after the switch a token leads to nothing old', async (t) => {
  const scene = await openHoldScene(t);
  const { token, field, cookie } = await preview(scene);
  t.match(await ask(scene, `Cookie: ${cookie}=${token}`), /^green\n/);
  await scene.change('/v1/switch', { to: 'green' });
  t.match(await ask(scene, `Cookie: ${cookie}=${token}`), /^green\n/, 'the new version is for all');
  t.match(await ask(scene, `${field}: ${token}`), /^green\n/);
  const old = await preview(scene);
  t.equal(old.color, 'blue', 'a new token opens what is idle now');
  t.match(await ask(scene, `Cookie: ${cookie}=${token}; ${cookie}=${old.token}`), /^blue\n/);
});

await t.test('a preview is neither held nor in maintenance', async (t) => {
  const scene = await openHoldScene(t);
  const { token, field } = await preview(scene);
  await scene.change('/v1/maintenance', { on: true });
  t.match(await ask(scene, `${field}: ${token}`), /^green\n/);
  t.match(await ask(scene), 'MAINTENANCE');
  await scene.change('/v1/maintenance', { on: false });
  await scene.change('/v1/hold', { for: '60s' });
  t.match(await ask(scene, `${field}: ${token}`), /^green\n/);
});

/** Returns a connection to the second listener. */
async function askListener(t: Test, listen: string): Promise<string> {
  const peer = await connectRaw(Number(listen.split(':').at(-1)));
  t.teardown(() => peer.socket.destroy());
  peer.send(getOf('/fields'));
  return (await responseAt(peer, { from: 0, method: 'GET' })).body;
}

for (const workers of ['1', '2']) {
  await t.test(`the second listener of ${workers} worker(s) needs no token`, async (t) => {
    const scene = await openHoldScene(t, ['--preview-listen', '127.0.0.1:0', '--workers', workers]);
    const ready = JSON.parse(await scene.running.line((line) => line.includes('"ready"'))) as {
      readonly preview: string;
    };
    const { listen } = await preview(scene);
    t.equal(listen, ready.preview, 'operators are told where it is');
    const kept = await connectRaw(Number(ready.preview.split(':')[1]));
    t.teardown(() => kept.socket.destroy());
    kept.send(getOf('/a'));
    const first = await responseAt(kept, { from: 0, method: 'GET' });
    t.equal(first.body, receiptOf('green', 'GET', '/a'));
    t.strictSame(valuesOf(first.fields, 'set-cookie'), []);
    for (let time = 0; time < 6; time++) t.match(await askListener(t, listen!), /^green\n/);
    t.match(await ask(scene), /^blue\n/, 'the first listener is as ever');
    await scene.change('/v1/switch', { to: 'green' });
    t.match(await askListener(t, listen!), /^blue\n/, 'it shows what is idle');
    t.match(await ask(scene), /^green\n/);
    kept.send(getOf('/b'));
    const second = await responseAt(kept, { from: first.end, method: 'GET' });
    t.equal(second.body, receiptOf('blue', 'GET', '/b'), 'also on a connection of before');
  });
}

await t.test('previews are counted, and judged by nobody', async (t) => {
  const scene = await openHoldScene(t, ['--green-release', 'v2']);
  const { admin, green } = scene;
  const { token, field } = await preview(scene);
  for (let time = 0; time < 7; time++) await ask(scene, `${field}: ${token}`);
  for (let time = 0; time < 3; time++) await ask(scene);
  await green.close();
  const failed = await (await scene.send(getOf('/x', `${field}: ${token}`))).response();
  t.equal(statusOf(failed.start), 502, 'a preview that fails says so');
  const text = await settledMetrics(admin);
  const seriesWith = (name: string, ...labels: readonly string[]): string[] =>
    text
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) && labels.every((one) => line.includes(one)));
  const requests = 'turnout_requests_total';
  t.match(seriesWith(requests, 'color="green"', 'code="200"'), [/reason="preview".*\} 7$/]);
  t.match(seriesWith(requests, 'color="green"', 'code="502"'), [/reason="preview".*\} 1$/]);
  t.match(seriesWith(requests, 'color="blue"'), [/reason="active".*\} 3$/]);
  const duration = 'turnout_request_duration_seconds_count';
  t.match(seriesWith(duration, 'color="green"'), [/\} 0$/], 'their times are not taken');
  t.match(seriesWith(duration, 'color="blue"'), [/\} 3$/], 'those of the others are');
});

await t.test('a token opens one service alone', async (t) => {
  const { journal, blue, green } = await openHoldScene(t);
  const other = await openJournalApp(t, 'green', journal);
  const service = (name: string, paths: string, greenUrl: string): string =>
    `  - { name: ${name}, paths: [${paths}], health: { kind: none },\n` +
    `      blue: { targets: ['${blue.url}'] }, green: { targets: ['${greenUrl}'] } }\n`;
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  const services = service('shop', '/fields', green.url) + service('blog', '/', other.url);
  writeFileSync(file, `services:\n${services}`);
  const running = await startTurnout(t, ['--config', file]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const tokenOf = async (service: string): Promise<string> =>
    String((await admin.post('/v1/preview', { service })).json['token']);
  const [shop, blog] = [await tokenOf('shop'), await tokenOf('blog')];
  const colorAt = async (path: string, token: string): Promise<string> => {
    const peer = await connectRaw(Number(running.proxy.split(':')[1]));
    t.teardown(() => peer.socket.destroy());
    peer.send(getOf(path, `x-turnout-preview: ${token}`));
    return (await responseAt(peer, { from: 0, method: 'GET' })).body.split(/\s/)[0]!;
  };
  t.equal(await colorAt('/fields', shop), 'green');
  t.equal(await colorAt('/news', blog), 'green');
  t.equal(await colorAt('/fields', blog), 'blue');
  t.equal(await colorAt('/news', shop), 'blue');
});

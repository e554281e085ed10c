// `turnout status`: what it shows of an answer, at any width, and how it watches.

/* oxlint-disable no-control-regex -- a terminal is steered by them */

import t, { type Test } from 'tap';
import { widthOf } from '../../../../src/cli/terminal/width.ts';
import { statusText } from '../support/read.ts';
import { ago, drainOf, fakeApi, ok, problem, statusAnswer } from '../support/fake-api.ts';
import { fakeTerminal, turnout, type FakeTerminal } from '../support/terminal.ts';

const AN_HOUR_AGO = ago(3_600_000);

const SWITCH = {
  generation: 5,
  service: 'shop',
  from: 'green',
  to: 'blue',
  release: 'v1',
  at: AN_HOUR_AGO,
  outcome: 'rolled-back',
  forced: true,
  actor: '127.0.0.1',
  reason: 'errors at checkout',
};

const BUSY = statusAnswer({
  green: {
    health: 'partly',
    targets: [
      { url: 'http://10.0.0.1:1', health: 'up', reason: '', changedAt: AN_HOUR_AGO },
      { url: 'http://10.0.0.2:1', health: 'down', reason: 'refused', changedAt: AN_HOUR_AGO },
    ],
  },
  draining: [drainOf({ reasons: ['3 requests run', 'about 7 sessions may come back'] })],
  held: { methods: 'all', until: ago(-30_000), requests: 4 },
  maintenance: { message: '', retryAfterSeconds: 60 },
  switches: [SWITCH, { ...SWITCH, forced: false, outcome: 'switched' }],
});

await t.test('a status has all there is at a glance', (t) => {
  const text = statusText(fakeTerminal(), BUSY);
  const expected = [
    /^turnout 1\.2\.3 · ready · generation 5 · 2 of 2 workers · traffic on 127\.0\.0\.1:8080$/m,
    /^shop: blue is active since \S+Z \(60 min ago, generation 2\)$/m,
    /^in maintenance: every request gets 503$/m,
    /^held until \S+Z \(in 30 s\): 4 requests wait$/m,
    /^\* {2}blue {3}v1 {7}1 of 1 up {2}50\.0% {2}57 {5}2\.0% {4}120 ms {2}1\.5 ms {2}3 +2 +11 +▁▁/m,
    /^ {3}green {2}v2 {7}1 of 2 up/m,
    /green {2}http:\/\/10\.0\.0\.2:1 +down {4}60 min ago {2}refused$/m,
    /deployment 11 \(v1 on blue\): 3 requests run, about 7 sessions .*; cut in 90 s$/m,
    /60 min ago {2}green → blue {2}v1 {2}rolled-back, forced {2}by 127\.0\.0\.1 {2}errors at checkout/,
    /60 min ago {2}green → blue {2}v1 {2}switched /,
  ];
  for (const one of expected) t.match(text, one);
  t.notMatch(text, /\u001b/, 'no styles where there are no colors');
  t.end();
});

await t.test('a status says where TLS is spoken', (t) => {
  const listeners = [
    { address: '127.0.0.1:8080', for: 'traffic', tls: true },
    { address: '127.0.0.1:8081', for: 'redirect', tls: false },
    { address: '127.0.0.1:8082', for: 'traffic', tls: false },
  ] as const;
  const text = statusText(fakeTerminal(), { ...statusAnswer({}), listeners });
  t.match(
    text,
    'traffic on 127.0.0.1:8080 (TLS) · redirects on 127.0.0.1:8081 · traffic on 127.0.0.1:8082\n',
  );
  t.end();
});

await t.test('the bars of both colors have one scale', (t) => {
  const answer = statusAnswer({
    blue: { lastMinute: { requestsPerSecond: [70, 70] } },
    green: { lastMinute: { requestsPerSecond: [10, 10] } },
  });
  const text = statusText(fakeTerminal(), answer);
  t.match(text, /blue .*██$/m);
  t.match(text, /green .*▂▂$/m);
  t.end();
});

/** Returns the status as it is shown in a window of so many columns. */
function at(columns: number): string {
  return statusText(fakeTerminal({ window: { columns, rows: 50 } }), BUSY);
}

await t.test('no line is wider than the window, and the most wanted stays', (t) => {
  for (let columns = 20; columns <= 200; columns++) {
    const terminal = fakeTerminal({ window: { columns, rows: 50 }, hasColors: true });
    const lines = statusText(terminal, BUSY).split('\n');
    t.equal(lines.filter((line) => widthOf(line) > columns).length, 0, `${columns} columns`);
  }
  t.match(at(170), /TUNNELS {2}DEPLOYMENT {2}LAST MINUTE/);
  t.match(at(170), /▁{3}.*█$/m);
  t.match(at(90), /IN FLIGHT {2}LAST MINUTE|P50 {2}LAST MINUTE/, 'bars before counts');
  t.match(at(80), /COLOR {2}RELEASE {2}HEALTH +SHARE {2}REQ\/S {2}ERRORS {2}P99/);
  t.match(at(60), /\* {2}blue {3}v1 .*50\.0%/);
  t.end();
});

await t.test('a narrow window shows the same in more lines', (t) => {
  const wanted = [
    /^\* blue {2}v1 {2}1 of 1 up\n {4}share 50\.0% {2}57 req\/s {2}errors 2\.0%\n {4}p99 120 ms /m,
    /^ {2}green {2}v2 {2}1 of 2 up\n {4}share 50\.0% {2}57 req\/s {2}errors 2\.0%\n {4}p99 120 ms /m,
    /^ {2}blue {2}up {2}http:\/\/127\.0\.0\.1:3001\n {4}60 s ago$/m,
    /^ {2}green {2}down {2}http:\/\/10\.0\.0\.2:1\n {4}60 min ago {2}refused$/m,
  ];
  for (const one of wanted) t.match(at(40), one);
  // Wherever lines end, no fact is lost and none is cut.
  const facts = [
    'turnout1.2.3readygeneration5',
    '2of2workers',
    'generation2)inmaintenance:everyrequestgets503helduntil',
    '4requestswait',
    'v11of1up',
    'share50.0%57req/serrors2.0%p99120ms',
    'greendownhttp://10.0.0.2:160minagorefused',
    '(v1onblue):3requestsrun,about7sessionsmaycomeback;cutin90s',
    '60minagogreen→bluev1rolled-back,forcedby127.0.0.1errorsatcheckout',
  ];
  for (let columns = 20; columns <= 57; columns++) {
    const text = at(columns).replaceAll(/[\s·]/g, '');
    const lost = facts.filter((fact) => !text.includes(fact));
    t.same(lost, [], `${columns} columns`);
  }
  t.end();
});

await t.test('a release or reason that is long does not push others out of the window', (t) => {
  const release = '0123456789abcdef0123456789abcdef01234567';
  const reason = 'connect ECONNREFUSED, and the last three answers before that were a 503 each';
  const target = { url: 'http://h:1', health: 'down', reason, changedAt: AN_HOUR_AGO };
  const answer = statusAnswer({ blue: { release }, green: { targets: [target] } });
  for (const columns of [40, 80]) {
    const text = statusText(fakeTerminal({ window: { columns, rows: 50 } }), answer);
    t.equal(text.split('\n').filter((line) => widthOf(line) > columns).length, 0);
    const joined = text.replaceAll(/\s/g, '');
    t.match(joined, `blue${release}1of1up`);
    t.match(text, /errors 2\.0%\s+p99 120 ms/);
    t.match(joined, reason.replaceAll(' ', ''));
  }
  t.end();
});

await t.test('a target that is ejected is told, with the reason', (t) => {
  const at = { changedAt: AN_HOUR_AGO, reason: '' };
  const ejected = { reason: '7 requests in a row failed there', until: AN_HOUR_AGO };
  const targets = [
    { url: 'http://h:1', health: 'up', ...at, ejected },
    { url: 'http://h:2', health: 'up', ...at, ejected: null },
    { url: 'http://h:3', health: 'down', ...at, reason: 'refused', ejected },
  ];
  const text = statusText(fakeTerminal(), statusAnswer({ green: { health: 'up', targets } }));
  t.match(text, /2 of 3 up, 1 ejected/);
  t.match(text, /http:\/\/h:1 +ejected +60 min ago +7 requests in a row failed there/);
  t.match(text, /http:\/\/h:2 +up +60 min ago +-/);
  t.match(text, /http:\/\/h:3 +down +60 min ago +refused/, 'its checks know more');
  t.end();
});

await t.test('styles say what is well and what is not', (t) => {
  const text = statusText(fakeTerminal({ hasColors: true }), BUSY);
  t.match(text, /\u001b\[32m1 of 1 up\u001b\[39m/);
  t.match(text, /\u001b\[33m1 of 2 up\u001b\[39m/);
  t.match(text, /\u001b\[31mdown\u001b\[39m/);
  t.match(text, /\u001b\[31m2\.0%\u001b\[39m/);
  const few = statusAnswer({ blue: { lastMinute: { errorRate: 0.001 } } });
  t.match(statusText(fakeTerminal({ hasColors: true }), few), /\u001b\[33m0\.10%\u001b\[39m/);
  t.match(statusText(fakeTerminal({ hasColors: true }), { ready: false }), /\u001b\[31mnot ready/);
  t.end();
});

await t.test('what another server says cannot steer the terminal', (t) => {
  const evil = 'a\u001b[2J\u0007\u009b31mb';
  const target = { url: evil, health: evil, reason: evil, changedAt: evil };
  const answer = statusAnswer({
    blue: { release: evil, health: evil, targets: [target] },
    draining: [{ reasons: [evil], release: evil }],
    switches: [{ ...SWITCH, reason: evil, actor: evil, at: evil }],
    held: { until: evil },
    since: evil as unknown as number,
  });
  const text = statusText(fakeTerminal(), { ...answer, version: evil, state: { warning: evil } });
  t.notMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  t.end();
});

await t.test('answers without what is new, or with nonsense, are printed all the same', (t) => {
  for (const answer of [
    {},
    null,
    { services: [null, 1, {}] },
    { services: [{ previous: SWITCH }] },
    { services: [{ blue: { lastMinute: { requestsPerSecond: ['x', null], share: 'x' } } }] },
  ]) {
    t.match(statusText(fakeTerminal(), answer), /^turnout - · not ready/);
  }
  t.match(statusText(fakeTerminal(), { services: [{ previous: SWITCH }] }), /60 min ago/);
  t.end();
});

await t.test('a reload that was not done is shown, with who, why and the way on', (t) => {
  const problem = '1 fault, nothing has changed: /etc/t.yaml:3:9: active: expected blue or green';
  const reload = { at: AN_HOUR_AGO, actor: 'file', problem };
  const text = statusText(fakeTerminal({ hasColors: true }), { ...statusAnswer(), reload });
  t.match(
    text,
    /^\u001b\[33mthe reload of 60 min ago \(\S+Z, by file\) was not done: 1 fault, nothing has changed: \/etc\/t\.yaml:3:9: .* green\u001b\[39m$/m,
  );
  t.match(
    text,
    /^\u001b\[33m {2}mend it and say `turnout reload`; until then all is as before it\b/m,
  );
  for (const none of [null, { ...reload, problem: null }]) {
    const quiet = statusText(fakeTerminal(), { ...statusAnswer(), reload: none });
    t.notMatch(quiet, /reload/);
  }
  t.end();
});

await t.test('a warning of the state is shown', (t) => {
  const answer = { ...statusAnswer(), state: { warning: 'the last good copy is used' } };
  t.match(statusText(fakeTerminal(), answer), /^state: the last good copy is used$/m);
  t.end();
});

/** Runs `status --watch` on a terminal against answers that a test gives one by one. */
async function watching(t: Test, terminal: FakeTerminal, ...args: string[]) {
  const script: (() => ReturnType<Parameters<typeof fakeApi>[1]>)[] = [];
  const waiters: { readonly count: number; readonly wake: () => void }[] = [];
  const api = await fakeApi(t, () => {
    for (const { count, wake } of waiters) if (api.asked.length >= count) wake();
    return (script.shift() ?? (() => ok(BUSY)))();
  });
  const ended = turnout(
    ['status', '--watch', '--interval', '100ms', '--admin', api.admin, ...args],
    terminal,
  );
  /** Resolves with the question of this number, counted from 1. */
  const questions = async (count: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiters.push({ count, wake: resolve });
    if (api.asked.length >= count) resolve();
    await promise;
  };
  return { api, script, ended, questions };
}

const WINDOW = { columns: 100, rows: 40 };

await t.test('--watch draws in place until Ctrl-C, which is a success', async (t) => {
  const terminal = fakeTerminal({ window: WINDOW });
  const { ended, questions } = await watching(t, terminal);
  await questions(4);
  terminal.signals.emit('SIGINT');
  t.match(await ended, { code: 0, out: '', err: '' });
  const { draws } = terminal;
  t.ok(draws.length >= 4);
  t.match(draws[0], '\u001b[?1049h');
  t.match(draws[1], /^\u001b\[Hturnout 1\.2\.3.*Ctrl-C ends\u001b\[K\u001b\[J$/s);
  t.match(draws.at(-1), '\u001b[?1049l');
  t.equal(draws.filter((text) => text.includes('\u001b[?1049')).length, 2);
  t.same(terminal.signals.eventNames(), [], 'nothing listens any more');
});

await t.test('--watch goes on while the server is away, and says so', async (t) => {
  const terminal = fakeTerminal({ window: WINDOW });
  const { script, ended, questions } = await watching(t, terminal);
  script.push(
    () => ok(BUSY),
    () => problem(503, 'stopping'),
    () => ok(statusAnswer({ generation: 77 })),
  );
  await questions(4);
  terminal.signals.emit('SIGTERM');
  await ended;
  const away = terminal.draws.find((text) => text.includes('asking again'));
  t.match(
    away,
    /title of stopping: detail of stopping.*asking again; last seen:.*turnout 1\.2\.3/s,
  );
  const back = terminal.draws.find((text) => text.includes('generation 77'));
  t.ok(back, 'what it says then is drawn');
  t.notMatch(back, /asking again/);
});

await t.test('--watch draws anew at once when the window changes', async (t) => {
  const terminal = fakeTerminal({ window: WINDOW });
  const { ended, questions } = await watching(t, terminal, '--interval', '1h');
  await questions(1);
  while (terminal.draws.length < 2) await new Promise(setImmediate);
  terminal.resize({ columns: 30, rows: 4 });
  const lines = terminal.draws.at(-1)!.split('\r\n');
  t.equal(lines.length, 4);
  t.match(lines.at(-2), /… \d+ more lines/);
  t.match(lines.at(-1), /^\d\d:\d\d:\d\dZ, every /, 'and when that was stays');
  terminal.signals.emit('SIGINT');
  await ended;
});

await t.test('Ctrl-Z gives the screen back, and going on takes it again', async (t) => {
  const terminal = fakeTerminal({ window: WINDOW });
  const { ended, questions } = await watching(t, terminal, '--interval', '1h');
  await questions(1);
  while (terminal.draws.length < 2) await new Promise(setImmediate);
  terminal.signals.emit('SIGTSTP');
  t.match(terminal.draws.at(-1), '\u001b[?1049l');
  t.equal(terminal.suspended, 1);
  terminal.signals.emit('SIGCONT');
  t.match(terminal.draws.at(-2), '\u001b[?1049h');
  t.match(terminal.draws.at(-1), /turnout 1\.2\.3/);
  terminal.signals.emit('SIGINT');
  await ended;
});

await t.test(
  '--watch into a pipe prints one status after the other until nobody reads',
  async (t) => {
    const terminal = fakeTerminal();
    const { ended, script, questions } = await watching(t, terminal);
    script.push(
      () => ok(BUSY),
      () => problem(503, 'stopping'),
    );
    await questions(3);
    terminal.close();
    const { code, out } = await ended;
    t.equal(code, 0);
    t.ok(out.match(/^turnout 1\.2\.3/gm)!.length >= 2);
    t.match(out, /^title of stopping: detail of stopping$/m);
    t.same(terminal.draws, []);
  },
);

await t.test('--watch is not for scripts', async (t) => {
  t.match(await turnout(['status', '--watch'], { environment: { TURNOUT_JSON: '1' } }), {
    code: 64,
    out: /--watch is for people/,
  });
});

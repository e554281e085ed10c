// The command line on a real terminal: questions, colors, widths, Ctrl-C; against a real Turnout.

/* oxlint-disable no-control-regex -- a terminal is steered by them */

import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import t, { type Test } from 'tap';
import { serve } from '../support/serving.ts';
import { CTRL_C, CTRL_D, CTRL_Z, openTerminal } from './terminal-process.ts';
import { startTurnout, turnout, type Running } from './turnout-process.ts';

interface App {
  readonly url: string;
  /** Lets `/hang` be answered. */
  finish(): void;
}

/** An app that answers its name; `/hang` is answered when the test says so. */
async function app(t: Test, name: string): Promise<App> {
  const finished = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    const answered = request.url === '/hang' ? finished.promise : Promise.resolve();
    void answered.then(() => response.end(name));
  });
  const { port } = await serve(t, server);
  return { url: `http://127.0.0.1:${port}`, finish: finished.resolve };
}

interface Stage extends Running {
  readonly blue: App;
  /** Variables under which commands find it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly answer: (path?: string) => Promise<string>;
}

async function stage(t: Test, ...more: string[]): Promise<Stage> {
  const [blue, green] = [await app(t, 'blue'), await app(t, 'green')];
  const health = ['--health-interval', '100ms', '--health-rise', '1'];
  const targets = ['--blue', blue.url, '--green', green.url, '--green-release', 'v2'];
  const running = await startTurnout(t, [...targets, ...health, ...more]);
  const environment = { TURNOUT_ADMIN: running.admin };
  const isUp = async (): Promise<boolean> => {
    const status = await (await fetch(`http://${running.admin}/v1/status`)).text();
    // Two sides with one target each; both must have passed a check.
    return status.match(/"health": "up"/g)?.length === 4;
  };
  while (!(await isUp())) continue;
  const answer = async (path = '/'): Promise<string> =>
    (await fetch(`http://${running.proxy}${path}`)).text();
  return { ...running, blue, environment, answer };
}

await t.test('a switch shows its plan, asks, and does what is answered', async (t) => {
  const { environment, answer } = await stage(t);
  const no = openTerminal(t, 'turnout switch; exit $?', { environment });
  await no.until(/\[y\/N\] $/);
  no.type('n\r');
  t.equal(await no.ended, 1);
  t.match(no.text(), /to {4}green {2}v2 +1 of 1 up.*New requests go to v2 on green at once/s);
  t.match(no.text(), /turnout: nothing has changed\n$/);
  t.equal(await answer(), 'blue');

  const yes = openTerminal(t, 'turnout switch green --reason "by hand"; exit $?', { environment });
  await yes.until(/\[y\/N\] $/);
  yes.type('y\r');
  t.equal(await yes.ended, 0);
  t.match(
    yes.text(),
    /default: blue → green \(release v2, deployment 2, generation \d+, [\d.]+ ms\)\n$/,
  );
  t.equal(await answer(), 'green');

  const sure = openTerminal(t, 'turnout switch blue --yes; exit $?', { environment });
  t.equal(await sure.ended, 0);
  t.notMatch(sure.text(), /\[y\/N\]/);
  t.equal(await answer(), 'blue');
});

await t.test('Ctrl-C and Ctrl-D at the question change nothing', async (t) => {
  const { environment, answer } = await stage(t);
  const before = openTerminal(t, 'turnout switch; exit $?', { environment });
  await before.until(/\[y\/N\] $/);
  before.type(CTRL_D);
  t.equal(await before.ended, 1);
  const cut = openTerminal(t, 'trap : INT; turnout switch; exit $?', { environment });
  await cut.until(/\[y\/N\] $/);
  cut.type(CTRL_C);
  t.equal(await cut.ended, 130);
  t.equal(await answer(), 'blue');
});

await t.test('the question comes although standard output goes elsewhere', async (t) => {
  const { environment, answer } = await stage(t);
  const terminal = openTerminal(t, 'turnout switch | cat', { environment });
  await terminal.until(/\[y\/N\] $/);
  terminal.type('y\r');
  await terminal.ended;
  t.match(terminal.text(), /default: blue → green/);
  t.equal(await answer(), 'green');
});

await t.test('colors are for terminals that have some, and for nobody who minds', async (t) => {
  const { environment } = await stage(t);
  const styles = /\u001b\[\d+m/;
  const shown = openTerminal(t, 'turnout status', { environment });
  t.equal(await shown.ended, 0);
  t.match(shown.output(), styles);
  for (const [name, value] of [
    ['NO_COLOR', '1'],
    ['TERM', 'dumb'],
  ] as const) {
    const plain = openTerminal(t, 'turnout status', {
      environment: { ...environment, [name]: value },
    });
    t.equal(await plain.ended, 0);
    t.notMatch(plain.output(), styles, name);
    t.match(plain.text(), /\* {2}blue .* 1 of 1 up/, 'and says as much without');
  }
  const piped = openTerminal(t, 'turnout status | cat', { environment });
  await piped.ended;
  t.notMatch(piped.output(), styles, 'into a pipe');
  const errors = openTerminal(t, 'turnout status --admin unix:/none 2>&1 >/dev/null | cat');
  await errors.ended;
  t.notMatch(errors.output(), styles);
});

await t.test('a terminal without UTF-8 gets ASCII', async (t) => {
  const { environment } = await stage(t);
  const line = 'turnout switch --yes; turnout status; turnout status --json; exit $?';
  for (const [locale, isAscii] of [
    ['C', true],
    ['C.UTF-8', false],
  ] as const) {
    const reason = ['--reason', 'für', '--admin', environment['TURNOUT_ADMIN']!];
    t.equal((await turnout(['switch', 'green', ...reason])).code, 0);
    const shown = openTerminal(t, line, { environment: { ...environment, LC_ALL: locale } });
    t.equal(await shown.ended, 0);
    t.match(shown.text(), isAscii ? / \| ready \| / : / · ready · /);
    t.match(shown.text(), isAscii ? /(?:blue|green) -> (?:blue|green)/ : /(?:blue|green) → /);
    t.equal(/[^\t\n\r -~ü]/.test(shown.text()), !isAscii);
    t.match(shown.text(), /"reason":"für"/, 'what somebody has written stays');
  }
});

await t.test('a status fits the window', async (t) => {
  const { environment, answer } = await stage(t);
  for (let request = 0; request < 50; request++) await answer();
  for (const columns of [40, 80, 160]) {
    const terminal = openTerminal(t, 'turnout status', { environment, columns });
    t.equal(await terminal.ended, 0);
    const lines = terminal.text().split('\n').slice(1);
    t.same(
      lines.filter((line) => line.length > columns),
      [],
      `${columns} columns`,
    );
    t.match(
      terminal.text(),
      columns === 40 ? /^\* blue .* 1 of 1 up$/m : /^\* {2}blue .* 1 of 1 up /m,
    );
    t.match(
      terminal.text(),
      columns === 40 ? /^ {4}share \S+ .*\berrors \S+(?: |$)/m : / SHARE .* ERRORS /,
    );
  }
});

/** What stands on the screen after everything in `output` was drawn. */
function screenOf(output: string): string[] {
  const last = output.slice(output.lastIndexOf('\u001b[H') + 3);
  const drawn = last.slice(0, Math.max(0, last.indexOf('\u001b[J')));
  // The kernel puts a return before each new line, whether there is one or not.
  return stripVTControlCharacters(drawn).split(/\r+\n/);
}

await t.test(
  '--watch draws in place, follows the window, and gives the terminal back',
  async (t) => {
    const { environment } = await stage(t);
    const line =
      'trap : INT; stty -g; turnout status --watch --interval 100ms; code=$?; stty -g; exit $code';
    const terminal = openTerminal(t, line, { environment, columns: 120, rows: 30 });
    const frame = /\u001b\[H[^]*\u001b\[J/;
    const first = await terminal.until(frame);
    t.match(screenOf(terminal.output())[0], /^turnout \S+ · ready/);
    await turnout(['switch', 'green'], environment);
    const switched = await terminal.until(/default.*: .*green.* is active[^]*\u001b\[J/, first);
    terminal.resize(40, 8);
    await terminal.until(
      /… \d+ more lines\u001b\[K\r+\n[^\n]*Ctrl-C ends[^\n]*\u001b\[J/,
      switched,
    );
    const screen = screenOf(terminal.output());
    t.equal(screen.length, 8);
    t.same(
      screen.filter((text) => text.length > 40),
      [],
    );
    terminal.type(CTRL_C);
    t.equal(await terminal.ended, 0);
    const output = terminal.output();
    t.equal(output.split('\u001b[?1049h').length, 2, 'one screen of its own');
    const [begin, end] = ['\u001b[?1049h', '\u001b[?1049l'].map((code) => output.indexOf(code));
    const drawn = output.slice(begin, end);
    t.notMatch(drawn.replaceAll(/\r+\n/g, ''), /\n/, 'nothing scrolls');
    t.match(
      output,
      /\u001b\[\?7h\u001b\[\?25h\u001b\[\?1049l/,
      'wrapping, cursor and screen are back',
    );
    const modes = [...terminal.text().matchAll(/[\da-f]+(?::[\da-f]+){10,}/g)].map(
      ([mode]) => mode,
    );
    t.equal(modes.length, 2);
    t.equal(modes[0], modes[1], 'the modes of the terminal, too');
  },
);

await t.test('Ctrl-Z stops --watch on the old screen, and it goes on from there', async (t) => {
  const { environment } = await stage(t);
  // The shell lets Ctrl-Z pass, or it would stop as well, and nothing were there to go on.
  const line = "trap '' TSTP; trap : INT; turnout status --watch --interval 100ms; exit $?";
  const terminal = openTerminal(t, line, { environment });
  const seen = await terminal.until(/\u001b\[J/);
  terminal.type(CTRL_Z);
  const stopped = await terminal.until(/\u001b\[\?1049l/, seen);
  const watching = () => terminal.processes(/^\S*node .* status --watch/)[0]!;
  while (!watching().state.startsWith('T')) await new Promise(setImmediate);
  t.equal(terminal.output().length, stopped, 'it draws no more');
  process.kill(watching().pid, 'SIGCONT');
  const back = await terminal.until(/\u001b\[\?1049h[^]*turnout \S+ · [^]*\u001b\[J/, stopped);
  await terminal.until(/\u001b\[J/, back);
  terminal.type(CTRL_C);
  t.equal(await terminal.ended, 0);
});

await t.test('--watch survives a server that goes away', async (t) => {
  const running = await stage(t);
  const line = 'trap : INT; turnout status --watch --interval 100ms; exit $?';
  const terminal = openTerminal(t, line, { environment: running.environment });
  const seen = await terminal.until(/\u001b\[J/);
  running.process.kill('SIGKILL');
  await terminal.until(
    /no server at [^]*asking again; last seen:[^]*turnout \S+ · [^]*\u001b\[J/,
    seen,
  );
  terminal.type(CTRL_C);
  t.equal(await terminal.ended, 0);
  t.match(terminal.output(), /\u001b\[\?1049l/);
});

await t.test('--wait shows live what is left, and ends with the drain', async (t) => {
  const { environment, answer, blue } = await stage(t, '--affinity-mode', 'off');
  const hanging = answer('/hang');
  await answer(); // Sent after it, so that one is known by now.
  const terminal = openTerminal(t, 'turnout switch --yes --wait; exit $?', { environment });
  await terminal.until(/\r\u001b\[2Kdefault deployment 1 drains: 1 request,/);
  t.equal(await answer(), 'green');
  blue.finish();
  t.equal(await hanging, 'blue');
  t.equal(await terminal.ended, 0);
  t.match(terminal.text(), /has drained: its targets may be stopped\n$/);
  // The line that changed is gone before the last words come.
  t.match(terminal.output(), /\r\u001b\[2K(?:\u001b\[\d+m|[^\u001b])*default: deployment/);
});

await t.test('Ctrl-C ends --wait, and the switch stays', async (t) => {
  const { environment, answer, blue } = await stage(t, '--affinity-mode', 'off');
  const hanging = answer('/hang');
  await answer();
  const line = 'trap : INT; turnout switch --yes --wait; exit $?';
  const terminal = openTerminal(t, line, { environment });
  await terminal.until(/drains: 1 request,/);
  terminal.type(CTRL_C);
  t.equal(await terminal.ended, 130);
  t.match(
    terminal.text(),
    /the switch is made, its drain goes on: `turnout drain --wait --deployment 1`/,
  );
  t.equal(await answer(), 'green');
  blue.finish();
  await hanging;
});

await t.test('a deploy on a terminal: live health, the question, traffic', async (t) => {
  const { environment, answer } = await stage(t);
  const next = await app(t, 'next');
  const line = `turnout deploy v3 --targets ${next.url} --reason day; exit $?`;
  const terminal = openTerminal(t, line, { environment });
  await terminal.until(/\[y\/N\] $/);
  t.match(terminal.text(), /to {4}green {2}v3 +1 of 1 up/);
  t.equal(await answer(), 'blue');
  terminal.type('y\r');
  t.equal(await terminal.ended, 0);
  t.equal(await answer(), 'next');
});

await t.test('a deploy that does not get healthy shows why, and changes no traffic', async (t) => {
  const { environment, answer } = await stage(t);
  const line = 'turnout deploy v3 --targets unix:/none --timeout 1s; exit $?';
  const terminal = openTerminal(t, line, { environment });
  await terminal.until(/\r\u001b\[2Kdefault: v3 on .*0 of 1 up/);
  t.equal(await terminal.ended, 1);
  t.match(terminal.text(), /did not get healthy on green within 1s.*\n {2}unix:\/none: /);
  t.equal(await answer(), 'blue');
});

await t.test('an apply on a terminal: the plan, the question, live health, Ctrl-C', async (t) => {
  const { environment, answer } = await stage(t);
  const file = join(t.testdir({}), 'shop.yaml');
  writeFileSync(file, 'active: green\ngreen: { release: v3, targets: [unix:/none] }\n');
  const line = `trap : INT; turnout apply -f ${file}; exit $?`;
  const terminal = openTerminal(t, line, { environment });
  await terminal.until(/make 2 changes\? \[y\/N\] $/);
  t.match(
    terminal.text(),
    /default: green: v2 at \S+ → v3 at unix:\/none\ndefault: active: blue → /,
  );
  terminal.type('y\r');
  await terminal.until(/\r\u001b\[2Kdefault: v3 on .*0 of 1 up, \d+ s left: unix:\/none /);
  terminal.type(CTRL_C);
  t.equal(await terminal.ended, 130);
  t.match(
    terminal.text(),
    /interrupted: traffic stays where it was; v3 stays on green\n1 of 2 changes made; not made:\n {2}default: active: blue → green\napply the file again to go on from there\n$/,
  );
  t.equal(await answer(), 'blue');
});

await t.test('help is as wide as the window and stands out', async (t) => {
  const terminal = openTerminal(t, 'turnout help switch', { columns: 70 });
  t.equal(await terminal.ended, 0);
  t.match(terminal.output(), /\u001b\[1mNAME\u001b\[22m/);
  const wide = terminal
    .text()
    .split('\n')
    .filter((text) => text.length > 70 && !text.startsWith('  turnout '));
  t.same(wide, []);
});

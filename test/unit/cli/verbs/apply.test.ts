// `turnout apply`: what is asked of the server, in which order, and every way in which it stops.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FILE_BYTES_MAX } from '../../../../src/config/read-text.ts';
import {
  fakeApi,
  ok,
  problem,
  statusAnswer,
  switchedAnswer,
  type Request,
} from '../support/fake-api.ts';
import { fakeTerminal, turnout, type Outcome } from '../support/terminal.ts';

const GREEN = { release: 'v9', targets: [{ url: 'http://h:1', health: 'up', reason: '' }] };
const SICK = { ...GREEN, health: 'down', targets: [{ ...GREEN.targets[0], health: 'down' }] };
const TEXT = 'active: green\ngreen: { release: v9, targets: [http://h:1] }\n';

function fileWith(t: Test, text: string): string {
  const path = join(t.testdir(), 'shop.yaml');
  writeFileSync(path, text);
  return path;
}

/** A server that does what it is told, unless `instead` has another answer. */
async function serving(
  t: Test,
  instead: (request: Request) => ReturnType<typeof ok> | undefined,
  refused: ReturnType<typeof ok> = ok({ generation: 5, refusals: [] }),
) {
  const state = { generation: 5, active: 'blue', green: {} as object, registered: GREEN as object };
  const answering = (request: Request) => {
    const other = instead(request);
    if (other !== undefined) return other;
    if (request.method === 'GET') return ok(statusAnswer(state));
    state.generation++;
    if (request.method === 'PUT') state.green = state.registered;
    else state.active = 'green';
    return ok(switchedAnswer({ generation: state.generation }));
  };
  const api = await fakeApi(t, answering, { dryRun: () => refused });
  return { api, state };
}

function changesOf(asked: readonly Request[]): readonly Request[] {
  return asked.filter(({ method }) => method !== 'GET');
}

await t.test('what is missing is made in order, each step bound to what was seen', async (t) => {
  const { api } = await serving(t, () => undefined);
  const args = [
    'apply',
    '-f',
    fileWith(t, TEXT),
    '--reason',
    'day',
    '--evict',
    '--admin',
    api.admin,
  ];
  const first = await turnout(args);
  t.equal(first.code, 0, first.err);
  t.equal(
    first.err,
    'shop: green: v2 at http://127.0.0.1:3002 → v9 at http://h:1\nshop: active: blue → green\n' +
      'v9 has 30s to get healthy on green: this command waits until 2026-03-04T05:06:37Z at the latest',
  );
  t.equal(first.out, 'shop: green is now v9 at http://h:1\nshop: green is active now');
  const [put, post] = changesOf(api.asked);
  t.match(put, {
    path: '/v1/releases/green',
    body: { release: 'v9', targets: ['http://h:1'], evict: true, reason: 'day' },
    headers: { 'if-match': '"5"' },
  });
  t.match(post, { path: '/v1/switch', body: { to: 'green', reason: 'day' } });
  t.equal(post!.headers['if-match'], '"6"');
  t.not(put!.headers['idempotency-key'], post!.headers['idempotency-key']);
  t.ok([put!, post!].every(({ query }) => query.get('service') === 'shop'));

  const again = await turnout(args);
  t.match(again, { code: 0, out: 'nothing to do: all is as declared' });
  t.equal(changesOf(api.asked).length, 2, 'and nothing was asked for');
});

await t.test('the schema of a release is told with it', async (t) => {
  const { api } = await serving(t, () => undefined);
  const schema = 'schema: { provides: 12, requires: 10..12 }';
  const text = `green: { release: v9, targets: [http://h:1], ${schema} }\n`;
  await turnout(['apply', '-f', fileWith(t, text), '--admin', api.admin]);
  const [put] = changesOf(api.asked);
  t.match(put, { body: { release: 'v9', schema: { provides: 12, requires: [10, 12] } } });
});

await t.test('--dry-run shows the same and changes nothing', async (t) => {
  const { api } = await serving(t, () => undefined);
  const args = ['apply', '-f', fileWith(t, TEXT), '--dry-run', '--admin', api.admin];
  const shown = await turnout(args);
  t.match(shown, { code: 0, out: '2 changes would be made; nothing has changed' });
  t.match(shown.err, /green: v2 at .* → v9 at http:\/\/h:1\nshop: active: blue → green/);
  const { code, out } = await turnout([...args, '--json']);
  t.equal(code, 0);
  t.match(JSON.parse(out), {
    changed: false,
    dryRun: true,
    done: 0,
    steps: [{ kind: 'register' }, { kind: 'switch' }],
  });
  t.same(changesOf(api.asked), []);
});

/** What a server says of a lock-out and of an address. */
const REFUSED = ok({
  generation: 5,
  refusals: [
    { step: 1, code: 'release-locked-out', detail: 'shop: ann rolled back from v9' },
    { step: 2, code: 'of-a-later-version', detail: 'bank: no' },
  ],
});

await t.test('what would be refused is refused before the first step', async (t) => {
  const { api } = await serving(t, () => undefined, REFUSED);
  const args = ['apply', '-f', fileWith(t, TEXT), '--evict', '--admin', api.admin];
  const terminal = fakeTerminal({ answers: ['yes'] });
  const { code, err } = await turnout(args, terminal);
  t.equal(code, 2);
  t.match(err, /shop: ann rolled back from v9[^]*bank: no[^]*0 of 2 changes made; not made:/);
  t.same(terminal.questions, [], 'there is nothing to agree to');
  t.match(await turnout([...args, '--dry-run']), { code: 2, err: /ann rolled back/ });
  const json = await turnout([...args, '--json']);
  t.equal(json.code, 2);
  t.match(JSON.parse(json.out), { code: 'release-locked-out', changed: false, done: 0 });
  t.same(changesOf(api.asked), []);
  t.same(api.dryRuns[0]!.body, {
    steps: [
      {
        kind: 'register',
        service: 'shop',
        color: 'green',
        release: 'v9',
        targets: ['http://h:1'],
        evict: true,
      },
      { kind: 'switch', service: 'shop', to: 'green' },
    ],
  });
});

await t.test('a server that cannot tell beforehand refuses each step by itself', async (t) => {
  for (const unable of [problem(404, 'not-found'), problem(413, 'body-too-large')]) {
    const { api } = await serving(t, () => undefined, unable);
    const args = ['apply', '-f', fileWith(t, TEXT), '--admin', api.admin];
    t.match(await turnout(args), { code: 0, err: /tells no refusal beforehand/ });
  }
  const { api } = await serving(t, () => undefined, problem(503, 'upgrading'));
  const args = ['apply', '-f', fileWith(t, TEXT), '--admin', api.admin];
  t.match(await turnout(args), { code: 1, err: /title of upgrading/ });
  t.same(changesOf(api.asked), []);
});

await t.test('a person is asked; anything but yes changes nothing', async (t) => {
  const { api } = await serving(t, () => undefined);
  const args = ['apply', '-f', fileWith(t, TEXT), '--admin', api.admin];
  const terminal = fakeTerminal({ answers: ['no'] });
  t.match(await turnout(args, terminal), { code: 1, err: /nothing has changed$/ });
  t.same(terminal.questions, ['make 2 changes? [y/N] ']);
  t.same(changesOf(api.asked), []);
  t.match(await turnout(args, fakeTerminal({ answers: ['yes'] })), { code: 0 });
  const quiet = fakeTerminal({ answers: [] });
  t.match(await turnout([...args, '--yes'], quiet), { code: 0 });
  t.same(quiet.questions, []);
});

/** `[what, answer of the server, exit code, words, steps that were made]` */
const STOPS: readonly (readonly [
  string,
  (request: Request) => ReturnType<typeof ok> | undefined,
  number,
  RegExp,
  number,
])[] = [
  [
    'the first step is refused',
    ({ method }) => (method === 'PUT' ? problem(409, 'address-in-use') : undefined),
    2,
    /title of address-in-use[^]*0 of 2 changes made; not made:\n {2}shop: green: [^]*\n {2}shop: active/,
    0,
  ],
  [
    'the second one is',
    ({ method }) => (method === 'POST' ? problem(409, 'target-unhealthy') : undefined),
    2,
    /title of target-unhealthy[^]*1 of 2 changes made; not made:\n {2}shop: active: blue → green$/,
    1,
  ],
  [
    'the server fails',
    ({ method }) => (method === 'POST' ? problem(503, 'store-failed') : undefined),
    1,
    /1 of 2 changes made/,
    1,
  ],
  [
    'somebody is always first',
    ({ method }) => (method === 'PUT' ? problem(412, 'generation-mismatch') : undefined),
    2,
    /title of generation-mismatch[^]*0 of 2/,
    0,
  ],
];

await t.test('it stops at what cannot be done, and says how far it got', async (t) => {
  for (const [what, instead, code, words, made] of STOPS) {
    const { api } = await serving(t, instead);
    const args = ['apply', '-f', fileWith(t, TEXT), '--admin', api.admin];
    const stopped = await turnout(args);
    t.equal(stopped.code, code, what);
    t.match(stopped.err, words, what);
    const { api: other } = await serving(t, instead);
    const { out } = await turnout([...args.slice(0, 3), '--admin', other.admin, '--json']);
    t.match(JSON.parse(out), { changed: made > 0, done: made, steps: { length: 2 } }, what);
  }
});

await t.test('a generation that others made is no reason to stop', async (t) => {
  let misses = 2;
  const { api } = await serving(t, ({ method }) => {
    if (method !== 'PUT' || misses === 0) return undefined;
    misses--;
    return problem(412, 'generation-mismatch');
  });
  t.match(await turnout(['apply', '-f', fileWith(t, TEXT), '--admin', api.admin]), { code: 0 });
});

await t.test('who changes the same meanwhile is not overruled', async (t) => {
  const { api, state } = await serving(t, () => undefined);
  state.registered = { release: 'other', targets: [{ url: 'http://o:1', health: 'up' }] };
  const stopped = await turnout(['apply', '-f', fileWith(t, TEXT), '--admin', api.admin]);
  t.equal(stopped.code, 1);
  t.match(stopped.err, /another caller has changed something[^]*1 of 2 changes made/);
  t.equal(changesOf(api.asked).length, 1);
});

await t.test('a release that does not get healthy gets no traffic', async (t) => {
  const { api, state } = await serving(t, () => undefined);
  state.registered = SICK;
  const args = ['apply', '-f', fileWith(t, TEXT), '--timeout', '300ms', '--admin', api.admin];
  const stopped = await turnout(args);
  t.equal(stopped.code, 1);
  t.match(stopped.err, /v9 did not get healthy on green within 300ms[^]*1 of 2 changes made/);
});

await t.test('what it waits for is shown while it waits', async (t) => {
  const { api, state } = await serving(t, () => undefined);
  state.registered = SICK;
  const terminal = fakeTerminal({ isLive: true });
  const args = ['apply', '-f', fileWith(t, TEXT), '--timeout', '300ms', '--admin', api.admin];
  t.match(await turnout(args, terminal), { code: 1 });
  t.match(terminal.raws[0], /shop: v9 on green: 0 of 1 up, \d+ s left: http:\/\/h:1 down$/);
  t.equal(terminal.raws.at(-1), '\r\u001b[2K', 'the line is gone');
});

/** Runs it until the server is asked for `method`, and sends a signal before the answer. */
async function interrupted(t: Test, method: string, ...more: string[]) {
  const terminal = fakeTerminal();
  let isHeard = false;
  const { api } = await serving(t, (request) => {
    if (request.method !== method) return undefined;
    terminal.signals.emit('SIGINT');
    isHeard = terminal.signals.eventNames().length === 0;
    return undefined;
  });
  const args = ['apply', '-f', fileWith(t, TEXT), '--admin', api.admin, ...more];
  const outcome = await turnout(args, terminal);
  t.ok(isHeard, 'a second signal would end it at once');
  t.same(terminal.signals.eventNames(), []);
  return { outcome, made: changesOf(api.asked).map((request) => request.method) };
}

await t.test(
  'Ctrl-C ends it after the change that is under way, and says what was made',
  async (t) => {
    const { outcome, made } = await interrupted(t, 'PUT');
    t.match(outcome, { code: 130, out: 'shop: green is now v9 at http://h:1' });
    t.match(
      outcome.err,
      /^turnout: interrupted\n1 of 2 changes made; not made:\n {2}shop: active: blue → green\napply the file again/m,
    );
    t.same(made, ['PUT']);
    const json = await interrupted(t, 'PUT', '--json');
    t.equal(json.outcome.code, 130);
    t.match(JSON.parse(json.outcome.out), { code: 'interrupted', changed: true, done: 1 });
    const late = await interrupted(t, 'POST');
    t.match(late.outcome, { code: 0, err: /^(?!.*interrupted)/s }, 'nothing was left to stop');
    t.same(late.made, ['PUT', 'POST']);
  },
);

await t.test('Ctrl-C while a release gets healthy leaves traffic where it is', async (t) => {
  const { api, state } = await serving(t, () => undefined);
  state.registered = SICK;
  const terminal = fakeTerminal({ isLive: true });
  const run = turnout(['apply', '-f', fileWith(t, TEXT), '--admin', api.admin], terminal);
  while (terminal.raws.length === 0) await new Promise(setImmediate);
  terminal.signals.emit('SIGTERM');
  const { code, err } = await run;
  t.equal(code, 130);
  t.match(err, /traffic stays where it was; v9 stays on green\n1 of 2 changes made/);
  t.equal(changesOf(api.asked).length, 1);
  t.same(terminal.signals.eventNames(), []);
});

await t.test('wrong files and flags are told before anybody is asked', async (t) => {
  const { api } = await serving(t, () => undefined);
  const run = async (...args: string[]): Promise<Outcome> =>
    turnout(['apply', ...args, '--admin', api.admin]);
  t.match(await run(), { code: 64, err: /required option '-f, --file <file>'/ });
  const wrong = fileWith(t, 'activ: green\n');
  t.match(await run('-f', wrong), { code: 64, err: /:1:1: activ: [^]*1 fault in .*nothing was/ });
  const { out } = await run('-f', wrong, '--json');
  t.match(JSON.parse(out), { ok: false, faults: [{ path: 'activ' }] });
  t.match(await run('-f', '/nowhere.yaml'), { code: 64, err: /ENOENT/ });
  const large = fileWith(t, '#'.repeat(FILE_BYTES_MAX + 1));
  t.match(await run('-f', large), { code: 64, err: /expected at most 1048576 bytes/ });
  const endless = fakeTerminal({ input: '#'.repeat(FILE_BYTES_MAX + 1) });
  t.match(await turnout(['apply', '-f', '-', '--admin', api.admin], endless), {
    code: 64,
    err: /expected at most 1048576 bytes, got more in standard input/,
  });
  t.match(await run('-f', fileWith(t, TEXT), '--timeout', 'soon'), { code: 64, err: /--timeout/ });
  t.same(api.asked, []);
  const impossible = fileWith(t, 'blue: { release: v9, targets: [http://h:1] }');
  t.match(await run('-f', impossible), {
    code: 64,
    err: /nothing was changed\n {2}shop: blue gets/,
  });
  t.same(changesOf(api.asked), []);
  await api.close();
  t.match(await run('-f', fileWith(t, TEXT)), { code: 69 });
});

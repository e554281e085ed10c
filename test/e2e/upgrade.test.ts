// New processes take over one after the other, under load: no request fails, no connection is
// refused or reset, also for clients that never try again; whatever is long runs on; and a switch
// right after an upgrade holds for everybody, those included whom an old process still serves.

import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { startLoad } from '../support/load-process.ts';
import { openUpgradeScene, placeOf, until } from './upgrade-scene.ts';
import { isAlive } from '../support/is-alive.ts';

/** The long form is 100; a few show the same in every run. */
const UPGRADES = Number(process.env['TURNOUT_UPGRADES'] ?? 6);

/** Clients that open a connection for each request. */
const NEWCOMERS = 4;

/** Connections that send all the time, and such that send only when a switch is made. */
const KEPT = 16;
const RARE = 4;

/** Asks on a new connection each time, until it is told to end. */
class Newcomers {
  readonly failures: Record<string, number> = {};
  answered = 0;
  #isOver = false;
  readonly #all: Promise<unknown>;

  constructor(proxy: string) {
    const clients = Array.from({ length: NEWCOMERS }, async () => this.#client(proxy));
    this.#all = Promise.all(clients);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#all;
  }

  async #client(proxy: string): Promise<void> {
    while (!this.#isOver) {
      const outcome = await ask(proxy).catch(codeOf);
      if (outcome === 'blue' || outcome === 'green') this.answered++;
      else this.failures[outcome] = (this.failures[outcome] ?? 0) + 1;
    }
  }
}

async function ask(proxy: string): Promise<string> {
  const sent = get({ ...placeOf(proxy), path: '/', agent: false });
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of answer) text += String(part);
  return answer.statusCode === 200 ? text : `status ${answer.statusCode}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/** A WebSocket that has heard its first word. */
class Tunnel {
  readonly closed: Promise<number>;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    // An error is followed by a close, which tells it by its code.
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.once('close', (code: number) => resolve(code));
    });
  }

  static async open(t: Test, proxy: string): Promise<Tunnel> {
    const socket = new WebSocket(`ws://${proxy}/`);
    t.teardown(() => socket.terminate());
    const tunnel = new Tunnel(socket);
    await once(socket, 'message');
    return tunnel;
  }

  async echo(text: string): Promise<string> {
    const answer = once(this.#socket, 'message');
    this.#socket.send(text);
    const [data] = (await answer) as [Buffer];
    return data.toString();
  }

  /** Says goodbye, if that was not done before; resolves with the code of the close. */
  async leave(): Promise<number> {
    this.#socket.close(1000);
    return await this.closed;
  }
}

/** An answer that has begun; resolves with all of it. */
async function longAnswer(proxy: string): Promise<{ readonly whole: Promise<string> }> {
  const socket = connect(placeOf(proxy) as { port: number });
  let text = '';
  socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
  socket.on('error', (error) => (text += error.message));
  const whole = new Promise<string>((resolve) => {
    socket.once('close', () => resolve(text));
  });
  socket.write('GET /held HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n');
  while (!/blue|green/.test(text)) await once(socket, 'data');
  return { whole };
}

await t.test(`${UPGRADES} upgrades under load fail no request`, async (t) => {
  const scene = await openUpgradeScene(t, ['--workers', '2', '--stop-deadline', '60s']);
  const { running, blue, green } = scene;
  await until(() => running.lines.some((line) => line.includes(`${green.url} is up`)), 'green');
  const load = await startLoad(t, {
    port: Number(running.proxy.split(':')[1]),
    admin: running.admin,
    active: 'blue',
    connections: KEPT,
    probes: RARE,
    reopens: true,
    straddles: true,
  });
  const newcomers = new Newcomers(running.proxy);
  const pids = new Set([running.process.pid]);
  const codes = new Set<number>();
  for (let round = 0; round < UPGRADES; round++) {
    const tunnel = await Tunnel.open(t, running.proxy);
    const long = await longAnswer(running.proxy);
    const upgraded = scene.upgrade();
    t.equal(await tunnel.echo('meanwhile'), 'meanwhile');
    pids.add(await upgraded);
    await load.switch(2);
    blue.release();
    green.release();
    codes.add(await tunnel.leave());
    t.match(await long.whole, /^HTTP\/1\.1 200 .*\r\n0\r\n\r\n$/s, 'a long answer ends whole');
  }
  await newcomers.end();
  const verdict = await load.close();
  t.strictSame(running.lines.filter(isError), []);
  t.strictSame(verdict.failures, {});
  t.strictSame(newcomers.failures, {});
  codes.delete(1012); // The old process has asked some to come again.
  t.strictSame([...codes], [1000], 'no WebSocket is cut');
  t.equal(verdict.wrong, 0, `${verdict.judged} requests of ${verdict.requests} could be judged`);
  t.ok(verdict.judged > 100 && verdict.straddling > 0);
  t.ok(newcomers.answered > 100, `${newcomers.answered} answers on new connections`);
  t.equal(pids.size, UPGRADES + 1, 'each is a process of its own');
  t.comment(`${verdict.requests} requests on kept connections, ${newcomers.answered} on new ones`);
  // Its output stays open: the processes after it write there, too.
  const first = running.process;
  if (first.exitCode === null) await once(first, 'exit');
  t.equal(first.exitCode, 0, 'the first has ended in order');
});

/** Of whichever process: all of them write to the output of the first. */
function isError(line: string): boolean {
  return line.includes('"level":"error"');
}

await t.test(
  'three in a row: a switch holds for what the first of them still serves',
  async (t) => {
    const scene = await openUpgradeScene(t, ['--stop-deadline', '60s']);
    const { running } = scene;
    // It is idle through all of it, and the first process still has it at the end.
    const kept = connect(placeOf(running.proxy) as { port: number });
    t.teardown(() => kept.destroy());
    let text = '';
    kept.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
    const request = 'GET / HTTP/1.1\r\nHost: app.example\r\n\r\n';
    kept.write(request);
    await until(() => text.endsWith('blue'), 'a first answer');
    const pids = [running.process.pid!];
    for (let count = 0; count < 3; count++) pids.push(await scene.upgrade());
    await scene.switchTo('green');
    t.ok(pids.every(isAlive), 'the old ones wait for the oldest');
    text = '';
    kept.write(request);
    await once(kept, 'close');
    t.match(text, /connection: close/i);
    t.match(text, /green/, 'the oldest goes by the new table');
    await until(() => pids.slice(0, 3).every((pid) => !isAlive(pid)), 'an end of all old ones');
    t.ok(isAlive(pids[3]!));
    t.equal(await scene.ask(), 'green');
  },
);

await t.test('a switch right after an upgrade drains what the old process still has', async (t) => {
  const scene = await openUpgradeScene(t, ['--stop-deadline', '60s']);
  const { running, blue, green } = scene;
  await until(() => running.lines.some((line) => line.includes(`${green.url} is up`)), 'green');
  const tunnel = await Tunnel.open(t, running.proxy);
  const long = await longAnswer(running.proxy);
  await scene.upgrade();
  t.equal((await scene.post('/v1/switch', { to: 'green' })).status, 200);
  // Long enough for every process to have looked whether anything is left.
  const reasons: string[] = [];
  await until(async () => {
    const text = JSON.stringify((await scene.get('/v1/drain')).json);
    t.match(text, /"safeToStop":false/);
    reasons.push(...(/\d+ connections? (?:is|are) being finished/.exec(text) ?? []));
    return reasons.length > 20;
  }, 'a word of the old process');
  t.equal(await tunnel.echo('still here'), 'still here');
  blue.release();
  t.match(await long.whole, /^HTTP\/1\.1 200 .*\r\n0\r\n\r\n$/s);
  t.equal(await tunnel.leave(), 1000);
  await until(
    async () => JSON.stringify((await scene.get('/v1/drain')).json).includes('"safeToStop":true'),
    'the end of the drain',
  );
});

await t.test('two upgrades at once: one of them is told to wait', async (t) => {
  const scene = await openUpgradeScene(t);
  const answers = await Promise.all([scene.post('/v1/upgrade'), scene.post('/v1/upgrade')]);
  const codes = answers.map(({ status, json }) => `${status} ${JSON.stringify(json['code'])}`);
  t.strictSame(codes.toSorted(), ['200 undefined', '503 "upgrading"']);
  t.equal(await scene.ask(), 'blue');
});

await t.test('an upgrade waits for the switch that runs', async (t) => {
  const scene = await openUpgradeScene(t, ['--health-kind', 'none']);
  const [switched, upgraded] = await Promise.all([
    scene.post('/v1/switch', { to: 'green' }),
    scene.post('/v1/upgrade'),
  ]);
  t.equal(upgraded.status, 200);
  // Whichever came first: it was made and is there, or refused and is not.
  const active = switched.status === 200 ? 'green' : 'blue';
  t.equal(await scene.ask(), active);
  if (active === 'blue') t.equal(switched.json['code'], 'upgrading');
});

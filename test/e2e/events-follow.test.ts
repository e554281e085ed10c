// `turnout events` and `turnout active` as programs of their own, while processes of Turnout follow each other:
// what happens is told once, in order, to each that may know of it.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { ownAddress } from '../support/own-address.ts';
import {
  launch,
  startAsGiven,
  temporaryDirectory,
  turnout,
  type Running,
} from './turnout-process.ts';
import { kill, until } from './upgrade-scene.ts';

t.setTimeout(180_000);

interface Told {
  readonly id: string;
  readonly frame: string;
  readonly data: { readonly id: number; readonly event: string; readonly service: string };
}

async function open(t: Test) {
  const directory = temporaryDirectory(t);
  const services = [];
  for (const name of ['shop', 'blog']) {
    const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
    const sides = { blue: { targets: [blue.url] }, green: { targets: [green.url] } };
    services.push({ name, hosts: [`${name}.test`], ...sides, health: { kind: 'none' } });
  }
  const file = join(directory, 'turnout.yaml');
  writeFileSync(file, JSON.stringify({ services }));
  const address = ownAddress();
  const admin = `${address}:7081`;
  const listen = ['--listen', '127.0.0.1:0', '--admin', admin, '--workers', '1'];
  const args = [...listen, '--config', file, '--state', join(directory, 'state')];
  const start = async () => startAsGiven(t, args);
  const client = new AdminClient(admin);
  t.teardown(() => client.close());
  return {
    admin,
    client,
    start,
    upgrade: async (): Promise<number> => {
      const { status, json, text } = await client.post('/v1/upgrade', {});
      if (status !== 200) throw new Error(text);
      const pid = Number(json['pid']);
      t.teardown(() => kill(pid));
      return pid;
    },
    /** As soon as a process is in charge. */
    switchTo: async (service: string, to: string): Promise<void> => {
      const body = { service, to, force: true, reason: 'test' };
      const made = async () => (await client.post('/v1/switch', body)).status === 200;
      await until(async () => made().catch(() => false), `${service} on ${to}`);
    },
  };
}

/** Its output is still held by the process that has taken over. */
async function exited({ process: { exitCode, signalCode }, process: child }: Running) {
  if (exitCode === null && signalCode === null) await once(child, 'exit');
}

function follow(t: Test, admin: string, args: readonly string[] = [], environment = {}) {
  const child = launch(['events', '--json', '--admin', admin, ...args], environment);
  t.teardown(() => child.kill('SIGKILL'));
  const told: Told[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => {
    told.push(JSON.parse(line) as Told);
  });
  let errors = '';
  child.stderr!.on('data', (part: Buffer) => (errors += part.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const of = (event: string) => told.filter(({ data }) => data.event === event);
  return { child, told, of, ended, errors: () => errors };
}

/** Resolves when the follower is on its stream: what is switched from now on comes. */
async function listening(
  { switchTo }: Awaited<ReturnType<typeof open>>,
  followers: readonly ReturnType<typeof follow>[],
): Promise<void> {
  let to = 'green';
  await until(async () => {
    await switchTo('shop', to);
    to = to === 'green' ? 'blue' : 'green';
    return followers.every(({ told }) => told.length > 0);
  }, 'a first event');
}

await t.test('over an upgrade, a stop and a kill nothing is lost, nothing twice', async (t) => {
  const scene = await open(t);
  const first = await scene.start();
  const [one, other] = [follow(t, scene.admin), follow(t, scene.admin)];
  await listening(scene, [one, other]);
  const pid = await scene.upgrade();
  await exited(first);
  await scene.switchTo('blog', 'green');
  process.kill(pid, 'SIGTERM');
  await until(async () => (await turnout(['status', '--admin', scene.admin])).code !== 0, 'an end');
  const third = await scene.start();
  await scene.switchTo('blog', 'blue');
  third.process.kill('SIGKILL');
  await third.ended;
  await scene.start();
  await scene.switchTo('blog', 'green');
  for (const { told, of, errors } of [one, other]) {
    await until(
      () => of('switch').filter(({ data }) => data.service === 'blog').length >= 3,
      'all',
    );
    const ids = told.map(({ data }) => data.id);
    const from = ids[0]!;
    t.strictSame(
      ids,
      ids.map((_, at) => from + at),
      'each event, once and in order',
    );
    t.notOk(told.some(({ frame }) => frame === 'gone'));
    t.equal(errors(), '');
  }
  one.child.kill('SIGINT');
  t.equal(await one.ended, 0, 'Ctrl-C ends it');
  const again = follow(t, scene.admin, ['--since', one.told[0]!.id]);
  await until(() => again.told.length >= one.told.length - 1, 'what came after a line');
  t.strictSame(
    again.told.slice(0, one.told.length - 1).map(({ data }) => data.id),
    one.told.slice(1).map(({ data }) => data.id),
  );
});

await t.test('a service, a token of one service, and a pipe that is closed', async (t) => {
  const scene = await open(t);
  await scene.start();
  const about = { name: 'blogger', role: 'read', services: ['blog'] };
  const { json } = await scene.client.post('/v1/tokens', about);
  const bound = { TURNOUT_TOKEN: String(json['token']) };
  const all = follow(t, scene.admin);
  const narrow = follow(t, scene.admin, ['--service', 'blog']);
  const limited = follow(t, scene.admin, [], bound);
  await listening(scene, [all]);
  let to = 'green';
  await until(async () => {
    await scene.switchTo('blog', to);
    to = to === 'green' ? 'blue' : 'green';
    return narrow.told.length > 0 && limited.told.length > 0;
  }, 'events of blog');
  for (const { told } of [narrow, limited]) {
    t.ok(told.every(({ data }) => data.service === 'blog'));
  }
  const denied = await turnout(['events', '--service', 'shop', '--admin', scene.admin], bound);
  t.equal(denied.code, 2);
  const head = follow(t, scene.admin, ['--since', all.told[0]!.id]);
  head.child.stdout!.destroy();
  await until(async () => {
    await scene.switchTo('blog', to);
    to = to === 'green' ? 'blue' : 'green';
    return head.child.exitCode !== null;
  }, 'the end of one that no program reads');
  t.equal(await head.ended, 0);
  t.equal(head.errors(), '');
});

await t.test('a wait for a switch goes on over an upgrade', async (t) => {
  const scene = await open(t);
  const first = await scene.start();
  const asked = ['active', '--service', 'shop', '--admin', scene.admin, '--color', 'green'];
  t.match(await turnout(asked), { code: 1, out: /blue is active.*green is idle/ });
  const waits = turnout([...asked, '--wait', '2m', '--json']);
  await scene.upgrade();
  await exited(first);
  await scene.switchTo('shop', 'green');
  const { code, out, err } = await waits;
  t.equal(code, 0, err);
  t.match(JSON.parse(out), { color: 'green', you: { isActive: true } });
});

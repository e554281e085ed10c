// Notifications of a real process: what was not confirmed when it was killed is sent by the next one, in order.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openColoredApp } from '../support/colored-app.ts';
import { openStream } from '../support/event-stream-reader.ts';
import { openReceiver } from '../support/webhook-receiver.ts';
import { startAsGiven, temporaryDirectory, type Running } from './turnout-process.ts';

interface Told {
  readonly event: string;
  readonly id: number;
  readonly facts: Readonly<Record<string, unknown>>;
}

async function switchTo({ admin }: Running, to: string): Promise<number> {
  const answer = await fetch(`http://${admin}/v1/switch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ to, force: true, reason: 'test' }),
  });
  return answer.status;
}

await t.test('a kill loses no notification, and repeats only what was not confirmed', async (t) => {
  const blue = await openColoredApp(t, 'blue');
  const green = await openColoredApp(t, 'green');
  const directory = temporaryDirectory(t);
  const gone = Promise.withResolvers<void>();
  const receiver = await openReceiver(t, (response, { body }) => {
    const { event, facts } = JSON.parse(body) as Told;
    // The second switch is never confirmed: the process is killed meanwhile.
    if (event === 'switch' && facts['to'] === 'blue' && isFirst) gone.resolve();
    else response.end();
  });
  let isFirst = true;
  const file = join(directory, 'turnout.yaml');
  const config = {
    listen: '127.0.0.1:0',
    admin: { listen: '127.0.0.1:0' },
    state: { dir: join(directory, 'state') },
    workers: 1,
    services: [{ name: 'shop', blue: { targets: [blue.url] }, green: { targets: [green.url] } }],
    notify: [{ url: receiver.url, events: ['switch'] }],
  };
  writeFileSync(file, JSON.stringify(config));
  const first = await startAsGiven(t, ['--config', file]);
  const [host = '', port = ''] = first.admin.split(':');
  const reader = await openStream({ kind: 'tcp', host, port: Number(port) });
  t.equal(await switchTo(first, 'green'), 200);
  await receiver.until(1);
  await reader.until('event', ({ event }) => event === 'switch');
  t.equal(await switchTo(first, 'blue'), 200);
  await gone.promise;
  t.equal(await switchTo(first, 'green'), 200);
  first.process.kill('SIGKILL');
  await reader.ended;
  await first.ended;
  isFirst = false;
  await startAsGiven(t, ['--config', file]);
  const told = (await receiver.until(4)).map(({ body }) => JSON.parse(body) as Told);
  t.strictSame(
    told.map(({ facts }) => facts['to']),
    ['green', 'blue', 'blue', 'green'],
  );
  t.equal(told[1]!.id, told[2]!.id);
  const attempts = receiver.received.map(({ headers }) => headers['turnout-attempt']);
  t.equal(attempts[1], attempts[2]);
});

// Executes the wire cases once more, each in one piece, while every request that may be copied is
// copied to a target that misbehaves in turns: what clients and targets get stays the same to the byte.

import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { PLAIN } from '../support/wire-transport.ts';
import { openOrigin, type OriginConnection } from '../support/origin.ts';
import { openTestPlane, TEST_DEPLOYMENTS, type TestPlane } from '../support/plane.ts';
import { parseWireCases, type WireCase } from '../support/wire-case.ts';
import { WireBench } from '../support/wire-run.ts';
import { becomes } from '../support/shared-counters.ts';

const SHADOW = {
  deployment: TEST_DEPLOYMENTS.green,
  share: 10_000,
  fields: ['content-type'],
  ignore: [['a', 'b']],
  ignorePaths: [],
  bodyBytesMax: 65_536,
  slowerMs: 0,
};

/** One after the other. */
const DEEDS: readonly ((connection: OriginConnection) => void)[] = [
  (connection) => connection.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
  () => undefined,
  (connection) => connection.reset(),
  (connection) => connection.send('no HTTP\r\n\r\n'),
  (connection) => connection.end(),
  (connection) => connection.send('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'),
  (connection) => connection.send(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`),
  (connection) => connection.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
];

const files = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.md') && name !== 'README.md')
  .toSorted();

let copies = 0;
const green = await openOrigin(async (connection) => {
  while ((await connection.nextRequest()) !== undefined) {
    DEEDS[copies % DEEDS.length]!(connection);
    copies++;
  }
  connection.end();
});
const bench = await WireBench.open(PLAIN);
const planes = new Map<string, TestPlane>();

t.teardown(async () => {
  await Promise.all([...planes.values()].map((plane) => plane.stop()));
  await bench.origin.close();
  await green.close();
});

for (const file of files) {
  const cases = parseWireCases(file, readFileSync(`${import.meta.dirname}/${file}`, 'utf8'));
  await t.test(`${file}: every case gives the same bytes while requests are copied`, async (t) => {
    for (const wireCase of cases) {
      const plane = await planeFor(wireCase);
      t.equal(await bench.run(plane, wireCase, undefined), undefined, wireCase.name);
      plane.plane.wheel.advance(2);
    }
  });
}

await t.test('copies were made, and nothing of them is left', async (t) => {
  t.ok(copies > 50, `${copies} copies`);
  for (const plane of planes.values()) {
    plane.plane.obey({ kind: 'stop', withinMs: 0, idleMs: 0 });
    t.ok(await becomes(() => plane.plane.shadowed.pairs + plane.plane.shadowed.connections === 0));
    t.notOk(plane.reports.some(({ kind }) => kind === 'fault'));
  }
});

async function planeFor({ settings }: WireCase): Promise<TestPlane> {
  const key = JSON.stringify(settings);
  const known = planes.get(key);
  if (known !== undefined) return known;
  const service = { ...settings.service, shadow: SHADOW };
  const targets = { blue: [bench.origin.port], green: [green.port] };
  const plane = await openTestPlane(targets, { ...settings, service });
  planes.set(key, plane);
  return plane;
}

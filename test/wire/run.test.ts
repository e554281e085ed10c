// Executes the wire cases of this folder: each in one piece, then cut at every byte of the request
// and of the response. README.md describes the notation.

import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { openTestPlane, type TestPlane } from '../support/plane.ts';
import { parseWireCases, type WireCase } from '../support/wire-case.ts';
import { cutsOf, WireBench } from '../support/wire-run.ts';

/** Fewer would mean that a file is no longer found. */
const CASES_MIN = 150;

const files = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.md') && name !== 'README.md')
  .toSorted();

const bench = await WireBench.open();
const planes = new Map<string, TestPlane>();

t.teardown(async () => {
  await Promise.all([...planes.values()].map((plane) => plane.stop()));
  await bench.origin.close();
});

let caseCount = 0;
for (const file of files) {
  const cases = parseWireCases(file, readFileSync(`${import.meta.dirname}/${file}`, 'utf8'));
  caseCount += cases.length;
  await t.test(`${file}: every case gives the bytes it promises`, async (t) => {
    for (const wireCase of cases) {
      const fault = await firstFault(wireCase);
      t.equal(fault, undefined, `${wireCase.name} (${wireCase.citation})`);
    }
  });
}

await t.test('the wire cases are all found', async (t) => {
  t.ok(caseCount >= CASES_MIN, `${caseCount} cases`);
});

async function firstFault(wireCase: WireCase): Promise<string | undefined> {
  const plane = await planeFor(wireCase);
  for (const cut of [undefined, ...cutsOf(wireCase)]) {
    const fault = await bench.run(plane, wireCase, cut);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

async function planeFor(wireCase: WireCase): Promise<TestPlane> {
  const key = JSON.stringify(wireCase.settings);
  const known = planes.get(key);
  if (known !== undefined) return known;
  const plane = await openTestPlane({ blue: [bench.origin.port], green: [] }, wireCase.settings);
  planes.set(key, plane);
  return plane;
}

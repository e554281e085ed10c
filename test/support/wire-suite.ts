// Executes the wire cases over one transport: each in one piece, then cut at bytes of the request and of
// the response.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { openTestPlane, type TestPlane } from './plane.ts';
import { parseWireCases, type WireCase } from './wire-case.ts';
import { cutsOf, WireBench } from './wire-run.ts';
import type { WireTransport } from './wire-transport.ts';

const FOLDER = join(import.meta.dirname, '../wire');
/** Fewer would mean that a file is no longer found. */
const CASES_MIN = 150;

/** `everyCut`: 1: every cut; n: one in n of them. */
export async function runWireCases(
  t: Test,
  transport: WireTransport,
  everyCut: number,
): Promise<void> {
  const bench = await WireBench.open(transport);
  const planes = new Map<string, TestPlane>();
  t.teardown(async () => {
    await Promise.all([...planes.values()].map((plane) => plane.stop()));
    await bench.origin.close();
  });
  const planeFor = async (wireCase: WireCase): Promise<TestPlane> => {
    const key = JSON.stringify(wireCase.settings);
    const known = planes.get(key);
    if (known !== undefined) return known;
    const settings = { ...wireCase.settings, ...transport.settings };
    const plane = await openTestPlane({ blue: [bench.origin.port], green: [] }, settings);
    planes.set(key, plane);
    return plane;
  };
  let cutCount = 0;
  const firstFault = async (wireCase: WireCase): Promise<string | undefined> => {
    const plane = await planeFor(wireCase);
    const cuts = cutsOf(wireCase).filter(() => cutCount++ % everyCut === 0);
    for (const cut of [undefined, ...cuts]) {
      const fault = await bench.run(plane, wireCase, cut);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
  let caseCount = 0;
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.md') && name !== 'README.md');
  for (const file of files.toSorted()) {
    const cases = parseWireCases(file, readFileSync(join(FOLDER, file), 'utf8'));
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
}

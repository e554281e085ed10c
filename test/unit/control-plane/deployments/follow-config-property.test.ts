// Whatever is configured in a row, in whatever order: what must hold of what follows.

import * as fc from 'fast-check';
import t from 'tap';
import type { ServiceConfig } from '../../../../src/config/config.ts';
import { COLORS, type Color } from '../../../../src/contract/table.ts';
import {
  activeNumber,
  deploymentOf,
  parseState,
  printState,
} from '../../../../src/control-plane/store/service-state.ts';
import { follow, storedAfter, type Stored } from '../support/begun.ts';
import { NOTHING_STORED } from '../support/fixtures.ts';
import { made } from '../support/followed-configs.ts';

const NOW_MS = 2_000;

const side = fc.record({
  release: fc.constantFrom('', 'v1', 'v2', 'v3'),
  ports: fc.uniqueArray(fc.integer({ min: 3_001, max: 3_006 }), { minLength: 0, maxLength: 3 }),
});
const service = fc.record({
  blue: side,
  green: side,
  active: fc.constantFrom<Color>(...COLORS),
  host: fc.constantFrom('a.example', 'b.example'),
});
const services = fc.dictionary(fc.constantFrom('one', 'two', 'three'), service, { minKeys: 1 });

function configsOf(all: Readonly<Record<string, unknown>>): ServiceConfig[] {
  return Object.entries(all).map(([name, one]) => {
    const { blue, green, active, host } = one as {
      blue: { release: string; ports: number[] };
      green: { release: string; ports: number[] };
      active: Color;
      host: string;
    };
    return made([blue.release, ...blue.ports], [green.release, ...green.ports], {
      name,
      active,
      hosts: [`${name}.${host}`],
    });
  });
}

await t.test('whatever is configured in a row: followed once, it is followed', async (t) => {
  let refused = 0;
  let replaced = 0;
  fc.assert(
    fc.property(fc.array(services, { minLength: 1, maxLength: 6 }), (rows) => {
      let stored: Stored = NOTHING_STORED;
      let nowMs = NOW_MS;
      for (const row of rows) {
        const configs = configsOf(row);
        nowMs += 1_000;
        const found = follow(configs, stored, { nowMs });
        const next = storedAfter(stored, found);
        refused += found.refusals.length;
        replaced += found.records.length;
        faultsOf(stored, next, configs);
        const again = follow(configs, next, { nowMs });
        const isSettled = found.refusals.length === 0;
        if (isSettled && (again.states.length > 0 || again.refusals.length > 0 || !again.isSilent))
          throw new Error('followed twice, it changes something');
        const words = (one: typeof found) => one.refusals.map(({ error }) => error.message);
        // A restart reads what was written.
        const read = [...next.services].map(
          ([name, state]) => [name, parseState(printState(state))!] as const,
        );
        const restarted = follow(configs, { ...next, services: new Map(read) }, { nowMs });
        if (JSON.stringify(words(restarted)) !== JSON.stringify(words(again)))
          throw new Error('a restart refuses something else');
        if (restarted.isSilent !== again.isSilent) throw new Error('a restart decides something');
        stored = next;
      }
    }),
    { numRuns: 300 },
  );
  t.ok(refused > 50, `${refused} were refused`);
  t.ok(replaced > 50, `${replaced} were replaced`);
});

/** Throws where what follows can't be. */
function faultsOf(before: Stored, next: Stored, configs: readonly ServiceConfig[]): void {
  const numbers = [...next.services.values()].flatMap(({ deployments }) =>
    deployments.map(({ number }) => number),
  );
  if (new Set(numbers).size < numbers.length) throw new Error('a number is given twice');
  if (numbers.some((number) => number >= next.nextDeployment)) throw new Error('a number is ahead');
  for (const { name } of configs) {
    const state = next.services.get(name)!;
    const active = activeNumber(state);
    const known = before.services.get(name);
    if (known !== undefined && known.active !== state.active) throw new Error('a color has moved');
    if (known !== undefined && activeNumber(known) !== 0 && active === 0)
      throw new Error('nothing gets the traffic any more');
    if (active !== 0 && state.draining.some((one) => one.deployment === active))
      throw new Error('the active deployment drains');
    if (active !== 0 && deploymentOf(state, active)!.servedSince === 0)
      throw new Error('the active deployment never served');
    if (active !== 0 && deploymentOf(state, active)!.takenOver !== undefined)
      throw new Error('the active deployment is taken over');
  }
}

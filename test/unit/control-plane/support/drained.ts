// A switchboard whose drains are watched, at a time that the test moves.

import { restartClock } from '../../../../src/base/clock.ts';
import { mock } from 'node:test';
import type { Test } from 'tap';
import type { ServiceConfig } from '../../../../src/config/config.ts';
import { DRAIN_POLL_MS } from '../../../../src/control-plane/base/control-limits.ts';
import type { DrainFilter } from '../../../../src/control-plane/switching/drain-watch.ts';
import { testPolicy } from '../../../support/policy.ts';
import { board, only, to } from './board.ts';
import { serviceConfig } from './fixtures.ts';

/** Any time will do; the start of a slice of sightings makes the edges easy to see. */
const START_MS = 1_800_000_000_000;

export const ANY: DrainFilter = { service: undefined, generation: undefined };

/** A service that keeps sessions, seen within 60 s, for 10 minutes. */
export const STICKY = serviceConfig({
  policy: testPolicy({
    affinity: { mode: 'drain', idleMs: 60_000 },
    drain: { sessionsMs: 600_000, requestsMs: 1_000, streamsMs: 2_000 },
  }),
});

/** Builds a board whose drains are watched; time stands still but for `pass`. */
export function watched(t: Test, services: readonly ServiceConfig[] = [STICKY]) {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: START_MS });
  restartClock();
  const parts = board(services);
  const { drains, hooks, switchboard } = parts;
  hooks.onPublished = (table) => drains.follow(table);
  t.teardown(() => {
    drains.stop();
    mock.timers.reset();
  });
  return {
    ...parts,
    /** Lets time pass, in the steps in which drains are looked at. */
    pass: async (ms: number): Promise<void> => {
      for (let passedMs = 0; passedMs < ms; passedMs += DRAIN_POLL_MS) {
        mock.timers.tick(Math.min(DRAIN_POLL_MS, ms - passedMs));
        await settled();
      }
    },
    /** Switches the only service, or that one; returns the block of what drains now. */
    leave: async (service?: string): Promise<number> => {
      await switchboard.switch(to(undefined, { service }));
      const one = switchboard.table.services.find(({ name }) => name === service);
      return (one ?? only(switchboard.table)).draining.at(-1)!.deployment.block;
    },
  };
}

/** Resolves when everything that needs no time has been done. */
export async function settled(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setImmediate(resolve);
  await promise;
}

// A whole town: three environments of a shop, a Turnout process before two of them, an operator,
// and a crowd of users.

import type { Test } from 'tap';
import { startTurnout, temporaryDirectory, type Running } from '../e2e/turnout-process.ts';
import { startShop, type Shop } from './shop-app.ts';
import { Crowd } from './shop-crowd.ts';
import { Operator } from './shop-operator.ts';
import type { Door } from './shop-user.ts';

export type Release = 'one' | 'two' | 'three';

/** Quick health checks; no log of requests. */
const FLAGS = ['--workers', '2', '--health-interval', '100ms', '--access-log', 'off'];

export interface Town {
  readonly shops: readonly [Shop, Shop, Shop];
  readonly door: Door;
  readonly operator: Operator;
  readonly crowd: Crowd;
  /** Resolves when the health checks have found `url` on `color` up. */
  untilUp(color: string, url: string): Promise<unknown>;
  /** SIGTERM, and a start on the same state with the same flags. No user may be shopping. */
  restart(): Promise<void>;
}

/** Opens a town with release one on blue, active, and release two on green. */
export async function openTown(
  t: Test,
  { seed, flags }: { readonly seed: number; readonly flags: readonly string[] },
): Promise<Town> {
  const shops = [await startShop(t), await startShop(t), await startShop(t)] as const;
  const [one, two] = shops;
  const state = ['--state', temporaryDirectory(t)];
  const sides = ['--blue', one.url, '--blue-release', 'one', '--green', two.url];
  const args = [...state, ...FLAGS, ...sides, '--green-release', 'two', ...flags];
  let running = await startTurnout(t, args);
  const door = { origin: originOf(running) };
  const operator = new Operator(running.admin);
  const crowd = new Crowd({ door, seed });
  t.teardown(async () => crowd.close());
  const untilUp = async (color: string, url: string): Promise<unknown> =>
    running.line((line) => line.includes(`${color} ${url} is up`));
  await Promise.all([untilUp('blue', one.url), untilUp('green', two.url)]);
  const restart = async (): Promise<void> => {
    running.process.kill('SIGTERM');
    t.equal(await running.ended, 0, 'Turnout stopped in order');
    running = await startTurnout(t, args);
    door.origin = originOf(running);
    operator.admin = running.admin;
  };
  crowd.newcomersGoTo = { release: 'one' };
  return { shops, door, operator, crowd, untilUp, restart };
}

function originOf({ proxy }: Running): string {
  return `http://${proxy}`;
}

// Failover over a real switchboard whose time, health and counters are the test's.

import type { Test } from 'tap';
import type { FailoverConfig, HealthConfig } from '../../../../src/config/config.ts';
import { ENDPOINT_ROW, endpointOffset } from '../../../../src/contract/counters.ts';
import type { RoutingTable } from '../../../../src/contract/table.ts';
import { Failover } from '../../../../src/control-plane/automation/failover.ts';
import type { TargetHealth } from '../../../../src/control-plane/switching/checks/switch-check.ts';
import { board, change, only } from './board.ts';
import { NO_CHECKS, serviceConfig, target } from './fixtures.ts';

export const AUTO: FailoverConfig = { mode: 'auto', afterMs: 10_000, pauseMs: 300_000 };
export const UP: TargetHealth = { state: 'up', reason: '' };
const CHECKED: HealthConfig = { ...NO_CHECKS, kind: 'http' };

/** Blue (3001, 3011) is active, green (3002) idle; time passes when the test says so. */
export function failoverScene(t: Test, changes: Parameters<typeof serviceConfig>[0] = {}) {
  const blue = { release: 'v1', targets: [target(3001), target(3011)] };
  const service = serviceConfig({ blue, health: CHECKED, failover: AUTO, ...changes });
  const parts = board([service]);
  const { switchboard, totals, store, log, health } = parts;
  const clock = { ms: 1_000 };
  const configs = { current: service };
  /** What the watch is shown; undefined: all services. */
  const shown = { services: undefined as RoutingTable['services'] | undefined };
  const eyes = {
    get table() {
      const { table } = switchboard;
      return { ...table, services: shown.services ?? table.services };
    },
    get refusal() {
      return switchboard.refusal;
    },
    checkMove: switchboard.checkMove.bind(switchboard),
    switch: switchboard.switch.bind(switchboard),
  };
  const watch = (): Failover => {
    const failover = new Failover({
      board: eyes,
      configOf: () => configs.current,
      health: { of: ({ slot }) => [{ ...(health.get(slot) ?? UP), slot, changedAtMs: 0 }] },
      totals,
      store,
      log,
      now: () => clock.ms,
    });
    failover.start();
    t.teardown(() => failover.stop());
    return failover;
  };
  const failover = watch();
  return {
    ...parts,
    failover,
    configs,
    shown,
    watch,
    blueIs: (status: TargetHealth) => {
      parts.ail(3001, status);
      parts.ail(3011, status);
    },
    /** Lets time pass, looks, and lets a switch that begins come to its end. */
    pass: async (ms: number, who = failover) => {
      clock.ms += ms;
      who.look();
      await switchboard.between(change(), async () => {}).catch(() => {});
      await new Promise(setImmediate);
    },
    active: () => only(switchboard.table).active,
    warnings: () => log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message),
  };
}

/** Returns the scene in which the test counts connections of clients. */
export function withCounters(t: Test) {
  const parts = failoverScene(t);
  const count = (row: number) => (slot: number, value: number) => {
    parts.region[endpointOffset(slot) + row] = value;
  };
  const failures = count(ENDPOINT_ROW.connectFailures);
  return { ...parts, failures, connects: count(ENDPOINT_ROW.connects) };
}

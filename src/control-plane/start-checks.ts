// What a start asks before there are workers: where targets lead, that none is Turnout itself, and whether those answer that the
// configuration gives to an active color. Names are looked up for that alone.

import type { TargetTls } from '../contract/target-tls.ts';
import { timers } from './base/timers.ts';
import { askFirst } from './switching/checks/ask-first.ts';
import { spotCheck } from './switching/checks/spot-check.ts';
import type { StartingParts } from './switching/starting-table.ts';
import { mayLeadTo } from './targets/may-lead-to.ts';
import { dnsClient } from './targets/dns.ts';
import { Names } from './targets/names.ts';
import { configuredListeners, ownAmong } from './targets/own-places.ts';
import { placeFinder } from './targets/places.ts';
import { proberWithin } from './targets/probe.ts';

/** Returns the checks of a start. */
export function startChecks({
  config,
  stored,
  slots,
  log,
  targetTls,
}: Pick<StartingParts, 'config' | 'stored' | 'slots' | 'log'> & {
  readonly targetTls: TargetTls;
}): Pick<StartingParts, 'ask' | 'findPlaces' | 'oursAmong'> {
  const configs = config.services;
  const configOf = (name: string) => configs.find((service) => service.name === name);
  const dns = dnsClient(config.resolve.servers);
  const names = { of: () => [] };
  const findPlaces = placeFinder({ dns, system: dnsClient([]), names, timers });
  return {
    findPlaces,
    // Names are looked up once the workers start: a restart must not wait for them.
    oursAmong: async (targets) =>
      ownAmong(
        targets.filter(({ address }) => address.kind === 'tcp' || address.kind === 'unix'),
        () => configuredListeners(config),
        findPlaces,
      ),
    ask: async (followed) => {
      const names = new Names({
        configOf: (name) => configOf(name)?.resolve,
        dns,
        slots,
        isOurs: () => false,
        mayLeadTo: (name, place) => mayLeadTo(name, place, config.targets.allow),
        workers: { resolve: () => {}, resolvedVersion: Infinity },
        onChange: () => {},
        timers,
        log,
      });
      try {
        return await askFirst(followed, {
          configs,
          states: stored.services,
          slots,
          spotCheck: spotCheck({
            prober: proberWithin(() => config.targets.allow, targetTls),
            configOf,
            names,
            table: () => undefined,
            now: () => performance.now(),
          }),
          health: (endpoint) =>
            names.of(endpoint).map(() => ({ state: 'unknown', reason: '' }) as const),
        });
      } finally {
        names.stop();
      }
    },
  };
}

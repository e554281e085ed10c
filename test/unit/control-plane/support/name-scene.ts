// Names over a DNS that the test answers for, with time that the test lets pass, and workers that
// follow as far as the test lets them.

import type { Test } from 'tap';
import type { ResolveConfig } from '../../../../src/config/config.ts';
import type { Target } from '../../../../src/config/values/target.ts';
import { parseTarget } from '../../../../src/config/values/target.ts';
import {
  deploymentsOf,
  isNamed,
  type Endpoint,
  type NameAddresses,
  type RoutingTable,
} from '../../../../src/contract/table.ts';
import type {
  DnsClient,
  Place,
  ServiceRecord,
} from '../../../../src/control-plane/targets/lookup.ts';
import { Names, type NamesParts } from '../../../../src/control-plane/targets/names.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { begun } from './begun.ts';
import { QUIET, serviceConfig, TestLog } from './fixtures.ts';
import { ManualTimers } from './manual-timers.ts';

/** What DNS says of a name: addresses, a fault, or nothing ever. */
export type Said = readonly string[] | Error | 'silence';

export class FakeDns implements DnsClient {
  readonly hosts = new Map<string, Said>();
  readonly records = new Map<string, readonly ServiceRecord[] | Error>();
  /** Names in the order in which they were asked for. */
  readonly asked: string[] = [];
  isClosed = false;

  async addresses(host: string, family: 4 | 6): Promise<readonly string[]> {
    this.asked.push(host);
    const said = this.hosts.get(host) ?? [];
    if (said === 'silence') return await Promise.withResolvers<string[]>().promise;
    if (said instanceof Error) throw said;
    return said.filter((address) => address.includes(':') === (family === 6));
  }

  async services(name: string): Promise<readonly ServiceRecord[]> {
    this.asked.push(name);
    const said = this.records.get(name) ?? [];
    if (said instanceof Error) throw said;
    return said;
  }

  close(): void {
    this.isClosed = true;
  }
}

export function targetOf(url: string): Target {
  const parsed = parseTarget(url);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}

export const RESOLVE: ResolveConfig = { intervalMs: 10_000, families: 'ipv4-first' };

export interface SceneOptions {
  readonly blue?: readonly string[];
  readonly green?: readonly string[];
  /** As it is configured at this moment; undefined: the service is about to go. */
  readonly configOf?: () => ResolveConfig | undefined;
  readonly isOurs?: (place: Place) => boolean;
  readonly mayLeadTo?: NamesParts['mayLeadTo'];
  readonly slots?: Slots;
}

/** Builds names for one service; `table()` has its targets. */
export function nameScene(t: Test, options: SceneOptions = {}) {
  const { blue = ['http://app.test:3000'], green = [] } = options;
  const slots = options.slots ?? new Slots(QUIET);
  const dns = new FakeDns();
  const timers = new ManualTimers();
  const log = new TestLog();
  const told: { readonly version: number; readonly names: readonly NameAddresses[] }[] = [];
  const workers = {
    /** The version that all of them go by; undefined: the latest. */
    heard: undefined as number | undefined,
    resolve: (version: number, names: readonly NameAddresses[]): void => {
      told.push({ version, names });
    },
    get resolvedVersion(): number {
      return this.heard ?? told.at(-1)?.version ?? 0;
    },
  };
  const changes: number[] = [];
  const names = new Names({
    configOf: options.configOf ?? (() => RESOLVE),
    dns: dns,
    slots,
    isOurs: options.isOurs ?? (() => false),
    mayLeadTo: options.mayLeadTo ?? (() => true),
    workers,
    onChange: () => changes.push(told.length),
    timers,
    log,
  });
  t.teardown(() => names.stop());
  const table = (
    urls: { readonly blue?: readonly string[]; readonly green?: readonly string[] } = {},
  ): RoutingTable => {
    const service = serviceConfig({
      blue: { release: 'v1', targets: (urls.blue ?? blue).map(targetOf) },
      green: { release: 'v2', targets: (urls.green ?? green).map(targetOf) },
    });
    return begun([service], { slots }).table;
  };
  const first = table();
  slots.retain([first]);
  return { names, dns, timers, log, told, workers, changes, slots, table, first };
}

/** Returns the names of a table. */
export function namesIn({ services }: RoutingTable): Endpoint[] {
  return services.flatMap(deploymentsOf).flatMap(({ endpoints }) => endpoints.filter(isNamed));
}

/** Returns where the first name of `table` leads. */
export function placesOf(names: Names, table: RoutingTable): string[] {
  return names.of(namesIn(table)[0]!).map(({ place }) => place!);
}

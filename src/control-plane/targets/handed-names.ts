// Where names led in the process before an upgrade: believed until DNS has answered here, so that a
// target stays reachable although DNS is down in that moment. Each report is used once, at the start.

import type { Endpoint } from '../../contract/table.ts';
import type { Place } from './lookup.ts';
import type { LookedUpName, NameStatus } from './looked-up-name.ts';

/** What a process knew of one name. */
export interface NameReport {
  readonly deployment: number;
  readonly url: string;
  readonly places: readonly Place[];
  readonly status: NameStatus;
}

/** Returns what is known of `names`, without those that never led anywhere. */
export function nameReports(names: Iterable<LookedUpName>): NameReport[] {
  return [...names].flatMap(({ endpoint: { deployment, url }, live, status }): NameReport[] => {
    const places = live.flatMap(({ address }) => (address.kind === 'tcp' ? [address] : []));
    return places.length === 0 ? [] : [{ deployment, url, places, status }];
  });
}

/** Finds the report of a name. */
export class HandedNames {
  readonly #reports: ReadonlyMap<string, NameReport>;

  constructor(reports: readonly NameReport[] = []) {
    this.#reports = new Map(reports.map((report) => [keyOf(report), report]));
  }

  of(endpoint: Endpoint): NameReport | undefined {
    return this.#reports.get(keyOf(endpoint));
  }
}

function keyOf({ deployment, url }: Pick<Endpoint, 'deployment' | 'url'>): string {
  return `${deployment} ${url}`;
}

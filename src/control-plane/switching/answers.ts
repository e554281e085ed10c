// What the switchboard tells of a change that was made.

import type { Color, Service } from '../../contract/table.ts';
import type { SwitchRecord } from '../store/store.ts';

export interface SwitchAnswer {
  readonly generation: number;
  readonly service: string;
  readonly from: Color;
  readonly to: Color;
  readonly release: string;
  /** When the color became the active one, in ms since the epoch. */
  readonly publishedAtMs: number;
  readonly tookMs: number;
  /** False when the color was active already: nothing was done. */
  readonly changed: boolean;
}

/** What became of any other change. */
export interface ChangeAnswer {
  readonly generation: number;
  readonly service: Service;
  /** False when all was so already. */
  readonly changed: boolean;
}

/** Returns the answer to a switch that was made. */
export function switchAnswer(
  record: Pick<SwitchRecord, 'generation' | 'service' | 'from' | 'to' | 'release' | 'atMs'>,
  tookMs: number,
): SwitchAnswer {
  const { generation, service, from, to, release, atMs } = record;
  return { generation, service, from, to, release, publishedAtMs: atMs, tookMs, changed: true };
}

/** Returns the answer to another change of `service`, as it is since `generation`. */
export function changeAnswer(generation: number, service: Service): ChangeAnswer {
  return { generation, service, changed: true };
}

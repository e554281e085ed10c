// What a worker tells the control plane of responses that differ: once in a while, so many paths at
// most, with one example of each.

import type { ShadowDifference, ShadowedPath } from '../../contract/shadow-rules.ts';
import { Timer, type TimerOwner, type Wheel } from '../base/wheel.ts';
import { plainPath } from './plain-path.ts';

/** Paths of one deployment that are told at once; others that differ are only counted. */
export const PATHS_TOLD_MAX = 32;
/** Deployments that are told at once. */
const DEPLOYMENTS_TOLD_MAX = 16;
const TELL_MS = 1_000;

export type DifferencesReport = (deployment: number, paths: readonly ShadowedPath[]) => void;

export class DifferenceNotes implements TimerOwner {
  readonly #wheel: Wheel;
  readonly #report: DifferencesReport;
  readonly #contained: (error: unknown) => void;
  /** By number of the deployment, then by method and path. */
  readonly #noted = new Map<number, Map<string, ShadowedPath>>();
  readonly #timer = new Timer(this);

  constructor(wheel: Wheel, report: DifferencesReport, contained: (error: unknown) => void) {
    this.#wheel = wheel;
    this.#report = report;
    this.#contained = contained;
  }

  note(deployment: number, method: string, rawPath: string, example: ShadowDifference): void {
    const path = plainPath(rawPath);
    let paths = this.#noted.get(deployment);
    if (paths === undefined) {
      if (this.#noted.size >= DEPLOYMENTS_TOLD_MAX) return;
      paths = new Map();
      this.#noted.set(deployment, paths);
    }
    const key = `${method} ${path}`;
    const known = paths.get(key);
    if (known === undefined && paths.size >= PATHS_TOLD_MAX) return;
    paths.set(key, { method, path, count: (known?.count ?? 0) + 1, example });
    if (!this.#timer.isArmed) this.#wheel.arm(this.#timer, TELL_MS);
  }

  onDeadline(): void {
    const noted = [...this.#noted];
    this.#noted.clear();
    for (const [deployment, paths] of noted) this.#report(deployment, [...paths.values()]);
  }

  onFault(error: unknown): void {
    this.#contained(error);
  }
}

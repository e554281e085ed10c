// What workers have told of responses to copies that differ from those of clients: by deployment, the
// paths that do so most often. Bounded, because clients choose the paths.

import type { ShadowedPath } from '../../contract/shadow-rules.ts';

/** Paths that are told. */
const WORST_PATHS_MAX = 10;
/** Paths that are remembered of one deployment: many more than are told, so that the worst are among them. */
const PATHS_KEPT_MAX = 256;
/** Deployments that are shadowed at once are few; what is left of earlier ones goes. */
const DEPLOYMENTS_KEPT_MAX = 32;

export class ShadowDifferences {
  /** By number of the deployment, then by method and path. */
  readonly #kept = new Map<number, Map<string, ShadowedPath>>();

  hear(deployment: number, paths: readonly ShadowedPath[]): void {
    const kept = this.#of(deployment);
    for (const told of paths) {
      const key = `${told.method} ${told.path}`;
      const count = told.count + (kept.get(key)?.count ?? 0);
      if (!kept.has(key) && kept.size >= PATHS_KEPT_MAX) dropRarest(kept);
      kept.set(key, { ...told, count });
    }
  }

  /** Returns the paths that differ most often, the worst first. */
  worst(deployment: number): ShadowedPath[] {
    const paths = [...(this.#kept.get(deployment)?.values() ?? [])];
    return paths.toSorted((a, b) => b.count - a.count).slice(0, WORST_PATHS_MAX);
  }

  /** Another question begins: what was told before does not belong to it. */
  forget(deployment: number): void {
    this.#kept.delete(deployment);
  }

  #of(deployment: number): Map<string, ShadowedPath> {
    const known = this.#kept.get(deployment);
    if (known !== undefined) return known;
    const made = new Map<string, ShadowedPath>();
    if (this.#kept.size >= DEPLOYMENTS_KEPT_MAX) {
      const [oldest] = this.#kept.keys();
      this.#kept.delete(oldest!);
    }
    this.#kept.set(deployment, made);
    return made;
  }
}

function dropRarest(paths: Map<string, ShadowedPath>): void {
  const [rarest] = [...paths].toSorted(([, a], [, b]) => a.count - b.count);
  if (rarest !== undefined) paths.delete(rarest[0]);
}

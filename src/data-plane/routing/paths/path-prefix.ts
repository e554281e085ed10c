// Path prefixes of services. A prefix matches whole segments, as the client wrote them: `/shop` takes
// `/shop` and `/shop/x`, not `/shopping` and not `/shop%2Fx`.

/** Tells whether `path` lies under `prefix`, which has no slash at its end. */
export function isUnder(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false;
  return path.length === prefix.length || path[prefix.length] === '/';
}

/** Returns `path` without a slash at its end. */
export function trimSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

/** Returns those of `paths` that can be left out of a path, the longest first. */
export function stripped(paths: readonly string[]): readonly string[] {
  const prefixes = paths.map(trimSlash).filter((path) => path !== '');
  return prefixes.toSorted((a, b) => b.length - a.length);
}

/** Returns the one of `prefixes`, the longest first, that `path` lies under; empty: none. */
export function prefixOf(prefixes: readonly string[], path: string): string {
  return prefixes.find((prefix) => isUnder(path, prefix)) ?? '';
}

// Paths that an app may read as another path than the one that is written there.

/** What stands for a border of segments, doubled, encoded or in another form, or for parameters. */
const MISREAD: readonly string[] = ['//', '%2f', '%5c', '\\', ';'];

/** Tells whether `path` has such signs, or a segment of nothing but dots, encoded or not. */
export function isAmbiguousPath(path: string): boolean {
  const lower = path.toLowerCase();
  for (const sign of MISREAD) if (lower.includes(sign)) return true;
  for (const segment of lower.replaceAll('%2e', '.').split('/')) {
    if (segment !== '' && isDots(segment)) return true;
  }
  return false;
}

function isDots(segment: string): boolean {
  for (const char of segment) if (char !== '.') return false;
  return true;
}

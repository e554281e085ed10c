// Paths by pattern: `*` stands for any characters, also for none and for slashes. Matched part by
// part from the left, so the cost is bounded by path times pattern and nothing backtracks twice.

export class PathPatterns {
  readonly #patterns: readonly (readonly string[])[];

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map((pattern) => pattern.split('*'));
  }

  get isEmpty(): boolean {
    return this.#patterns.length === 0;
  }

  matches(path: string): boolean {
    return this.#patterns.some((parts) => matchesParts(path, parts));
  }
}

function matchesParts(path: string, parts: readonly string[]): boolean {
  const first = parts[0]!;
  if (parts.length === 1) return path === first;
  const last = parts.at(-1)!;
  if (!path.startsWith(first) || !path.endsWith(last)) return false;
  const stop = path.length - last.length;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = path.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return at <= stop;
}

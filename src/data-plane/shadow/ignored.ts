// What may differ between two responses, such as the time of day or a token in a form: all between
// texts that an operator names, or such a text itself. Not regular expressions: the time that these take grows with the text alone,
// whatever an operator writes, because clients wait for the same thread.

export class Ignored {
  /** Each as texts that follow each other, one character per byte. */
  readonly #patterns: readonly (readonly string[])[];

  constructor(patterns: readonly (readonly string[])[]) {
    this.#patterns = patterns.map((parts) =>
      parts.map((part) => Buffer.from(part, 'utf8').toString('latin1')),
    );
  }

  get isEmpty(): boolean {
    return this.#patterns.length === 0;
  }

  /**
   * Returns `text` without what may differ. `isCut`: more came behind it, so what begins and does not
   * end in it is left out too.
   */
  strip(text: string, isCut: boolean): string {
    let rest = text;
    for (const parts of this.#patterns) rest = stripOne(rest, parts, isCut);
    return rest;
  }
}

function stripOne(text: string, parts: readonly string[], isCut: boolean): string {
  const first = parts[0]!;
  if (parts.length === 1) return text.replaceAll(first, '');
  let kept = '';
  let from = 0;
  for (let at = text.indexOf(first); at !== -1; at = text.indexOf(first, from)) {
    const begin = at + first.length;
    const end = endOf(text, parts, begin);
    if (end === -1) return kept + text.slice(from, isCut ? begin : undefined);
    kept += text.slice(from, begin);
    from = end;
  }
  return kept + text.slice(from);
}

/** Returns where the last text of `parts` is over, each behind the one before; -1: one is missing. */
function endOf(text: string, parts: readonly string[], begin: number): number {
  let at = begin;
  for (let i = 1; i < parts.length; i++) {
    const found = text.indexOf(parts[i]!, at);
    if (found === -1) return -1;
    at = found + parts[i]!.length;
  }
  return at;
}

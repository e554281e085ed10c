// Finds a member that stands twice in one object of a JSON text. JSON.parse takes the last one without a
// word, others the first (RFC 8259 §4): what is meant can't be known. Knows nothing of what members mean.

/** What the structure of a text consists of: strings as a whole, and the signs between them. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g;

/** Returns the name of the first member that is repeated; undefined: none is. `text` is well-formed JSON. */
export function repeatedMember(text: string): string | undefined {
  /** Names in the objects that are open; undefined: a list. */
  const open: (Set<string> | undefined)[] = [];
  let before = '';
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':') {
      const names = open.at(-1)!;
      // The same name may be written in several ways.
      const name = String(JSON.parse(before));
      if (names.has(name)) return name;
      names.add(name);
    }
    before = token;
  }
  return undefined;
}

// Values in the query of a request target (the part of WHATWG URL §5.1 that a look-up needs).

/** Returns the value of the first `name` in the query of `target`; undefined when there is none. */
export function queryValue(target: string, name: string): string | undefined {
  const wanted = `${name}=`;
  let at = target.indexOf('?') + 1;
  while (at > 0) {
    const ampersand = target.indexOf('&', at);
    if (target.startsWith(wanted, at)) {
      const value = target.slice(at + wanted.length, ampersand === -1 ? undefined : ampersand);
      return decoded(value);
    }
    at = ampersand + 1;
  }
  return undefined;
}

function decoded(value: string): string {
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value; // No valid escape: then it is what it looks like.
  }
}

// The head of a request for a target that does not know under which path prefix clients see it.

/**
 * Returns `head`, as it would be sent to a target, with `prefix` left out of the path of its request
 * target. `isTold`: the target learns what was left out, so that its links can begin with it. One slash is
 * left of several at the new begin: `//x` would be read as a host by what takes it for a reference.
 */
export function withoutPrefix(head: string, prefix: string, isTold: boolean): string {
  const targetStart = head.indexOf(' ') + 1;
  const start = pathStart(head, targetStart);
  let next = start + prefix.length;
  while (head[next] === '/') next++;
  const told = isTold ? `X-Forwarded-Prefix: ${prefix}\r\n` : '';
  return `${head.slice(0, start)}/${head.slice(next, -2)}${told}\r\n`;
}

/** In absolute form (RFC 9112 §3.2.2), the path begins behind the authority. */
function pathStart(head: string, targetStart: number): number {
  if (head[targetStart] === '/') return targetStart;
  return head.indexOf('/', head.indexOf('://', targetStart) + 3);
}

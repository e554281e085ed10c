// The other end of a connection, as far as its address tells. Pure.

/** Returns where a connection comes from: an IP address, or `unix` where it has none. */
export function addressOf({
  remoteAddress,
}: {
  readonly remoteAddress?: string | undefined;
}): string {
  return remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '') ?? 'unix';
}

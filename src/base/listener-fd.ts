// The file descriptor of a listening socket, so that another process can inherit it and its accept
// queue survives an upgrade. Like data-plane/transport/accepted-socket.ts it touches something that
// Node does not document: the `fd` of a server's `_handle`. Where it is missing there is no
// descriptor, and an upgrade is refused.

/** Returns the descriptor of `server`, which listens; undefined where Node does not show it. */
export function listenerFd(server: object): number | undefined {
  const { _handle: handle } = server as { readonly _handle?: { readonly fd?: unknown } };
  const fd = handle?.fd;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}

// What is wrong with an address that cannot be listened on, in one line for its operator.

import { printAddress, type ListenAddress } from '../../contract/worker-settings.ts';

const LISTEN_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use',
  EACCES: 'no permission',
  EADDRNOTAVAIL: 'this machine does not have the address',
};

/** Returns the line for a failed listen; `code` is that of the system error. */
export function listenFault(
  listen: ListenAddress,
  { code, message }: { readonly code: string; readonly message: string },
): string {
  const next = code === 'EACCES' && isLow(listen) ? LOW_PORT : '';
  return `cannot listen on ${printAddress(listen)}: ${LISTEN_FAULTS[code] ?? message} (${code})${next}`;
}

const LOW_PORTS_BELOW = 1_024;
const LOW_PORT =
  ': a port below 1024 needs the capability CAP_NET_BIND_SERVICE, or a socket that systemd opens';

function isLow(listen: ListenAddress): boolean {
  return listen.kind === 'tcp' && listen.port < LOW_PORTS_BELOW;
}

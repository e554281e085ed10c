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
  return `cannot listen on ${printAddress(listen)}: ${LISTEN_FAULTS[code] ?? message} (${code})`;
}

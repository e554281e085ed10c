// Pure: what an operator is told of an answer that did not pass a check: what was asked, what came, and
// which setting mends it where the app is well and only the question was wrong.

import type { ProxyVersion } from '../../base/proxy-greeting.ts';
import type { HealthConfig } from '../../config/config.ts';

interface Asked extends Pick<HealthConfig, 'path' | 'statusMin' | 'statusMax'> {
  /** The Host field that was sent. */
  readonly host: string;
  readonly isTls: boolean;
  /** What the connection began with. */
  readonly sendProxy: ProxyVersion | undefined;
}

/** Returns `reason`, and what may be behind it where the connection began with a PROXY header. */
export function reasonAfterHeader(reason: string, sendProxy: ProxyVersion | undefined): string {
  if (sendProxy === undefined) return reason;
  return `${reason}; it may not expect the PROXY header that it is sent first (sendProxy: ${sendProxy})`;
}

/** Returns why `status` did not pass. */
export function statusReason(asked: Asked, status: number): string {
  const { path, statusMin, statusMax, sendProxy } = asked;
  // A query may hold a secret, and this text goes to logs.
  const [shown] = path.split('?', 1);
  const gave = `GET ${shown} gave ${status}`;
  // What cannot read the header takes it for a bad request.
  if (status === 400 && sendProxy !== undefined) return reasonAfterHeader(gave, sendProxy);
  return `${gave}${remedy(status, asked) ?? `, expected ${statusMin}-${statusMax}`}`;
}

function remedy(status: number, { host, isTls }: Asked): string | undefined {
  if (status >= 300 && status <= 399) {
    return ', a redirect: set health.path to where it leads, or health.status to 200-399';
  }
  switch (status) {
    case 404:
    case 405:
    case 410:
    case 501:
      return ': set health.path, or health.kind: tcp';
    case 401:
    case 407:
      return ', it wants a login: set health.path to a page without one, or health.kind: tcp';
    case 400:
    case 403:
    case 421: {
      // nginx and others say so that they want a certificate of the client.
      const shown = isTls ? ', or upstreamTls.cert if it wants a certificate' : '';
      return `: it may want another Host than ${host}: set health.host, or health.path, or health.kind: tcp${shown}`;
    }
    default:
      return undefined;
  }
}

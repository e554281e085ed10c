// Pure: what an operator is told of an answer that did not pass a check: what was asked, what came, and
// which setting mends it where the app is well and only the question was wrong.

import type { HealthConfig } from '../../config/config.ts';

type Asked = Pick<HealthConfig, 'path' | 'host' | 'statusMin' | 'statusMax'>;

/** Returns why `status` did not pass; `host`: the Host field that was sent. */
export function statusReason({ path, host, statusMin, statusMax }: Asked, status: number): string {
  // A query may hold a secret, and this text goes to logs.
  const [shown] = path.split('?', 1);
  return `GET ${shown} gave ${status}${remedy(status, host) ?? `, expected ${statusMin}-${statusMax}`}`;
}

function remedy(status: number, host: string): string | undefined {
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
    case 421:
      return `: it may want another Host than ${host}: set health.host, or health.path, or health.kind: tcp`;
    default:
      return undefined;
  }
}

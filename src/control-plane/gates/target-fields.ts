// What a target is told by requests that a gate sends: the same as by those of users, as far as a gate knows.
// And what an operator is told of them.

import { tlsFaultOf } from '../../base/target-certificates.ts';
import type { LiveEndpoint } from '../../contract/table.ts';
import { reasonOf } from '../notifications/signed-post.ts';
import type { GateSubject } from './asked-gate.ts';

/** Returns the fields of a request to a target of the new deployment; `host`: of the service, or empty. */
export function targetFields(
  { to }: GateSubject,
  { authority }: LiveEndpoint,
  { share, host }: { readonly share: number; readonly host: string },
): Record<string, string> {
  return {
    host: host === '' ? authority : host,
    'user-agent': 'turnout-gate',
    accept: '*/*',
    'x-turnout-color': to.color,
    ...(to.release === '' ? {} : { 'x-turnout-release': to.release }),
    'x-turnout-role': share === 0 ? 'idle' : share < 100 ? 'canary' : 'active',
  };
}

/** Returns a target as operators know it. */
export function targetName({ url, place }: LiveEndpoint): string {
  return place === undefined ? url : `${url} (${place})`;
}

/** Returns why a target is not connected to. */
export function astray(endpoint: LiveEndpoint): string {
  return `${targetName(endpoint)}: the path leads elsewhere than targets.allow or the token says`;
}

/** Returns why a request to a target failed. */
export function targetReason(error: unknown): string {
  return tlsFaultOf(error)?.reason ?? reasonOf(error);
}

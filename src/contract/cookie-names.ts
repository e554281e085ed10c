// The names of the cookies that one instance of Turnout gives: sessions and previews. The name of
// a service's cookie depends on the instance and on that service alone, so neighbours may come and
// go. What is behind the name of an instance holds no dash: no name of one instance can be read as
// a name of another one that begins alike.

import type { ServicePolicy } from './service-policy.ts';

/** What a service's cookies are named after. */
export interface NamedService {
  readonly name: string;
  readonly policy: Pick<ServicePolicy, 'affinity'>;
}

/** The service that needs no name. */
const DEFAULT_SERVICE = 'default';
/** Of the names that versions before instances gave. */
const FORMER_NAME = 'turnout';

/** Returns the name of the session cookie; over TLS it has a prefix for browsers before it. */
export function sessionCookieName(instance: string, { name, policy }: NamedService): string {
  const { cookieName } = policy.affinity;
  if (cookieName !== '') return cookieName;
  const ofInstance = instancePrefix(instance);
  return name === DEFAULT_SERVICE ? ofInstance : `${ofInstance}-${name}`;
}

/**
 * Returns the cookie that carries the preview token of a service with that session cookie. No name of
 * a service has a `~`, so it is the session cookie of none.
 */
export function previewCookieName(sessionCookie: string): string {
  return `${sessionCookie}-~preview`;
}

/**
 * Returns the session cookies that a service may have had before its name held the instance: the
 * first one while it was alone, the other one beside others. A name that is set has not changed.
 */
export function formerCookieNames({ name, policy }: NamedService): string[] {
  return policy.affinity.cookieName === '' ? [FORMER_NAME, `${FORMER_NAME}-${name}`] : [];
}

/** The cookies of an instance, without the prefixes for browsers. */
export interface InstanceCookies {
  /** A name that is this, or begins with this and a dash, is one of them. */
  readonly prefix: string;
  readonly names: readonly string[];
  /** Names of earlier versions: another instance may have one of them now. */
  readonly formerNames: readonly string[];
}

/** Returns all cookies of an instance with `services`. */
export function instanceCookies(
  instance: string,
  services: readonly NamedService[],
): InstanceCookies {
  const explicit = services.map(({ policy }) => policy.affinity.cookieName);
  const former = [FORMER_NAME, ...services.map(({ name }) => `${FORMER_NAME}-${name}`)];
  return {
    prefix: instancePrefix(instance),
    names: withPreviews(explicit.filter((name) => name !== '')),
    formerNames: former.flatMap((name) => [name, `${name}-preview`]),
  };
}

/** Earlier versions gave `NAME-preview`, and a browser may have it still. */
function withPreviews(names: readonly string[]): string[] {
  return names.flatMap((name) => [name, previewCookieName(name), `${name}-preview`]);
}

function instancePrefix(instance: string): string {
  return `turnout-${instance}`;
}

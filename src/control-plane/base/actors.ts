// The actor behind a change, as the audit log and the history write it. Three kinds of names that
// never look alike: what Turnout says itself, the name of a token as it is, the name of a client
// certificate behind `cert:`. Pure.

/** The actor of a switch that no operator has asked for: the rule of failover-rule.ts did. */
export const FAILOVER_ACTOR = 'failover';

/** What no token may be called, in lower case: it says something else. */
const OWN: ReadonlySet<string> = new Set([
  'loopback',
  'unix',
  'shell',
  'nobody',
  'turnout',
  'file',
  'sighup',
  'cert',
  FAILOVER_ACTOR,
]);

/** Tells whether `name` would be taken for one of our own; to readers capitals make no difference. */
export function isReservedName(name: string): boolean {
  return OWN.has(name.toLowerCase());
}

/** Returns how the holder of a client certificate is written: no token has a colon in its name. */
export function certificateActor(name: string): string {
  return `cert:${name}`;
}

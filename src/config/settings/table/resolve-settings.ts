// Settings of name lookups: whom to ask, for all services, and how often and for what, for each.

import { parseServer } from '../../values/grammar.ts';
import { choice, duration, list } from '../kinds/row.ts';

/** Whom names are asked of. */
export const RESOLVE_SETTINGS = {
  servers: list({
    noun: 'servers',
    countMax: 8,
    allowed: 'IP addresses, with a port or without',
    parse: parseServer,
    fallbackText: 'the system',
    doc: 'DNS servers that the names of targets are asked of.',
    why: 'the system knows its servers, its search domains and /etc/hosts; servers named here know whole names only',
  }),
} as const;

/** How the names of one service are looked up. */
export const SERVICE_RESOLVE_SETTINGS = {
  interval: duration({
    fallback: '10s',
    min: '1s',
    max: '1h',
    doc: 'From one lookup of the name of a target to the next.',
    why: 'a container that was replaced is found before most clients give up, at next to no load',
  }),
  families: choice({
    of: ['ipv4-first', 'ipv6-first', 'both'],
    fallback: 'ipv4-first',
    doc: 'Addresses of a name that are used: those of one family, the other where there is none, or both.',
    why: 'both families of a name are mostly the same app twice, and not every network carries both',
  }),
} as const;

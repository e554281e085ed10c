// The settings of client connections: what one client may do, and for how long it is waited for.

import { parseMethodName } from '../../values/method-name.ts';
import { duration, integer, list, size } from '../kinds/row.ts';

/** Client connections of one worker, unless told otherwise. */
export const CONNECTIONS_DEFAULT = 16_384;

export const CLIENT_SETTINGS = {
  connections: integer({
    fallback: CONNECTIONS_DEFAULT,
    min: 1,
    max: 1_000_000,
    doc: 'Client connections of one worker, and no more than fit into the file descriptors; over that, the longest idle one of the network with most makes room, or the new one is refused.',
    why: 'ten thousand idle clients fit with room for those that work, in about 200 MiB',
  }),
  headSize: size({
    fallback: '32KiB',
    min: '1KiB',
    max: '1MiB',
    doc: 'Request line and fields together.',
    why: 'as much as nginx takes (4 buffers of 8 KiB), so what passed there passes here',
  }),
  headFields: integer({
    fallback: 100,
    min: 10,
    max: 2_000,
    doc: 'Fields of a request head.',
    why: 'browsers send about 20, chains of proxies add a dozen; Apache stops at 100 as well',
  }),
  targetSize: size({
    fallback: '8KiB',
    min: '256B',
    max: '256KiB',
    doc: 'Request target (path and query) alone.',
    why: 'RFC 9112 §3 asks for 8000 octets at least',
  }),
  methods: list({
    noun: 'methods',
    countMax: 32,
    allowed: 'methods such as LIST or BAN',
    parse: parseMethodName,
    doc: 'Methods that pass beside the registered ones, in their exact case; others get 501. CONNECT never passes.',
    why: 'what no list knows is a mistake or a probe; Vault has LIST, Varnish has BAN',
  }),
  bodySize: size({
    fallback: '0',
    min: '1B',
    max: '1024GiB',
    zeroMeans: 'no limit',
    doc: 'Request body.',
    why: 'bodies are streamed, so they cost no memory here, and the target knows its own limit',
  }),
  headTimeout: duration({
    fallback: '10s',
    min: '100ms',
    max: '10m',
    doc: 'From the first byte of a request head (or from accept) to its last.',
    why: 'a head is one packet or a few; slower is a very bad line or an attack',
  }),
  bodyIdleTimeout: duration({
    fallback: '60s',
    min: '100ms',
    max: '1h',
    doc: 'Longest pause inside a request body.',
    why: 'as nginx (client_body_timeout); phones that change cells come back within it',
  }),
  sendIdleTimeout: duration({
    fallback: '60s',
    min: '100ms',
    max: '1h',
    doc: 'Longest pause of a client that should be reading its answer.',
    why: 'as nginx (send_timeout); a client that reads nothing for a minute has gone',
  }),
  keepAliveTimeout: duration({
    fallback: '60s',
    min: '1s',
    max: '24h',
    doc: 'Idle time between two requests of one connection.',
    why: 'as common load balancers; behind one, make this longer than its own idle time',
  }),
  requests: integer({
    fallback: 0,
    min: 0,
    max: 1_000_000_000,
    zeroMeans: 'no limit',
    doc: 'Requests on one connection before it is closed.',
    why: 'closing costs a handshake and gains nothing where connections are bounded',
  }),
} as const;

// The table of all settings, one row each, in the shape of the file. Default, bounds, meaning
// and reason stand here and nowhere else. Services have their own table: service-settings.ts.

import { parseListen } from '../../values/address.ts';
import { ADMIN_SETTINGS, METRICS_SETTINGS, TARGETS_SETTINGS } from './admin-settings.ts';
import { parseRange } from '../../values/grammar.ts';
import { parseIdField, parseStrippedName } from '../../values/field-name.ts';
import { CLIENT_SETTINGS } from './client-settings.ts';
import { NOTIFY } from '../rollout/hook-rows.ts';
import { ACME_SETTINGS, LISTEN, TLS_SETTINGS } from './listen-settings.ts';
import { RESOLVE_SETTINGS } from './resolve-settings.ts';
import {
  choice,
  duration,
  integer,
  list,
  matching,
  optional,
  size,
  text,
  toggle,
} from '../kinds/row.ts';
import { FREEZE_EXAMPLES, FREEZES_MAX, parseFreezeWindow } from '../../values/freeze-window.ts';

/** Worker threads at most: each has its own pools, so targets see one pool per worker. */
export const WORKERS_MAX = 64;

const upstream = {
  connectTimeout: duration({
    fallback: '3s',
    min: '10ms',
    max: '60s',
    doc: 'Time allowed to open a connection to a target, or to wait until one is free.',
    why: 'outlives one lost SYN, which is sent again after 1 s (RFC 6298 §2)',
  }),
  headTimeout: duration({
    fallback: '60s',
    min: '100ms',
    max: '1h',
    doc: 'From the last byte of a request to the head of its final answer.',
    why: 'as nginx (proxy_read_timeout), so slow reports that worked there work here',
  }),
  headSize: size({
    fallback: '64KiB',
    min: '1KiB',
    max: '1MiB',
    doc: 'Status line and fields of an answer together.',
    why: 'targets are trusted more than clients, and Set-Cookie and CSP fields are long',
  }),
  headFields: integer({
    fallback: 200,
    min: 10,
    max: 2_000,
    doc: 'Fields of the head of an answer.',
    why: 'twice what a request may have, for answers with many Set-Cookie or Link fields',
  }),
  bodyIdleTimeout: duration({
    fallback: '60s',
    min: '100ms',
    max: '24h',
    doc: 'Longest pause inside the body of an answer.',
    why: 'event streams send a comment every 15 to 30 s; a minute tells silence from death',
  }),
  tunnelIdleTimeout: duration({
    fallback: '1h',
    min: '1s',
    max: '24h',
    doc: 'Longest silence of an upgraded connection (WebSocket), counting both directions.',
    why: 'quiet chats stay open, forgotten ones do not stay for ever',
  }),
  idleTimeout: duration({
    fallback: '4s',
    min: '100ms',
    max: '1h',
    doc: 'Life of an unused pooled connection; keep it shorter than the keep-alive of the target.',
    why: 'Node closes idle connections after 5 s; closing first avoids a race on reuse',
  }),
  connections: integer({
    fallback: 1_024,
    min: 1,
    max: 65_536,
    doc: 'Open connections to one target from one worker.',
    why: 'more than an app serves at once, less than the ports one address can give (28,000)',
  }),
  waiting: integer({
    fallback: 1_024,
    min: 0,
    max: 65_536,
    doc: 'Requests that wait for a connection to one target in one worker; more get 503.',
    why: 'one more round of full connections; a longer queue only answers too late',
  }),
} as const;

const forwarding = {
  trustedProxies: list({
    noun: 'ranges',
    countMax: 256,
    allowed: 'IP addresses and CIDR ranges',
    parse: parseRange,
    flag: 'trusted-proxies',
    isCommon: true,
    doc: 'Peers whose forwarding fields are believed and appended to.',
    why: 'any client can write X-Forwarded-For; only a proxy that is named here is believed',
  }),
  strip: list({
    noun: 'names',
    countMax: 64,
    allowed: 'names of fields such as X-Auth-User, or X-Auth-* for all that begin so',
    parse: parseStrippedName,
    flag: 'strip-fields',
    doc: 'Further fields that only trusted peers may send: from others they are dropped, with _ for - too.',
    why: 'what usual frameworks believe is dropped already (docs/security.md); your app may believe more',
  }),
  xForwarded: toggle({
    fallback: true,
    flag: 'x-forwarded',
    doc: 'Send X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host to targets.',
    why: 'frameworks read these to learn the address of the client',
  }),
  forwarded: toggle({
    fallback: false,
    flag: 'forwarded',
    doc: 'Send Forwarded (RFC 7239) to targets.',
    why: 'few apps read it yet, and both forms at once invite them to differ',
  }),
  via: text({
    fallback: '',
    allowed: 'a token of at most 64 characters, or empty',
    parse: matching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]*$/, {
      charsMax: 64,
      expected: 'a token of at most 64 characters',
    }),
    flag: 'via',
    doc: 'Pseudonym in Via (RFC 9110 §7.6.3); empty: no Via.',
    why: 'some servers turn compression off when they see Via',
  }),
} as const;

const requestId = {
  field: text({
    fallback: 'x-request-id',
    allowed: 'a field name that ends in -id, in small letters, or off',
    parse: parseIdField,
    flag: 'request-id-field',
    doc: 'Field with the id of a request, for targets and on answers; kept from trusted proxies, else made.',
    why: 'what Heroku, Envoy and most frameworks call it; an id that any client may write names nothing',
  }),
} as const;

const tracing = {
  mode: choice({
    of: ['continue', 'trusted', 'off'],
    fallback: 'continue',
    flag: 'tracing-mode',
    doc: 'Whose traces (traceparent of W3C) go on: those of any client, of trusted proxies, or off: the fields pass as they are.',
    why: 'browsers and apps begin traces too; with trusted no client can choose what is recorded',
  }),
  start: choice({
    of: ['sampled', 'unsampled', 'none'],
    fallback: 'sampled',
    flag: 'tracing-start',
    doc: 'How a trace begins here, where none goes on; none leaves that to the target.',
    why: 'most tracers record what the caller marks as sampled and nothing else, so unsampled would silence them; one that records a share by itself needs none',
  }),
} as const;

const accessLog = {
  mode: choice({
    of: ['off', 'sampled', 'all'],
    fallback: 'sampled',
    flag: 'access-log',
    isCommon: true,
    doc: 'Which requests are logged; failures and 5xx answers are, unless off.',
    why: 'shows what goes on at a hundredth of the cost of a full log',
  }),
  oneIn: integer({
    fallback: 100,
    min: 1,
    max: 1_000_000,
    flag: 'access-log-one-in',
    doc: 'With sampled: one request in this many is logged.',
    why: '10,000 requests a second make 100 lines a second, which any collector takes',
  }),
  format: choice({
    of: ['json', 'ecs', 'combined'],
    fallback: 'json',
    flag: 'access-log-format',
    doc: 'Form of a line: JSON, JSON with the names of the Elastic Common Schema, or the combined format of Apache.',
    why: 'JSON has all that is known; combined is for tools that read nothing else',
  }),
  query: toggle({
    fallback: false,
    flag: 'access-log-query',
    doc: 'Log queries too; values of parameters that are named like secrets are masked.',
    why: 'links that log in, reset a password or share a file have their secret in the query, under any name',
  }),
} as const;

/** Everything but the services, in the shape of the file. */
export const SETTINGS = {
  listen: LISTEN,
  tls: TLS_SETTINGS,
  acme: ACME_SETTINGS,
  admin: ADMIN_SETTINGS,
  metrics: METRICS_SETTINGS,
  targets: TARGETS_SETTINGS,
  preview: {
    listen: optional(
      text({
        fallback: '',
        allowed: 'host:port, :port, port, [ipv6]:port or unix:/path',
        parse: (raw) => parseListen(raw, '127.0.0.1'),
        json: { type: ['string', 'integer'] },
        doc: 'Second listener where every request goes to the idle color, to test it before a switch.',
        why: 'every client that reaches it sees what is not released yet',
      }),
      'none',
    ),
  },
  state: {
    dir: text({
      fallback: './state',
      allowed: 'a path of at most 1024 characters',
      parse: matching(/^[^\0]+$/, {
        charsMax: 1_024,
        expected: 'a path of at most 1024 characters',
      }),
      flag: 'state',
      isCommon: true,
      doc: 'Directory of the durable state; made if it is missing.',
      why: 'beside the process; a container mounts a volume here',
    }),
  },
  instance: text({
    fallback: '',
    allowed: 'small letters, digits and _ (at most 32), or empty',
    parse: matching(/^[a-z0-9_]{0,32}$/, {
      charsMax: 32,
      expected: 'a name of small letters, digits and _ (at most 32)',
    }),
    flag: 'instance',
    doc: 'Name in the cookies of this Turnout: another one behind it, or on another port of the host, needs one of its own.',
    why: 'empty: six characters that belong to the signing keys, so instances that share keys share sessions',
  }),
  watch: toggle({
    fallback: true,
    flag: 'watch-config',
    doc: 'Read the file again when it has changed; SIGHUP and `turnout reload` do so in any case.',
    why: 'a file that is right comes into force at once; one that is not changes nothing',
  }),
  workers: optional(
    integer({
      fallback: 1,
      min: 1,
      max: WORKERS_MAX,
      isCommon: true,
      doc: 'Worker threads that carry traffic.',
      why: 'a worker fills one CPU; more would only take turns',
    }),
    `one per CPU, at most ${WORKERS_MAX}; 1 where a listener cannot be shared`,
  ),
  log: {
    level: choice({
      of: ['fatal', 'error', 'warn', 'info', 'debug'],
      fallback: 'info',
      isCommon: true,
      doc: 'Least severe level that the control plane logs. debug: each check and lookup, the turn of each change, each table, at most 20 lines of a kind in a second.',
      why: 'a line for each decision, none for each request',
    }),
  },
  stop: {
    readyDelay: duration({
      fallback: '0s',
      min: '0s',
      max: '5m',
      isCommon: true,
      doc: 'After SIGTERM readyz says 503 for this long before listeners close.',
      why: 'Ctrl-C should stop at once; behind a load balancer, give it the time of its probes',
    }),
    deadline: duration({
      fallback: '30s',
      min: '0s',
      max: '1h',
      isCommon: true,
      doc: 'Requests that still run this long after the listeners closed are cut.',
      why: 'the usual grace period of an orchestrator; with readyDelay stay below yours',
    }),
  },
  freezes: list({
    noun: 'freezes',
    countMax: FREEZES_MAX,
    allowed: FREEZE_EXAMPLES,
    parse: parseFreezeWindow,
    doc: 'Times in which no service is switched, each in the zone it names; a rollback goes through.',
    why: 'which days are quiet is known to you alone',
  }),
  exposeColor: toggle({
    fallback: false,
    doc: 'Add x-turnout-color, x-turnout-release and x-turnout-generation to answers too.',
    why: 'useful in tests, but tells clients about the insides',
  }),
  client: CLIENT_SETTINGS,
  upstream,
  resolve: RESOLVE_SETTINGS,
  forwarding,
  requestId,
  tracing,
  accessLog,
  notify: NOTIFY,
} as const;

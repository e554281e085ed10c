// The table of the settings of one service, one row each, in the shape of the file.

import { SCHEMA_MAX } from '../../../api/api-limits.ts';
import { PROXY_VERSIONS } from '../../../base/proxy-greeting.ts';
import type { Color } from '../../../contract/table.ts';
import {
  parseHostField,
  parseHostRule,
  parseOneHost,
  parsePathPattern,
  parsePathRule,
  parseStatusRange,
} from '../../values/grammar.ts';
import { AFFINITY_SETTINGS } from './affinity-settings.ts';
import { EJECTION_SETTINGS, RETRY_SETTINGS } from './endpoint-settings.ts';
import { FAILOVER_SETTINGS } from './failover-settings.ts';
import { ROLLOUT_SETTINGS } from '../rollout/rollout-rows.ts';
import { SERVICE_RESOLVE_SETTINGS } from './resolve-settings.ts';
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
import { parseSchemaRange, SCHEMA_RANGE_PATTERN } from '../../values/schema-range.ts';
import { parseTarget } from '../../values/target.ts';
import { UPSTREAM_TLS_SETTINGS } from './upstream-tls-settings.ts';

/** Services at most: each holds counter blocks for both colors in shared memory. */
export const SERVICES_MAX = 64;

const RELEASE = 'letters, digits and . _ + : @ / - (at most 128), or empty';

const SEND_PROXY = ['off', ...PROXY_VERSIONS] as const;

/** One color. The flags differ by the color, so the rows are made twice. */
function side(color: Color) {
  return {
    release: text({
      fallback: '',
      allowed: RELEASE,
      parse: matching(/^[\w.+:@/-]*$/, { charsMax: 128, expected: RELEASE }),
      flag: `${color}-release`,
      doc: `What runs on ${color}: a version or a commit; it labels metrics, logs and requests.`,
      why: 'Turnout cannot know it',
    }),
    schema: {
      provides: optional(
        integer({
          fallback: 0,
          min: 0,
          max: SCHEMA_MAX,
          doc: `Schema of the data that the migrations of the release on ${color} bring.`,
          why: 'a release that says nothing of it fits always',
        }),
        'it says nothing',
      ),
      requires: optional(
        text({
          fallback: undefined,
          allowed: 'a range such as 10..12, or one number',
          parse: parseSchemaRange,
          json: { type: ['string', 'integer'], pattern: SCHEMA_RANGE_PATTERN },
          doc: `Schemas of the data that the code of the release on ${color} works with.`,
          why: 'code works at least with what comes with it',
        }),
        'what it provides',
      ),
    },
    targets: list({
      noun: 'targets',
      countMax: 64,
      allowed: 'http(s)://host:port, http(s)+srv://name and unix:/path',
      parse: parseTarget,
      flag: color,
      isCommon: true,
      doc: `Addresses of ${color}; none: it can't be switched to.`,
      why: 'Turnout cannot know them; one of the two colors must have some',
    }),
    sendProxy: optional(
      choice({
        of: SEND_PROXY,
        fallback: 'off',
        flag: '',
        doc: `The same as sendProxy of the service, for what runs on ${color}.`,
        why: 'while an app learns to read the header, one color does and the other does not',
      }),
      'as the service says',
    ),
  } as const;
}

const health = {
  kind: choice({
    of: ['http', 'tcp', 'none'],
    fallback: 'http',
    isCommon: true,
    doc: 'How targets are probed: a request, a connection, or not at all (always up).',
    why: 'only an answer shows that the app works; a port is open long before',
  }),
  path: text({
    fallback: '/healthz',
    allowed: 'a path, with a query or without, of at most 1024 characters',
    parse: matching(/^\/[!"$-~]{0,1023}$/, {
      charsMax: 1_024,
      expected: 'a path such as /healthz',
    }),
    isCommon: true,
    doc: 'What a probe asks for.',
    why: 'the most common name for it',
  }),
  host: text({
    fallback: '',
    allowed: 'a host, with a port or without, or empty',
    parse: parseHostField,
    doc: "Host field of a probe; empty: the target's own.",
    why: 'apps that serve one site do not look at it',
  }),
  status: text({
    fallback: '200-399',
    allowed: 'a status or a range of them, between 100 and 599',
    parse: parseStatusRange,
    json: { type: ['string', 'integer'] },
    doc: 'Statuses of an answer that pass.',
    why: 'a redirect to a login page is an app that works',
  }),
  interval: duration({
    fallback: '2s',
    min: '100ms',
    max: '5m',
    isCommon: true,
    doc: 'From one probe of a target to the next.',
    why: 'a dead target is out after three of them, 6 s, at next to no load',
  }),
  timeout: duration({
    fallback: '5s',
    min: '10ms',
    max: '60s',
    isCommon: true,
    doc: 'A probe that takes longer has failed.',
    why: 'longer than a collection pause of a busy app',
  }),
  rise: integer({
    fallback: 2,
    min: 1,
    max: 100,
    doc: 'Passes in a row until a target is up.',
    why: 'one pass may be luck while an app starts',
  }),
  fall: integer({
    fallback: 3,
    min: 1,
    max: 100,
    doc: 'Failures in a row until a target is down.',
    why: 'one lost packet should not take a target out',
  }),
} as const;

const drain = {
  requests: duration({
    fallback: '30s',
    min: '0s',
    max: '1h',
    isCommon: true,
    doc: 'What still runs this long after the sessions of a release have ended is cut.',
    why: 'the usual grace period of orchestrators',
  }),
  streams: duration({
    fallback: '60s',
    min: '0s',
    max: '24h',
    isCommon: true,
    doc: 'Window over which tunnels and event streams are closed (spread), or their deadline (linger).',
    why: 'thousands of clients that reconnect within one second are an attack of your own',
  }),
  sessions: duration({
    fallback: '30m',
    min: '0s',
    max: '7d',
    isCommon: true,
    doc: 'How long after a switch the sessions of the other release stay on it.',
    why: 'most visits are shorter; a session that stays longer moves over',
  }),
  longLived: choice({
    of: ['linger', 'spread', 'cut'],
    fallback: 'spread',
    isCommon: true,
    doc: 'Tunnels and event streams: stay until the deadline, close at random moments, close at once.',
    why: 'two releases side by side for hours do no good, and neither does a storm of reconnects',
  }),
  closesPerSecond: integer({
    fallback: 500,
    min: 0,
    max: 1_000_000,
    zeroMeans: 'no limit',
    doc: 'Tunnels and event streams that are closed in one second, even if the window gets longer.',
    why: 'a small server takes 500 new TLS connections a second',
  }),
} as const;

const skew = {
  mode: choice({
    of: ['off', 'on'],
    fallback: 'off',
    doc: 'Whether requests follow the release they name (x-deployment-id, ?dpl=), page loads the active one.',
    why: 'only apps that name their release gain from it',
  }),
  rescue: list({
    noun: 'patterns',
    countMax: 32,
    allowed: 'paths with * for anything, such as /assets/*',
    parse: parsePathPattern,
    doc: 'Paths whose 404 on the active color is tried once on the other.',
    why: 'only file names that change with each release are safe to look for elsewhere',
  }),
} as const;

const hold = {
  requests: integer({
    fallback: 1_000,
    min: 0,
    max: 100_000,
    doc: 'Requests that may wait in one worker while the service is held; more get 503.',
    why: 'a second of a busy service',
  }),
  size: size({
    fallback: '16MiB',
    min: '64KiB',
    max: '4GiB',
    doc: 'What those requests may have sent so far, all together.',
    why: 'a thousand requests with their heads and small forms',
  }),
} as const;

const maintenance = {
  page: text({
    fallback: '',
    allowed: 'HTML of at most 65536 characters, or empty',
    parse: matching(/^[^]*$/, {
      charsMax: 65_536,
      expected: 'HTML of at most 65536 characters',
    }),
    doc: 'Page that browsers get during maintenance; empty: a plain one.',
    why: 'your customers know your colors, not ours',
  }),
} as const;

const PAGE_FILE = {
  fallback: '',
  allowed: 'a path of at most 1024 characters, or empty',
  parse: matching(/^[^\0]*$/, {
    charsMax: 1_024,
    expected: 'a path of at most 1024 characters',
  }),
} as const;

const errors = {
  page: text({
    ...PAGE_FILE,
    doc: 'File with an HTML page (at most 65536 characters) that browsers get with 502, 503 and 504; read again with each reload.',
    why: 'empty: a line that names the failure, which programs get in any case',
  }),
  pages: {
    502: statusPage(502),
    503: statusPage(503),
    504: statusPage(504),
  },
} as const;

function statusPage(status: number) {
  return text({
    ...PAGE_FILE,
    doc: `Such a page for ${status} alone.`,
    why: 'empty: the one for all three',
  });
}

/** One entry of `services`. */
export const SERVICE_SETTINGS = {
  name: text({
    fallback: 'default',
    allowed: 'small letters, digits and -, at most 63',
    parse: matching(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, {
      charsMax: 63,
      expected: 'a name of small letters, digits and - (at most 63)',
    }),
    flag: '',
    doc: 'Name of the service in commands, metrics and logs; unique.',
    why: 'one service needs no name',
  }),
  hosts: list({
    noun: 'hosts',
    countMax: 64,
    allowed: 'names, *.names and addresses, without port',
    parse: parseHostRule,
    fallbackText: 'any host',
    doc: 'Hosts whose requests belong to the service.',
    why: 'a sidecar serves whatever arrives',
  }),
  paths: list({
    noun: 'paths',
    countMax: 64,
    allowed: 'prefixes that begin with /',
    parse: parsePathRule,
    fallbackText: 'any path',
    doc: 'Path prefixes (ending at a segment border) whose requests belong to the service.',
    why: 'a sidecar serves whatever arrives',
  }),
  canonicalHost: optional(
    text({
      fallback: '',
      allowed: 'a host of the service, without port',
      parse: parseOneHost,
      doc: 'The one host under which users see the service: requests for its other hosts are sent there, with 308.',
      why: 'an app may answer under several names',
    }),
    'none',
  ),
  stripPrefix: toggle({
    fallback: false,
    doc: 'Whether targets get paths without the prefix of paths that made the service match.',
    why: 'an app that makes links must know where it lies',
  }),
  hsts: duration({
    fallback: '0s',
    min: '1s',
    max: '730d',
    zeroMeans: 'no such field',
    doc: 'How long browsers remember to come by https only (Strict-Transport-Security), sent with what leaves over TLS.',
    why: 'it cannot be taken back before it ends; begin with an hour',
  }),
  active: optional(
    choice({
      of: ['blue', 'green'],
      fallback: 'blue',
      flag: 'active',
      isCommon: true,
      doc: 'Color that gets traffic at the first start; afterwards the stored state wins.',
      why: 'the one that can serve; blue where both can',
    }),
    'blue, or green if only green has targets',
  ),
  blue: side('blue'),
  green: side('green'),
  sendProxy: choice({
    of: SEND_PROXY,
    fallback: 'off',
    flag: '',
    doc: 'Version of the PROXY header by which targets are told the address of the client; they have to expect it.',
    why: 'a connection that was told of a client serves that one alone, and X-Forwarded-For says the same',
  }),
  upstreamTls: UPSTREAM_TLS_SETTINGS,
  resolve: SERVICE_RESOLVE_SETTINGS,
  health,
  ejection: EJECTION_SETTINGS,
  retry: RETRY_SETTINGS,
  failover: FAILOVER_SETTINGS,
  freezes: list({
    noun: 'freezes',
    countMax: FREEZES_MAX,
    allowed: FREEZE_EXAMPLES,
    parse: parseFreezeWindow,
    flag: '',
    doc: 'Times in which this service is not switched, beside those of all services.',
    why: 'one service may have its own busy days',
  }),
  affinity: AFFINITY_SETTINGS,
  drain,
  skew,
  hold,
  maintenance,
  errors,
  rollout: ROLLOUT_SETTINGS,
} as const;

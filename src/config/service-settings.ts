// The table of the settings of one service, one row each, in the shape of the file.

import type { Color } from '../contract/table.ts';
import { parseHostField, parseHostRule, parsePathRule, parseStatusRange } from './grammar.ts';
import { choice, duration, integer, list, matching, optional, text } from './row.ts';
import { parseTarget } from './target.ts';

/** Services at most: each holds counter blocks for both colors in shared memory. */
export const SERVICES_MAX = 64;

const RELEASE = 'letters, digits and . _ + : @ / - (at most 128), or empty';

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
    targets: list({
      noun: 'targets',
      countMax: 64,
      allowed: 'http://host:port and unix:/path',
      parse: parseTarget,
      flag: color,
      isCommon: true,
      doc: `Addresses of ${color}; none: it can't be switched to.`,
      why: 'Turnout cannot know them; one of the two colors must have some',
    }),
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
  health,
} as const;

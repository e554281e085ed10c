// The shapes that cross the admin API. Validation, types and the OpenAPI document all
// come from here.

import { z } from 'zod';
import { parseDuration } from '../../../config/values/duration.ts';
import {
  DRAIN_WAIT_MAX_MS,
  HISTORY_LIMIT_DEFAULT,
  HISTORY_LIMIT_MAX,
  HOLD_MAX_MS,
  PREVIEW_LIFE_MAX_MS,
  REASON_CHARS_MAX,
} from '../../base/control-limits.ts';

const color = z.enum(['blue', 'green']);
const generation = z.int().min(0).describe('Number of a routing table; it only grows.');
export const at = z.iso.datetime().describe('Time in UTC.');
export const serviceName = z.string().min(1).max(200);

const service = serviceName
  .optional()
  .describe('Name of the service; may be left out where there is one.');
const force = z.boolean().default(false).describe('Overrides health, nothing else.');
const reason = z
  .string()
  .max(REASON_CHARS_MAX)
  .default('')
  .describe('Goes into history and log; needed with "force".');

/** A time such as `10s`; the value is in milliseconds. */
export const duration = (maxMs: number) =>
  z
    .string()
    .describe('A time with its unit: 500ms, 10s, 30m.')
    .transform((text, context) => {
      const parsed = parseDuration(text);
      if (parsed.ok && parsed.value <= maxMs) return parsed.value;
      const message = parsed.ok ? `expected at most ${maxMs} ms` : parsed.problem;
      context.issues.push({ code: 'custom', message, input: text });
      return z.NEVER;
    });

export const switchBody = z.strictObject({
  to: color.optional().describe('Left out: the color that is not active.'),
  service,
  force,
  reason,
  hold: duration(HOLD_MAX_MS)
    .prefault('0s')
    .describe('Requests wait for at most this long until all others have ended.'),
});

export const rollbackBody = z.strictObject({
  service,
  force,
  reason,
  restick: z
    .enum(['all', 'new'])
    .default('new')
    .describe('"all": sessions that began after the switch go back at once; "new": they drain.'),
  lockOut: z
    .boolean()
    .default(true)
    .describe('The release that is left can not be switched to until it is unlocked or replaced.'),
});

export const unlockBody = z.strictObject({
  color: color.optional().describe('Left out: the one that is locked out.'),
  service,
  reason,
});

export const freezeBody = z.strictObject({
  reason: z
    .string()
    .trim()
    .min(1, 'expected a reason: whoever meets the freeze must know why')
    .max(REASON_CHARS_MAX)
    .describe('Told to everybody who is refused.'),
});

export const unfreezeBody = z.strictObject({ reason });

export const releaseBody = z.strictObject({
  release: z
    .string()
    .regex(/^[\w.+:@/-]{1,128}$/, 'expected letters, digits and . _ + : @ / - (at most 128)')
    .describe('A version or a commit.'),
  targets: z.array(z.string().max(300)).min(1).max(64),
  evict: z.boolean().default(false).describe('Ends drains that use one of the addresses.'),
  service,
  reason,
});

export const drainQuery = z.strictObject({
  service,
  generation: z.coerce.number().int().min(1).optional(),
  wait: duration(DRAIN_WAIT_MAX_MS)
    .prefault('0s')
    .describe('Answers when nothing drains any more, or after this long.'),
});

export const drainBody = z.strictObject({
  service,
  generation: generation.optional().describe('Left out: every generation that drains.'),
  reason,
});

export const holdBody = z.strictObject({
  service,
  reason,
  for: duration(HOLD_MAX_MS).prefault('10s').describe('Then requests go on by themselves.'),
  methods: z
    .enum(['all', 'writes'])
    .default('all')
    .describe('"writes": only unsafe methods wait (RFC 9110 §9.2.1).'),
});

export const releaseHoldBody = z.strictObject({ service, reason });

export const maintenanceBody = z.strictObject({
  on: z.boolean(),
  message: z
    .string()
    .max(REASON_CHARS_MAX)
    .regex(/^[\x20-\x7e]*$/, 'expected one line of ASCII')
    .default('')
    .describe('One line for people; empty: the usual one.'),
  retryAfter: duration(86_400_000).prefault('60s').describe('Sent as Retry-After.'),
  service,
  reason,
});

export const previewBody = z.strictObject({
  service,
  for: duration(PREVIEW_LIFE_MAX_MS).prefault('1h').describe('Life of the token.'),
});

export const serviceQuery = z.strictObject({ service });

export const historyQuery = z.strictObject({
  service: serviceName.optional(),
  limit: z.coerce.number().int().min(1).max(HISTORY_LIMIT_MAX).default(HISTORY_LIMIT_DEFAULT),
});

export const noQuery = z.strictObject({});
export const noBody = z.strictObject({});

export const upgradeAnswer = z.strictObject({
  pid: z.int().describe('Process that is in charge now.'),
  version: z.string(),
  tookMs: z.number(),
});

export const reloadBody = z.strictObject({
  dryRun: z.boolean().default(false).describe('Tells what would change, and changes nothing.'),
  reason,
});

export const reloadAnswer = z.strictObject({
  changed: z.boolean(),
  generation,
  differences: z
    .array(z.strictObject({ setting: z.string(), from: z.string(), to: z.string() }))
    .describe('What differs from the configuration in force.'),
  warnings: z.array(z.string()),
});

export const switchAnswer = z.strictObject({
  generation,
  service: serviceName,
  from: color,
  to: color,
  release: z.string().describe('Release id of the color that is active now; may be empty.'),
  publishedAt: at,
  tookMs: z.number().min(0),
  changed: z.boolean().describe('False when the color was active already.'),
});

const freeze = z
  .strictObject({ actor: z.string(), at, reason: z.string() })
  .nullable()
  .describe('All switching is frozen; null: it is not.');

export const freezeAnswer = z.strictObject({
  generation,
  freeze,
  changed: z.boolean().describe('False when all was so already.'),
});

const switchEntry = z.strictObject({
  generation,
  service: serviceName,
  from: color,
  to: color,
  release: z.string(),
  at,
  tookMs: z.number().nullable(),
  outcome: z.enum(['switched', 'rolled-back']),
  forced: z.boolean(),
  reason: z.string(),
  actor: z.string().describe('Who asked: a token, "cert:" and a certificate, "loopback", "unix".'),
});

/** What became of a change that is no switch. */
export const changeAnswer = z.strictObject({
  generation,
  service: serviceName,
  changed: z.boolean().describe('False when all was so already.'),
});

const drainTarget = {
  service: serviceName,
  generation,
  color,
  release: z.string(),
  targets: z.array(z.string()),
  startedAt: at,
};

const drain = z.strictObject({
  ...drainTarget,
  requests: z.int().describe('Running now, event streams left out.'),
  tunnels: z.int().describe('Open WebSockets and other upgraded connections.'),
  streams: z.int().describe('Open event streams.'),
  sessions: z.strictObject({
    seen: z.int().describe('About how many were seen within the idle time of a session.'),
    standardError: z.number().describe('Of "seen", relative to it, up to 100,000 sessions.'),
  }),
  deadlines: z.strictObject({
    sessions: at.describe('Then sessions move over, and their connections close.'),
    end: at.describe('Then what is left is cut.'),
  }),
  safeToStop: z.boolean().describe('Nothing needs these targets any more.'),
  reasons: z.array(z.string()).describe('Why not yet.'),
});

export const drainAnswer = z.strictObject({
  safeToStop: z.boolean().describe('Nothing drains any more.'),
  draining: z.array(drain),
  ended: z
    .array(
      z.strictObject({
        ...drainTarget,
        endedAt: at,
        how: z
          .enum(['drained', 'deadline', 'resumed'])
          .describe('Nothing was left; the rest was cut; the release is active again.'),
      }),
    )
    .describe('The latest that have ended while this process runs, the last one first.'),
});

export const previewAnswer = z.strictObject({
  service: serviceName,
  color,
  release: z.string(),
  token: z.string(),
  expiresAt: at,
  field: z.string().describe('Request field that carries the token.'),
  cookie: z.string().describe('Cookie that carries it; over TLS with the prefix __Host-.'),
  listen: z.string().nullable().describe('Where no token is needed; null: nowhere.'),
});

export const historyAnswer = z.strictObject({
  switches: z.array(switchEntry).describe('The latest first.'),
});

const health = z.enum(['up', 'down', 'unknown']);

const target = z.strictObject({
  url: z.string(),
  address: z.string().nullable().describe('One of those that a name has; null: no name.'),
  health,
  reason: z.string().describe('Why the last check failed; empty when it passed.'),
  changedAt: at.describe('When the health last changed.'),
});

const lookup = z.strictObject({
  url: z.string(),
  addresses: z.int().describe('In use now.'),
  answeredAt: at.nullable().describe('When addresses were last found; null: never.'),
  failures: z.int().describe('Lookups that failed or found nothing.'),
  problem: z.string().describe('Of the last lookup; what was found before stays in use.'),
});

const lastMinute = z
  .strictObject({
    requestsPerSecond: z.array(z.number()).describe('One for each second, the latest last.'),
    share: z.number().nullable().describe('Of the requests of the service, from 0 to 1.'),
    errorRate: z.number().nullable().describe('Answered with 500 to 599, from 0 to 1.'),
    p50Ms: z.number().nullable(),
    p99Ms: z.number().nullable().describe('From the buckets of /metrics, all workers summed.'),
  })
  .describe('Previews are left out; null: nothing came that would tell.');

const side = z.strictObject({
  release: z.string(),
  health: z
    .enum(['up', 'partly', 'down', 'unknown', 'empty'])
    .describe('Of all targets together; "empty": it has none.'),
  traffic: z.strictObject({
    inflight: z.int(),
    tunnels: z.int(),
    streams: z.int().describe('Open event streams; they are among "inflight" too.'),
    sessions: z.int().describe('About how many were seen within the idle time of a session.'),
    requests: z.int().describe('Answered since the start.'),
  }),
  lastMinute,
  lockedOut: z
    .strictObject({ actor: z.string(), at, reason: z.string(), generation })
    .nullable()
    .describe('Nobody may switch to this release; null: they may.'),
  targets: z.array(target).describe('A name has one entry for each of its addresses.'),
  names: z.array(lookup).describe('Targets that are looked up.'),
});

const serviceStatus = z.strictObject({
  name: serviceName,
  active: color,
  since: z.strictObject({ generation, at }),
  blue: side,
  green: side,
  draining: z.array(drain),
  held: z
    .strictObject({ methods: z.enum(['all', 'writes']), until: at, requests: z.int() })
    .nullable()
    .describe('Requests wait; null: they do not.'),
  maintenance: z
    .strictObject({ message: z.string(), retryAfterSeconds: z.number() })
    .nullable()
    .describe('The service is in maintenance; null: it is not.'),
  failover: z.strictObject({
    mode: z.enum(['off', 'auto']),
    downSince: at.nullable().describe('All targets of the active color are down; null: not so.'),
    obstacle: z
      .string()
      .nullable()
      .describe('Why traffic stays although the time is up; null: nothing is in the way.'),
  }),
  previous: switchEntry.nullable().describe('The last switch of this service.'),
  switches: z.array(switchEntry).describe('The last three of them, the latest first.'),
});

export const statusAnswer = z.strictObject({
  version: z.string(),
  generation,
  ready: z.boolean(),
  uptimeSeconds: z.int(),
  listen: z.string(),
  workers: z.strictObject({ count: z.int(), listening: z.int(), restarts: z.int() }),
  state: z.strictObject({
    dir: z.string(),
    warning: z.string().nullable().describe('What an operator must look at; null: all is well.'),
  }),
  reload: z
    .strictObject({
      at,
      actor: z.string(),
      problem: z.string().nullable().describe('Why it was not done; null: it was.'),
    })
    .nullable()
    .describe('The last time that the configuration was to be read again; null: never.'),
  freeze,
  services: z.array(serviceStatus),
});

export type DrainView = z.infer<typeof drainAnswer>;

export const liveAnswer = z.strictObject({ status: z.literal('ok') });

export const problemAnswer = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().describe('Stable; scripts may match it.'),
  })
  .describe('RFC 9457 problem document.');

export type SwitchAnswerView = z.infer<typeof switchAnswer>;
export type SwitchEntryView = z.infer<typeof switchEntry>;
export type StatusView = z.infer<typeof statusAnswer>;
export type SideView = z.infer<typeof side>;

// What the status tells: what is active, how every target is, and what flows.

import { z } from 'zod';
import { alarms } from './alarms.ts';
import { drain } from './draining.ts';
import { toldSchema } from './releases.ts';
import { rolloutBrief } from './rollout-views.ts';
import { scheduledOrder } from './scheduled.ts';
import { at, color, deployment, generation, serviceName } from './shared-fields.ts';
import { runningRequest } from './holding.ts';
import { windowsNow } from './freeze-windows.ts';
import { freeze, switchEntry } from './switching.ts';

const health = z.enum(['up', 'down', 'unknown']);

const target = z.strictObject({
  url: z.string(),
  address: z.string().nullable().describe('One of those that a name has; null: no name.'),
  health,
  reason: z.string().describe('Why the last check failed; empty when it passed.'),
  changedAt: at.describe('When the health last changed.'),
  ejected: z
    .strictObject({ reason: z.string(), until: at.describe('Then requests try it.') })
    .nullable()
    .describe('Left out because it fails live requests; null: it is not.'),
});
export type TargetStatus = z.infer<typeof target>;

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

export const side = z.strictObject({
  deployment: deployment.describe('0: nothing is registered.'),
  release: z.string(),
  schema: toldSchema,
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
    .describe('No switch to this release is made; null: it may be switched to.'),
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
    .strictObject({
      methods: z.enum(['all', 'writes']),
      until: at.describe('Then requests go on by themselves.'),
      requests: z.int(),
      waitsFor: z
        .strictObject({
          what: z.string().describe('The switch that holds, and by whom.'),
          until: at.describe('Then it gives up.'),
          left: z.array(runningRequest).describe('The oldest that still run; the list is bounded.'),
        })
        .nullable()
        .describe('Null: the hold is that of an operator.'),
    })
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
  rollout: rolloutBrief.nullable(),
  freeze: freeze.describe('An operator has frozen this service; null: none has.'),
  freezes: windowsNow,
  schema: z
    .int()
    .nullable()
    .describe('Of the data, as far as releases have told; null: not known.'),
  pointOfNoReturn: z
    .strictObject({ actor: z.string(), at, reason: z.string() })
    .nullable()
    .describe('No rollback is made; null: there is a way back.'),
  previous: switchEntry.nullable().describe('The last switch of this service.'),
  switches: z.array(switchEntry).describe('The last three of them, the latest first.'),
});

const certificate = z.strictObject({
  name: z.string().describe('The first host that it is for.'),
  names: z
    .array(z.string())
    .describe('All DNS names that clients may ask for; empty for authorities.'),
  source: z.string().describe('The path of its file, or "acme".'),
  endsAt: at.describe('Of authorities: the end of the last one.'),
  problem: z
    .string()
    .nullable()
    .describe('Why what lies in the file now is not used; null: it is used.'),
});

const acmeDomain = z.strictObject({
  domain: z.string(),
  endsAt: at
    .nullable()
    .describe('End of its certificate; null: there is none, and a self-signed one is presented.'),
  ordering: z.boolean().describe('An order runs.'),
  nextTryAt: at.describe('When it is ordered next: to renew it, or because it failed.'),
  failures: z.int().describe('Orders that failed in a row.'),
  problem: z.string().nullable().describe('Why the last of them failed; null: none did.'),
  advice: z
    .string()
    .nullable()
    .describe('What can be done about it; null: nothing, or it is not known.'),
});

const notifications = z.strictObject({
  receivers: z
    .array(
      z.strictObject({
        name: z.string().describe('Without what may be a secret of its URL.'),
        waiting: z.int(),
        delivered: z.int().describe('Since this process runs, as all counts here.'),
        givenUp: z.int().describe('After the last try.'),
        dropped: z.int().describe('Without a try: too many waited, or they were too old.'),
        fault: z.string().describe('Why the last try failed; empty when it did not.'),
      }),
    )
    .describe('Empty for a caller that may know of some services only.'),
  failed: z
    .array(
      z.strictObject({
        receiver: z.string(),
        id: z.int(),
        event: z.string(),
        service: z.string().describe('Empty: it was about the whole process.'),
        at,
        tries: z.int(),
        reason: z.string(),
      }),
    )
    .describe('The last 100 deliveries that were given up, the latest first.'),
});

export const statusAnswer = z.strictObject({
  version: z.string(),
  generation,
  ready: z.boolean(),
  uptimeSeconds: z.int(),
  listen: z.string().describe('Where traffic comes in first.'),
  listeners: z
    .array(
      z.strictObject({
        address: z.string(),
        for: z.enum(['traffic', 'preview', 'redirect']),
        tls: z.boolean(),
      }),
    )
    .describe('All addresses where clients come in.'),
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
  certificates: z
    .array(certificate)
    .describe(
      'Also authorities of clients; empty for a caller that may know of some services only.',
    ),
  acme: z
    .array(acmeDomain)
    .describe('Domains of acme.domains; empty for a caller that may know of some services only.'),
  notifications,
  alarms,
  scheduled: z.array(scheduledOrder).describe('Switches that are ordered for later.'),
  services: z.array(serviceStatus),
});
export type StatusAnswer = z.infer<typeof statusAnswer>;
export type ServiceStatus = z.infer<typeof serviceStatus>;
export type SideStatus = z.infer<typeof side>;

// What is said and heard of what goes on: which deployment is active, numbers over time, the stream of events.

import { z } from 'zod';
import { ACTIVE_WAIT_MAX_MS, LEASE_MAX_MS, SERIES_MINUTES_MAX } from './api-limits.ts';
import {
  at,
  color,
  deployment,
  duration,
  generation,
  service,
  serviceName,
} from './shared-fields.ts';

export const activeQuery = z
  .strictObject({
    service,
    color: color.optional().describe('Who asks: what is on this color.'),
    deployment: z.coerce
      .number()
      .int()
      .min(1)
      .optional()
      .describe('Who asks, by its number; another release on its color is not meant.'),
    since: z.coerce
      .number()
      .int()
      .min(0)
      .optional()
      .describe('The generation of the last answer: waits for another one.'),
    wait: duration(ACTIVE_WAIT_MAX_MS)
      .prefault('0s')
      .describe('With "since": answers at the next switch of the service, or after this long.'),
    lease: duration(LEASE_MAX_MS)
      .prefault('15s')
      .describe(
        'For how long the one that asks wants to consider itself active; 0s: it wants no lease.',
      ),
  })
  .refine(({ color, deployment }) => color === undefined || deployment === undefined, {
    message: 'name "color" or "deployment", not both',
  });

export const activeAnswer = z.strictObject({
  service: serviceName,
  color: color.describe('The active one.'),
  deployment,
  release: z.string(),
  generation: generation.describe(
    'In which it became the active one; the next switch has a higher one.',
  ),
  you: z
    .strictObject({
      color: color.nullable().describe('Null: nothing leads there any more.'),
      deployment,
      release: z.string(),
      role: z
        .enum(['active', 'canary', 'draining', 'idle', 'gone'])
        .describe('"canary": a part of the traffic comes here; "gone": nothing leads there.'),
      isActive: z.boolean(),
      leaseUntil: at
        .nullable()
        .describe(
          'Until then no other deployment of the service gets a lease. Null: it has none, and must not act.',
        ),
      leaseSeconds: z
        .number()
        .nullable()
        .describe('The same for a clock of its own: count from the moment when the call was sent.'),
      leaseFrom: at
        .nullable()
        .describe(
          'It is active, and another deployment may act until then: ask again. Null: not so.',
        ),
    })
    .nullable()
    .describe('Null: the call named no color and no deployment.'),
});
export type ActiveAnswer = z.infer<typeof activeAnswer>;

export const seriesQuery = z.strictObject({
  service,
  minutes: z.coerce.number().int().min(1).max(SERIES_MINUTES_MAX).default(SERIES_MINUTES_MAX),
});

const point = z.strictObject({
  at: at.describe('The end of the ten seconds.'),
  deployment: deployment.describe('That was on the color then.'),
  release: z.string(),
  requestsPerSecond: z.number(),
  errorsPerSecond: z.number().describe('Answered with 500 to 599.'),
  p50Ms: z.number().nullable().describe('Null: nothing was answered.'),
  p99Ms: z.number().nullable(),
  inflight: z.int(),
});

const colorSeries = z.strictObject({
  points: z
    .array(point)
    .describe(
      'One for each ten seconds, the oldest first. One is missing where nothing was measured.',
    ),
  lastMinute: z.strictObject({
    requestsPerSecond: z.array(z.number()).describe('One for each second, the latest last.'),
    errorsPerSecond: z.array(z.number()),
  }),
});

export const seriesAnswer = z.strictObject({
  service: serviceName,
  at: at.describe('When it was asked.'),
  everySeconds: z.int().describe('Between two points.'),
  blue: colorSeries,
  green: colorSeries,
});
export type SeriesAnswer = z.infer<typeof seriesAnswer>;

export const eventsQuery = z.strictObject({ service });

// What was measured while a rollout had traffic, as points over time: for a chart of why it ended as it did.

import { z } from 'zod';
import { rolloutId, share, stage } from './rollout-views.ts';
import { at, color, deployment, serviceName } from './shared-fields.ts';

const side = z.strictObject({ color, release: z.string(), deployment });

const counts = z.strictObject({
  requests: z.int().describe('All that counted for or against it.'),
  judged: z
    .int()
    .describe('Those that the guard compares: in shifting those that the split placed, else all.'),
  bad: z.int().describe('Of those judged.'),
  slower: z.array(z.int()).describe('Of those judged, how many took longer than each of edgesMs.'),
});

const point = z.strictObject({
  at: at.describe('Its end.'),
  seconds: z.number().describe('The time that was measured; what is missing before it was not.'),
  stage: stage.describe('"rolled-back": the way back went over a ramp.'),
  share: z.strictObject({
    wanted: share.describe('At the end of the point.'),
    measured: share.nullable().describe('Of the requests of the point; null: none came.'),
  }),
  evidence: z
    .number()
    .nullable()
    .describe('The highest of the point, to one against the release. Null: no guard looked.'),
  old: counts.describe('What went to the release that is left.'),
  new: counts.describe('What went to the release that is moved to.'),
});

export const rolloutSeries = z.strictObject({
  id: rolloutId,
  everySeconds: z
    .int()
    .describe('Between two points of the last hour; the points before that may be longer.'),
  edgesMs: z.array(z.number()).describe('What "slower" counts by, in milliseconds.'),
  services: z
    .array(
      z.strictObject({
        service: serviceName,
        from: side,
        to: side,
        limit: z
          .number()
          .nullable()
          .describe('Evidence at which the guard fails the release. Null: no guard looked.'),
        points: z
          .array(point)
          .describe('The oldest first. None: no traffic has moved, or it is not kept any more.'),
      }),
    )
    .describe('All that it moves; their points have the same times.'),
});
export type RolloutSeries = z.infer<typeof rolloutSeries>;

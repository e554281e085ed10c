// What is said and heard to learn beforehand what several changes, one after the other, would be
// refused for.

import { z } from 'zod';
import { DRY_RUN_STEPS_MAX } from './api-limits.ts';
import { targetsBody } from './deployment-targets.ts';
import { registeredRelease } from './releases.ts';
import { color, deployment, destination, generation, serviceName } from './shared-fields.ts';

const registerStep = z.strictObject({
  kind: z.literal('register'),
  service: serviceName,
  color,
  ...registeredRelease,
});

const scaleStep = z.strictObject({
  kind: z.literal('scale'),
  service: serviceName,
  deployment,
  targets: targetsBody.shape.targets,
});

const switchStep = z.strictObject({
  kind: z.literal('switch'),
  service: serviceName,
  to: destination,
});

export const dryRunBody = z.strictObject({
  steps: z
    .array(z.discriminatedUnion('kind', [registerStep, scaleStep, switchStep]))
    .min(1)
    .max(DRY_RUN_STEPS_MAX)
    .describe('In the order in which they would be made; each finds what those before it leave.'),
});
export type DryRunStep = z.input<typeof dryRunBody>['steps'][number];

export const dryRunAnswer = z.strictObject({
  generation,
  refusals: z
    .array(
      z.strictObject({
        step: z.int().min(0).describe('Index of the step.'),
        code: z.string(),
        detail: z.string(),
      }),
    )
    .describe(
      'Of each service, those of the first step that is refused, and a freeze; none: as things are, only the health is left to see.',
    ),
});

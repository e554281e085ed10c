// What is told of the configured freeze windows: which is in force, until when, and which is next.

import { z } from 'zod';
import { at, generation, serviceName } from './shared-fields.ts';
import { freeze } from './switching.ts';

const window = z.strictObject({
  when: z.string().describe('As it is configured, with its zone.'),
  reason: z.string(),
});

const period = window.extend({ from: at, until: at });
export type FreezePeriodAnswer = z.infer<typeof period>;

/** Of one service, at this moment. */
export const windowsNow = z.strictObject({
  present: period.nullable().describe('In force; of several the one that ends last. Null: none.'),
  freeAt: at
    .nullable()
    .describe('When no window is in force any more. Null: none is now, or no end is in sight.'),
  next: period.nullable().describe('The first that begins after that; null: none.'),
});
export type WindowsNowAnswer = z.infer<typeof windowsNow>;

const serviceFreezes = windowsNow.extend({
  service: serviceName,
  freeze: freeze.describe('An operator has frozen this service; null: none has.'),
  windows: z
    .array(window.extend({ scope: z.enum(['all', 'service']) }))
    .describe('Those of all services, and its own.'),
});

export const freezesAnswer = z.strictObject({
  generation,
  freeze: freeze.describe('What an operator has frozen beside that; null: nothing.'),
  services: z.array(serviceFreezes),
});
export type FreezesAnswer = z.infer<typeof freezesAnswer>;

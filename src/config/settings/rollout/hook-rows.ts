// The rows of hooks and notifications: what is told when something has happened, and to whom. Nothing
// waits for an answer.

import { accept, refuse, type Parsed } from '../../../base/parsed.ts';
import { ARGUMENTS, CA_FILE, OPTIONAL_URL, SECRET_FILE, URL_ROW } from '../kinds/endpoint-rows.ts';
import { entries } from '../kinds/entries-row.ts';
import type { HookMoment } from './rollout-settings.ts';
import { duration, list, matching } from '../kinds/row.ts';

const MOMENTS = ['afterSwitch', 'afterDrain', 'onRollback'] as const satisfies HookMoment[];

function parseMoment(raw: unknown): Parsed<HookMoment> {
  const found = MOMENTS.find((one) => one === raw);
  return found === undefined ? refuse(`one of ${MOMENTS.join(', ')}`, raw) : accept(found);
}

export const HOOKS = entries({
  noun: 'hooks',
  countMax: 32,
  of: {
    on: list({
      noun: 'moments',
      countMin: 1,
      countMax: 3,
      allowed: 'afterSwitch, afterDrain, onRollback',
      parse: parseMoment,
      doc: 'When it is told.',
      why: 'there is none that fits all',
    }),
    url: OPTIONAL_URL,
    command: list({
      ...ARGUMENTS,
      doc: 'Program that is started, without a shell.',
      why: 'url or command, one of them',
    }),
    timeout: duration({
      fallback: '30s',
      min: '1s',
      max: '1h',
      doc: 'One try at most.',
      why: 'as long as most schedulers take to stop an app',
    }),
    secretFile: SECRET_FILE,
    caFile: CA_FILE,
  },
  doc: 'What is told once traffic has moved, the old release has drained, or traffic went back. A failure changes nothing.',
  why: 'what stops the old release is known to the operator',
});

export const NOTIFY = entries({
  noun: 'addresses',
  countMax: 16,
  of: {
    url: URL_ROW,
    events: list({
      noun: 'events',
      countMax: 32,
      allowed: 'kinds of events such as rollout.done, or rollout.* for all that begin so',
      parse: matching(/^[a-z]+(?:[.-][a-z]+)*(?:\.\*)?$/, {
        charsMax: 64,
        expected: 'the kind of an event such as rollout.done or rollout.*',
      }),
      fallbackText: 'all',
      doc: 'Events that are sent.',
      why: 'what is not wanted is left out by naming the rest',
    }),
    services: list({
      noun: 'services',
      countMax: 64,
      allowed: 'names of services',
      parse: matching(/^[a-z0-9-]{1,63}$/, { charsMax: 63, expected: 'the name of a service' }),
      fallbackText: 'all',
      doc: 'Services whose events are sent.',
      why: 'most installations have one team',
    }),
    secretFile: SECRET_FILE,
    caFile: CA_FILE,
  },
  doc: 'Where events are sent, as signed POST requests.',
  why: 'Turnout cannot know where they are read',
});

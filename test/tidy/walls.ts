// The walls inside of each part of src: which folder may import which others of the same part, and
// why. Imports of types count. A row is one folder; a folder that is not named in `may` may not be
// imported. layers.test.ts checks the code against this table, and that the table has no more rows
// and no more arrows than the code.
//
// Read from the top: what stands lower may know what stands higher, never the other way.

import { CONTROL_PLANE } from './control-plane-walls.ts';
import { DATA_PLANE } from './data-plane-walls.ts';

export interface Wall {
  readonly may: readonly string[];
  /** Why it needs these, or must not know more. */
  readonly why: string;
}

/** Part of src → the other parts that it may import. ARCHITECTURE.md has the same table. */
export const PARTS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  http: ['base'],
  contract: ['base'],
  api: ['base', 'contract'],
  config: ['base', 'contract', 'api'],
  'data-plane': ['base', 'http', 'contract'],
  'control-plane': ['base', 'contract', 'api', 'config'],
  cli: ['base', 'contract', 'api', 'config'],
  client: ['base', 'api'],
  'main.ts': ['cli'],
};

/** Part of src → folder in it (`.`: files that lie in no folder) → its wall. */
export const WALLS: Readonly<Record<string, Readonly<Record<string, Wall>>>> = {
  http: {
    grammar: {
      may: [],
      why: 'What single bytes, lines and fields may be; a head is made of them.',
    },
    heads: {
      may: ['grammar'],
      why: 'Reads whole heads and what they say; what becomes of them is not its business.',
    },
    forward: {
      may: ['grammar', 'heads'],
      why: 'Writes the head that goes on out of the one that came.',
    },
    bodies: {
      may: ['grammar', 'heads', 'forward'],
      why: 'Follows bodies byte by byte, trailers included, which are copied as heads are.',
    },
  },
  'control-plane': CONTROL_PLANE,
  config: {
    values: {
      may: [],
      why: 'One value as an operator writes it: an address, a target, a size; of no setting.',
    },
    'settings/kinds': {
      may: ['values'],
      why: 'What a row can be: one value, a list, entries, an endpoint; of no setting by name.',
    },
    'settings/rollout': {
      may: ['values', 'settings/kinds'],
      why: 'Services have gates and hooks, receivers of news have hooks; it knows neither of the two.',
    },
    'settings/table': {
      may: ['values', 'settings/kinds', 'settings/rollout'],
      why: 'The rows and nothing else: what they come to together is told by those who read them.',
    },
    'settings/relations': {
      may: ['values', 'settings/kinds', 'settings/table'],
      why: 'Looks at what was read, one setting beside the other; how it was read it does not know.',
    },
    'settings/schema': {
      may: ['values', 'settings/kinds', 'settings/table', 'settings/relations'],
      why: 'Makes of all rows and checks one schema, and the documents of it.',
    },
    'settings/built': {
      may: ['settings/rollout', 'settings/schema'],
      why: 'Takes only what the schema has let through, so it checks nothing again.',
    },
    '.': {
      may: [
        'values',
        'settings/kinds',
        'settings/rollout',
        'settings/table',
        'settings/relations',
        'settings/schema',
        'settings/built',
      ],
      why: 'Reads file, environment and flags, and makes one configuration of all rows.',
    },
  },
  cli: {
    terminal: {
      may: [],
      why: 'Text, width, colors and signals; the same for whatever is printed.',
    },
    client: {
      may: ['terminal'],
      why: 'The way to the admin API and what its answers are; no command by name.',
    },
    texts: {
      may: ['terminal', 'client'],
      why: 'How the state reads on a terminal: asks for nothing, and waits for nothing.',
    },
    steps: {
      may: ['terminal', 'client', 'texts'],
      why: 'What several commands do on their way: show, ask, wait; no command by name.',
    },
    process: {
      may: ['terminal', 'client', 'steps'],
      why: 'Commands about the process itself: what traffic does is asked and changed in verbs.',
    },
    verbs: {
      may: ['terminal', 'client', 'texts', 'steps'],
      why: 'What a command does, from its flags to its exit code; how flags are read is not here.',
    },
    program: {
      may: ['terminal', 'client', 'process', 'verbs'],
      why: 'The table of commands: reads flags, gives help, and loads the one verb that is called.',
    },
  },
  'data-plane': DATA_PLANE,
};

// The walls inside of src/data-plane; walls.ts says how they are read.

export const DATA_PLANE = {
  base: {
    may: [],
    why: 'Clocks, timers and counters: every folder uses them, so they know none.',
  },
  transport: {
    may: ['base'],
    why: 'Carries bytes, and says what the folders below know of each other: interfaces alone.',
  },
  'routing/paths': {
    may: [],
    why: 'Rules for the text of a path; whose path it is makes no difference to them.',
  },
  'routing/responses': {
    may: [],
    why: 'Whole responses out of words and a status; the service they are for is not asked.',
  },
  'routing/tokens': {
    may: [],
    why: 'What a session says and how it is proven, without a table: the table knows it.',
  },
  'routing/table': {
    may: ['transport', 'routing/paths', 'routing/responses', 'routing/tokens'],
    why: 'Made once for all requests that come, so it knows nothing of a single one.',
  },
  'routing/sessions': {
    may: ['base', 'routing/tokens', 'routing/table'],
    why: 'Looks claims up in the table, and the table knows the tokens: so it cannot lie with those.',
  },
  routing: {
    may: [
      'base',
      'transport',
      'routing/paths',
      'routing/responses',
      'routing/table',
      'routing/sessions',
    ],
    why: 'Decides by heads and tables; a decision must not depend on how bytes travel.',
  },
  doorstep: {
    may: ['base', 'transport', 'routing/responses'],
    why: 'Makes a connection ready for a protocol, and says the one thing it has to say by a refusal.',
  },
  exchange: {
    may: [
      'base',
      'transport',
      'routing/paths',
      'routing/responses',
      'routing/table',
      'routing/sessions',
      'routing',
    ],
    why: 'Knows streams and pools by their interfaces, so another protocol on either side fits.',
  },
  clients: {
    may: [
      'base',
      'transport',
      'routing/responses',
      'routing/table',
      'routing',
      'doorstep',
      'exchange',
    ],
    why: 'Starts exchanges; how targets are reached is none of its business.',
  },
  targets: {
    may: ['base', 'transport'],
    why: 'Carries requests whatever they are for, so it knows no exchange and no decision.',
  },
  shadow: {
    may: ['base', 'transport', 'routing/table', 'targets'],
    why: 'Has connections to targets of its own; sees live responses, and no exchange.',
  },
  drains: {
    may: ['base', 'routing/table'],
    why: 'Ends what runs by the times of a table; how a connection ends is known elsewhere.',
  },
  '.': {
    may: [
      'base',
      'transport',
      'routing/tokens',
      'routing/table',
      'routing/sessions',
      'routing',
      'doorstep',
      'exchange',
      'clients',
      'targets',
      'shadow',
      'drains',
    ],
    why: 'The worker itself: makes the parts and hands them to each other.',
  },
} as const;

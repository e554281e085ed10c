// The walls inside of each part of src: which folder may import which others of the same part, and
// why. Imports of types count. A row is one folder; a folder that is not named in `may` may not be
// imported. layers.test.ts checks the code against this table, and that the table has no more rows
// and no more arrows than the code.
//
// Read from the top: what stands lower may know what stands higher, never the other way.

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
  'control-plane': {
    base: {
      may: [],
      why: 'Words that every folder uses: what it knew of others, all would depend on.',
    },
    memory: {
      may: ['base'],
      why: 'Sums numbers in shared memory; what they are good for is told by those who read them.',
    },
    store: {
      may: ['base'],
      why: 'Promises only: another kind of store must fit behind it without touching its users.',
    },
    'store/sqlite': {
      may: ['base', 'store'],
      why: 'Keeps the promises of store; does not decide what is stored.',
    },
    guard: {
      may: ['base'],
      why: 'Statistics alone: what is counted, and what follows from a verdict, is known elsewhere.',
    },
    listening: {
      may: ['base'],
      why: 'Opens sockets; an upgrade hands them on, so they must not depend on what is served.',
    },
    acme: {
      may: ['base'],
      why: 'Orders certificates and keeps them; a keeper, given as functions, brings them to workers.',
    },
    workers: {
      may: ['base', 'memory', 'listening'],
      why: 'Hands tables to threads whatever they say, so it knows no switching.',
    },
    targets: {
      may: ['base', 'memory'],
      why: 'Finds out how targets are; what follows from that is decided in switching.',
    },
    access: {
      may: ['base', 'store'],
      why: 'Proves who calls; tokens are stored, but no route and no HTTP is needed for that.',
    },
    audit: {
      may: ['base', 'store'],
      why: 'A change carries its entry down to the store, so the entry must not know the change.',
    },
    notifications: {
      may: ['base', 'store', 'targets'],
      why: 'Tells others what happened, in order and until they have it; it decides nothing.',
    },
    gates: {
      may: ['base', 'memory', 'guard', 'targets', 'notifications'],
      why: 'Each asks one thing; how often, and what follows, the rollout decides.',
    },
    deployments: {
      may: ['base', 'memory', 'store', 'targets', 'audit'],
      why: 'Pure rules from one state to the next, and to its table: they wait for nothing.',
    },
    publishing: {
      may: ['base', 'memory', 'store', 'targets', 'deployments'],
      why: 'Carries out one change after the other, whatever they decide, so it knows no decision.',
    },
    freezes: {
      may: ['base'],
      why: 'Tells what windows say at a moment; what that refuses is decided in switching.',
    },
    'switching/checks': {
      may: ['base', 'memory', 'store', 'targets', 'deployments', 'freezes'],
      why: 'What may bar the way, for every kind of change; so it moves and holds nothing.',
    },
    'switching/holding': {
      may: ['base', 'memory', 'store', 'deployments', 'publishing'],
      why: 'Waits for the end of what runs; whether traffic may move then, it is not told.',
    },
    'switching/moving': {
      may: [
        'base',
        'memory',
        'store',
        'targets',
        'deployments',
        'publishing',
        'switching/checks',
        'switching/holding',
      ],
      why: 'Checks, holds and moves; other changes are none of its business.',
    },
    'switching/changes': {
      may: ['base', 'memory', 'store', 'targets', 'deployments', 'publishing', 'switching/checks'],
      why: 'One file for each change that is no switch and no rollback; none of them knows another.',
    },
    switching: {
      may: [
        'base',
        'memory',
        'store',
        'targets',
        'deployments',
        'publishing',
        'freezes',
        'switching/checks',
        'switching/holding',
        'switching/moving',
        'switching/changes',
      ],
      why: 'Decides what operators, rules and files ask for, so it knows none of them.',
    },
    'rollouts/machine': {
      may: [],
      why: 'Pure rules over plain data: time and world come in events, so it needs nobody.',
    },
    'rollouts/running': {
      may: [
        'base',
        'memory',
        'store',
        'audit',
        'deployments',
        'publishing',
        'switching/checks',
        'switching',
        'rollouts/machine',
      ],
      why: 'Moves traffic in the turns of all changes; gates and guard come in as functions.',
    },
    'rollouts/watching': {
      may: ['base', 'memory', 'store', 'guard', 'rollouts/machine', 'rollouts/running'],
      why: 'Counts what a rollout does to traffic; what follows, the machine decides.',
    },
    'rollouts/views': {
      may: ['base', 'memory', 'guard', 'rollouts/machine', 'rollouts/watching'],
      why: 'Tells what a rollout is and was; changes none, and waits for nothing.',
    },
    'rollouts/desk': {
      may: [
        'base',
        'memory',
        'store',
        'deployments',
        'publishing',
        'switching/moving',
        'switching/changes',
        'switching',
        'rollouts/machine',
        'rollouts/running',
        'rollouts/watching',
        'rollouts/views',
      ],
      why: 'Answers callers, so all other folders of rollouts can do without them.',
    },
    schedule: {
      may: ['base', 'store', 'audit', 'deployments', 'freezes', 'switching/checks', 'switching'],
      why: 'Asks for a switch when it is due, as its caller would; how that is made it does not know.',
    },
    live: {
      may: ['base', 'memory', 'store', 'targets', 'notifications'],
      why: 'Looks on and tells what goes on; nothing that decides waits for it or knows it.',
    },
    automation: {
      may: ['base', 'memory', 'store', 'targets', 'switching'],
      why: 'Asks for a switch as an operator would, and has no other way to move traffic.',
    },
    reload: {
      may: ['base', 'memory', 'targets', 'audit', 'deployments', 'switching/checks', 'switching'],
      why: 'Finds out where new targets lead, then has another configuration published like any change.',
    },
    certificates: {
      may: ['base'],
      why: 'Tells what listeners present; how that gets to workers, and what listens, it is not told.',
    },
    upgrade: {
      may: [
        'base',
        'memory',
        'store',
        'listening',
        'workers',
        'targets',
        'notifications',
        'publishing',
        'switching',
        'live',
        'certificates',
      ],
      why: 'Hands sockets, health and state to the next process; that needs nearly all parts.',
    },
    metrics: {
      may: [
        'memory',
        'acme',
        'targets',
        'publishing',
        'switching',
        'automation',
        'reload',
        'certificates',
      ],
      why: 'Reads what the other folders count; none of them knows that it is read.',
    },
    'admin/routes': {
      may: [
        'base',
        'memory',
        'store',
        'acme',
        'workers',
        'targets',
        'access',
        'audit',
        'notifications',
        'deployments',
        'freezes',
        'switching/checks',
        'switching/holding',
        'switching',
        'schedule',
        'live',
        'automation',
        'reload',
        'certificates',
        'upgrade',
      ],
      why: 'Turns calls into questions to all other folders; knows no socket and no credentials.',
    },
    'admin/calls': {
      may: ['base', 'store', 'access', 'audit', 'admin/routes'],
      why: 'Lets a call in, runs its route, writes it down; how bytes arrive is the business of http.',
    },
    'admin/http': {
      may: [
        'base',
        'listening',
        'workers',
        'certificates',
        'reload',
        'metrics',
        'admin/routes',
        'admin/calls',
      ],
      why: 'The outermost wall: listeners, TLS and guards in front of calls and metrics.',
    },
    admin: {
      may: ['base', 'store', 'store/sqlite', 'access', 'audit', 'admin/routes', 'admin/calls'],
      why: 'Makes tokens where no process runs, so it opens the store itself.',
    },
    '.': {
      may: [
        'base',
        'memory',
        'store',
        'store/sqlite',
        'listening',
        'acme',
        'workers',
        'targets',
        'access',
        'audit',
        'notifications',
        'gates',
        'publishing',
        'freezes',
        'switching/checks',
        'switching/holding',
        'switching',
        'rollouts/machine',
        'rollouts/running',
        'rollouts/watching',
        'rollouts/views',
        'rollouts/desk',
        'schedule',
        'live',
        'automation',
        'reload',
        'certificates',
        'upgrade',
        'admin/http',
      ],
      why: 'The composition root: builds the parts and starts them, so it knows each of them.',
    },
  },
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
    steps: {
      may: ['terminal', 'client'],
      why: 'What several commands do on their way: show, ask, wait; no command by name.',
    },
    process: {
      may: ['terminal', 'client', 'steps'],
      why: 'Commands about the process itself: what traffic does is asked and changed in verbs.',
    },
    verbs: {
      may: ['terminal', 'client', 'steps'],
      why: 'What a command does, from its flags to its exit code; how flags are read is not here.',
    },
    program: {
      may: ['terminal', 'client', 'process', 'verbs'],
      why: 'The table of commands: reads flags, gives help, and loads the one verb that is called.',
    },
  },
  'data-plane': {
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
  },
};

// The rows of `rollout`: how the traffic of one service is moved, and what watches over it. Gates and
// hooks are lists of sections of their own: gate-rows.ts.

import { accept, refuse, type Parsed } from '../../../base/parsed.ts';
import { parsePathPattern, parseStatusRanges } from '../../values/grammar.ts';
import { parseTrafficPlan } from '../../values/traffic-plan.ts';
import { GATES } from './gate-rows.ts';
import { HOOKS } from './hook-rows.ts';
import { choice, decimal, duration, integer, list, percent, text, toggle } from '../kinds/row.ts';

const split = {
  sessions: choice({
    of: ['new', 'all'],
    fallback: 'new',
    flag: '',
    doc: 'Which sessions a share is taken of: those that begin, or all.',
    why: 'a session that has begun keeps its release; with all, users move in the middle of a visit',
  }),
  by: choice({
    of: ['session', 'address', 'request'],
    fallback: 'session',
    flag: '',
    doc: 'What is placed on one release as a whole: a session, all clients of one address, or each request.',
    why: 'one visitor should see one release',
  }),
} as const;

const rollback = {
  restick: choice({
    of: ['all', 'new'],
    fallback: 'all',
    flag: '',
    doc: 'Which sessions go back when a rollout is rolled back: all with their next request, or only those that begin.',
    why: 'the release is under suspicion, and its addresses are free for the next one',
  }),
  ramp: duration({
    fallback: '0s',
    min: '0s',
    max: '10m',
    flag: '',
    doc: 'Time over which traffic goes back; 0: at once.',
    why: 'broken is worse than cold',
  }),
  lockOut: toggle({
    fallback: true,
    flag: '',
    doc: 'Whether a release that was rolled back is locked out.',
    why: 'the next job of a pipeline must not switch to it again',
  }),
} as const;

const guard = {
  mode: choice({
    of: ['off', 'watch', 'rollback'],
    fallback: 'rollback',
    doc: 'What is done about a release that is worse than the one before: nothing is looked at, it is told, or traffic goes back.',
    why: 'a switch that names a release or a plan asks to be watched',
  }),
  patience: choice({
    of: ['calm', 'normal', 'quick'],
    fallback: 'normal',
    flag: '',
    doc: 'How fast evidence may grow: calm waits through longer bursts of errors, quick acts sooner.',
    why: 'a 50-fold rise of errors at 100 requests a second is found in 15 s, and a burst of 3 s is no reason',
  }),
  alpha: decimal({
    fallback: 0.001,
    min: 0.000_001,
    max: 0.1,
    flag: '',
    doc: 'Share of harmless rollouts that may be rolled back at most.',
    why: 'a team with 20 rollouts a day sees one in 50 days at worst',
  }),
  clients: integer({
    fallback: 3,
    min: 1,
    max: 100,
    flag: '',
    doc: 'Distinct clients that must have had a bad answer, where at least 20 were seen.',
    why: 'one broken client, or one stranger that repeats a bad request, must not roll anything back',
  }),
  ignorePaths: list({
    noun: 'patterns',
    countMax: 32,
    allowed: 'paths with * for anything, such as /reports/*',
    parse: parsePathPattern,
    flag: '',
    doc: 'Requests that are not judged.',
    why: 'a report that is known to be slow or to fail says nothing about the release',
  }),
  errors: {
    ratio: decimal({
      fallback: 2,
      min: 1,
      max: 100,
      flag: '',
      doc: 'How many times as many errors the new release may have.',
      why: 'traffic differs from minute to minute by less than that',
    }),
    floor: percent({
      fallback: '1%',
      min: '0.01%',
      max: '50%',
      flag: '',
      doc: 'A share of errors that is never too many.',
      why: 'one error more in a quiet hour is no regression',
    }),
    limit: percent({
      fallback: '5%',
      min: '0.01%',
      max: '50%',
      flag: '',
      doc: 'The share that is too many where there is no release to compare with.',
      why: 'a first release has no past',
    }),
    statuses: text({
      fallback: '500-599',
      allowed: 'statuses and ranges of them between 100 and 599, as 500-599, 404',
      parse: parseStatusRanges,
      json: { type: ['string', 'integer'] },
      flag: '',
      doc: 'Statuses of answers that are errors.',
      why: 'what the client did wrong (4xx) is not the fault of a release',
    }),
  },
  latency: {
    mode: choice({
      of: ['off', 'compare'],
      fallback: 'compare',
      flag: '',
      doc: 'Whether slow answers are judged, by comparison with the release before.',
      why: 'a release that is five times as slow is broken',
    }),
    ratio: decimal({
      fallback: 2,
      min: 1,
      max: 100,
      flag: '',
      doc: 'How many times as many answers may be slower than an edge.',
      why: 'as with errors',
    }),
    grace: duration({
      fallback: '30s',
      min: '0s',
      max: '1h',
      flag: '',
      doc: 'Latency is not judged for this long after a step that at least doubles the share.',
      why: 'caches are cold; without it, every switch of an app with a cache is rolled back',
    }),
    p99: duration({
      fallback: '0s',
      min: '0s',
      max: '1h',
      flag: '',
      doc: 'One answer in a hundred may be slower than this; 0: no such limit.',
      why: 'only the operator knows what is too slow in itself',
    }),
  },
} as const;

const warmup = {
  requests: list({
    noun: 'paths',
    countMax: 32,
    allowed: 'paths, with a query or without',
    parse: parseRequestPath,
    flag: '',
    doc: 'Paths that each target is asked (GET) before traffic.',
    why: 'Turnout cannot know which pages fill the caches',
  }),
  repeat: integer({
    fallback: 3,
    min: 1,
    max: 1_000,
    flag: '',
    doc: 'Times that each path is asked of each target.',
    why: 'the first answer loads code, the second fills caches, the third shows that both worked',
  }),
  parallel: integer({
    fallback: 4,
    min: 1,
    max: 64,
    flag: '',
    doc: 'Requests at a time to one target.',
    why: 'enough to start several threads of an app, too few to be a load',
  }),
  connections: integer({
    fallback: 0,
    min: 0,
    max: 256,
    flag: '',
    doc: 'Connections that are open at once to each target during the warm-up.',
    why: 'apps that start a process or a pool for each connection gain from it, others do not',
  }),
  within: duration({
    fallback: '30s',
    min: '1s',
    max: '1h',
    flag: '',
    doc: 'The warm-up ends after this, done or not.',
    why: 'a page that takes longer is no page for a warm-up',
  }),
  required: toggle({
    fallback: false,
    flag: '',
    doc: 'Whether a warm-up that fails ends the rollout; else it is a warning.',
    why: 'a cold cache is no fault of a release; gates say what is',
  }),
} as const;

export const ROLLOUT_SETTINGS = {
  plan: text({
    fallback: 'all-at-once',
    allowed: 'all-at-once, canary-10-5m, linear-10-1m and such, or steps such as 10%:5m, 50%:pause',
    parse: parsePlan,
    isCommon: true,
    doc: 'How traffic moves to another release.',
    why: 'a switch in one step is what a blue/green deployment is; smaller steps need traffic enough to tell',
  }),
  health: duration({
    fallback: '60s',
    min: '1s',
    max: '24h',
    flag: '',
    doc: 'All targets of the new release must be up by then.',
    why: 'most apps start in less',
  }),
  bake: duration({
    fallback: '5m',
    min: '0s',
    max: '7d',
    isCommon: true,
    doc: 'How long the new release is watched after all traffic has moved; 0: not at all.',
    why: 'most regressions show in the first minutes, and the release before is still warm',
  }),
  onInconclusive: choice({
    of: ['proceed', 'pause', 'rollback'],
    fallback: 'proceed',
    flag: '',
    doc: 'What follows when the guard cannot tell, after one extension.',
    why: 'it is the normal fate of a small service, and the way back stays one command',
  }),
  split,
  rollback,
  guard,
  warmup,
  gates: GATES,
  hooks: HOOKS,
} as const;

/** Keeps a plan as it was written: a rollout shows it so. */
function parsePlan(raw: unknown): Parsed<string> {
  if (typeof raw !== 'string') return refuse('a plan such as canary-10-5m', raw);
  const plan = parseTrafficPlan(raw);
  return plan.ok ? accept(raw) : plan;
}

function parseRequestPath(raw: unknown): Parsed<string> {
  const fits = typeof raw === 'string' && /^\/[!"$-~]{0,1023}$/.test(raw);
  return fits ? accept(raw) : refuse('a path such as /start', raw);
}

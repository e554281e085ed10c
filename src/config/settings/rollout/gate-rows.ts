// The rows of the gates of a service: what is asked before traffic moves on, kind by kind.

import { parseFieldName } from '../../values/field-name.ts';
import { parsePathPattern } from '../../values/grammar.ts';
import { parseTextPattern } from '../../values/text-pattern.ts';
import { ARGUMENTS, CA_FILE, SECRET_FILE, URL_ROW } from '../kinds/endpoint-rows.ts';
import { entries, entriesOfKinds } from '../kinds/entries-row.ts';
import type { GateMoment } from './rollout-settings.ts';
import {
  choice,
  decimal,
  duration,
  integer,
  list,
  matching,
  optional,
  percent,
  required,
  size,
  text,
} from '../kinds/row.ts';
import { SMOKE_REQUEST } from './smoke-rows.ts';

const MOMENTS = ['before', 'step', 'after'] as const satisfies GateMoment[];
/** Of what can change data: a switch that holds requests can name it. */
const MOMENTS_AND_HOLD = [...MOMENTS, 'hold'] as const satisfies GateMoment[];

const NAME = required(
  text({
    fallback: '',
    allowed: 'small letters, digits and -, at most 63',
    parse: matching(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, {
      charsMax: 63,
      expected: 'a name of small letters, digits and - (at most 63)',
    }),
    doc: 'Name of the gate in commands, metrics and events; unique in its service.',
    why: 'an operator who skips a gate has to name it',
  }),
);

function moment<const T extends GateMoment>(words: {
  readonly of: readonly T[];
  readonly fallback: NoInfer<T>;
}) {
  return choice({
    ...words,
    doc: words.of.some((one) => one === 'hold')
      ? 'When it is asked: before traffic, before each step, while baking; hold: by `switch --hold --migrate NAME` alone, while no request runs.'
      : 'When it is asked: before traffic, before each step, while baking.',
    why:
      words.fallback === 'after'
        ? 'before traffic there is nothing to measure'
        : 'what is found before traffic harms no user',
  });
}

/** What each gate has that is asked by itself; the times differ by kind. */
function common(words: {
  readonly at: GateMoment;
  readonly of: readonly GateMoment[];
  readonly timeout: string;
  readonly try: string;
  readonly whyTimes: string;
}) {
  return {
    name: NAME,
    at: moment({ of: words.of, fallback: words.at }),
    timeout: duration({
      fallback: words.timeout,
      min: '1s',
      max: '14d',
      doc: 'From its first try to giving up.',
      why: words.whyTimes,
    }),
    try: duration({
      fallback: words.try,
      min: '100ms',
      max: '24h',
      doc: 'One try at most; never longer than the whole.',
      why: words.whyTimes,
    }),
    onFail: choice({
      of: ['stop', 'warn'],
      fallback: 'stop',
      doc: 'Whether the rollout ends when the gate does not open, or goes on with a warning.',
      why: 'a gate that nothing heeds is none',
    }),
  } as const;
}

const requestsGate = {
  ...common({
    at: 'before',
    of: MOMENTS,
    timeout: '2m',
    try: '30s',
    whyTimes: 'the targets are up already; what does not answer by then will not',
  }),
  targets: choice({
    of: ['all', 'one'],
    fallback: 'all',
    doc: 'Whether each target is asked all of it, or the first one alone.',
    why: 'one instance of three with a wrong setting is what a spread over all of them would miss',
  }),
  requests: entries({
    noun: 'requests',
    countMin: 1,
    countMax: 32,
    of: SMOKE_REQUEST,
    doc: 'What is asked, one after the other, up to the first that fails.',
    why: 'Turnout cannot know what has to work',
  }),
} as const;

const webhookGate = {
  ...common({
    at: 'before',
    of: MOMENTS_AND_HOLD,
    timeout: '1h',
    try: '30s',
    whyTimes:
      'a test job may take an hour; an answer that takes longer than half a minute should be 202',
  }),
  url: URL_ROW,
  secretFile: SECRET_FILE,
  caFile: CA_FILE,
} as const;

const commandGate = {
  ...common({
    at: 'before',
    of: MOMENTS_AND_HOLD,
    timeout: '1h',
    try: '10m',
    whyTimes: 'a test suite takes minutes',
  }),
  command: list({
    ...ARGUMENTS,
    countMin: 1,
    doc: 'Program that is started, without a shell. Exit code 0 opens the gate, 75 means ask again later.',
    why: 'a shell would read values that come from elsewhere',
  }),
} as const;

function limit(doc: string) {
  const bounds = { fallback: 0, min: -1e15, max: 1e15 } as const;
  return optional(
    decimal({ ...bounds, doc, why: 'what is fine differs; one of both is set' }),
    'none',
  );
}

const prometheusGate = {
  ...common({
    at: 'after',
    of: MOMENTS,
    timeout: '10m',
    try: '10s',
    whyTimes: 'numbers of a new release come with the next scrapes',
  }),
  url: URL_ROW,
  query: required(
    text({
      fallback: '',
      allowed: 'PromQL of at most 4096 characters',
      parse: matching(/^[^\0]*\S[^\0]*$/, { charsMax: 4_096, expected: 'a query in PromQL' }),
      doc: 'Query with one number as its result; `${service}`, `${release}` and `${color}` are those of the rollout.',
      why: 'Turnout cannot know what counts for you',
    }),
  ),
  min: limit('The number must be at least this.'),
  max: limit('The number must be at most this.'),
  user: text({
    fallback: '',
    allowed: 'at most 128 characters without :',
    parse: matching(/^[^\p{Cc}:]*$/u, { charsMax: 128, expected: 'a user without :' }),
    doc: 'User of basic authentication; empty: the secret is a bearer token.',
    why: 'hosted ones take tokens',
  }),
  secretFile: SECRET_FILE,
  caFile: CA_FILE,
} as const;

const shadowGate = {
  ...common({
    at: 'before',
    of: ['before'],
    timeout: '30m',
    try: '30s',
    whyTimes: 'evidence needs traffic',
  }),
  share: percent({
    fallback: '10%',
    min: '0.1%',
    max: '100%',
    doc: 'Share of live GET, HEAD and OPTIONS requests that are copied.',
    why: 'enough to compare thousands of answers in minutes, at a tenth of the load',
  }),
  mismatch: percent({
    fallback: '1%',
    min: '0.01%',
    max: '50%',
    doc: 'A share of differing answers that is never too many.',
    why: 'pages with a time or a random number in them differ anyway',
  }),
  fields: list({
    noun: 'fields',
    countMax: 32,
    allowed: 'names of fields',
    parse: parseFieldName,
    doc: 'Fields of answers that are compared, beside status and body.',
    why: 'most differ by design: dates, ids, versions',
  }),
  ignore: list({
    noun: 'patterns',
    countMax: 32,
    allowed: 'texts with * for anything',
    parse: parseTextPattern,
    doc: 'Parts of bodies and fields that may differ: all between the texts, or a text without * itself.',
    why: 'Turnout cannot know them',
  }),
  ignorePaths: list({
    noun: 'patterns',
    countMax: 32,
    allowed: 'paths with * for anything, such as /reports/*',
    parse: parsePathPattern,
    doc: 'Requests that are not copied.',
    why: 'some GET requests change something after all',
  }),
  minimum: integer({
    fallback: 100,
    min: 1,
    max: 1_000_000,
    doc: 'Comparisons without which the gate does not open.',
    why: 'a few requests of one kind say little about a release',
  }),
  body: size({
    fallback: '64KiB',
    min: '1KiB',
    max: '1MiB',
    zeroMeans: 'bodies are not compared',
    doc: 'How much of a body is compared.',
    why: 'holds most pages and answers of APIs; what differs mostly differs early',
  }),
  slower: duration({
    fallback: '0s',
    min: '0s',
    max: '1m',
    doc: 'An answer that begins this much later than the live one differs. 0s: time is not compared.',
    why: 'a release without traffic has cold caches',
  }),
} as const;

const approveGate = {
  name: NAME,
  at: moment({ of: MOMENTS, fallback: 'before' }),
  timeout: duration({
    fallback: '24h',
    min: '1m',
    max: '14d',
    doc: 'An approval that was asked for expires after this.',
    why: 'an operator who is asked in the evening answers in the morning',
  }),
  by: choice({
    of: ['anyone', 'others'],
    fallback: 'anyone',
    doc: 'Who may approve: any actor that may switch, or any but the one that started the rollout.',
    why: 'a team of one has to approve its own',
  }),
  onTimeout: choice({
    of: ['stop', 'proceed'],
    fallback: 'stop',
    doc: 'What follows when it was neither approved nor rejected.',
    why: 'silence is no consent',
  }),
} as const;

export const GATES = entriesOfKinds({
  noun: 'gates',
  countMax: 32,
  kinds: {
    requests: requestsGate,
    webhook: webhookGate,
    command: commandGate,
    prometheus: prometheusGate,
    shadow: shadowGate,
    approve: approveGate,
  },
  doc: 'What has to be right before traffic moves on.',
  why: 'health checks are always asked; what else counts is known to the operator',
});

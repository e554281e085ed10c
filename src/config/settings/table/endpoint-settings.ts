// Settings of what becomes of requests where one endpoint of a deployment fails them and others do not.

import { choice, duration, integer } from '../kinds/row.ts';

export const RETRY_SETTINGS = {
  mode: choice({
    of: ['off', 'on'],
    fallback: 'off',
    doc: 'Whether a response with 502, 503 or 504 lets another target of the same color be asked, once: for safe methods (GET, HEAD, OPTIONS) without a body, and not where the response says Retry-After.',
    why: 'only the operator knows whether a second GET does no harm; failed connects are tried again in any case',
  }),
  budget: integer({
    fallback: 20,
    min: 1,
    max: 100,
    doc: 'How many requests in a hundred may be asked again, in each worker; ten may be at once.',
    why: 'enough for one sick target in five; in an outage the load must not double',
  }),
} as const;

export const EJECTION_SETTINGS = {
  mode: choice({
    of: ['off', 'on'],
    fallback: 'on',
    doc: 'Whether a target that fails live requests is left out for a while, as long as another one of its color serves.',
    why: 'a health check asks for one path; what fails all others is found by their requests alone',
  }),
  failures: integer({
    fallback: 5,
    min: 3,
    max: 1_000,
    doc: 'Requests in a row that a target must fail (no connection, no response, or a status from 500 on), all workers together, and more where the rest of its color fails requests too.',
    why: 'one or two may be chance, or the fault of one client',
  }),
  time: duration({
    fallback: '30s',
    min: '1s',
    max: '1h',
    doc: 'How long it is left out the first time; then one request at a time tries it. Each further time in a row is longer by as much.',
    why: 'a restart of an app is over by then',
  }),
  timeMax: duration({
    fallback: '5m',
    min: '1s',
    max: '24h',
    doc: 'How long it is left out at most.',
    why: 'what was mended should not wait for long',
  }),
} as const;

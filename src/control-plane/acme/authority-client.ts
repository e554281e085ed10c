// The client of one authority: acme-client, with its HTTP bounded. Its own retries are taken out: they
// send an old nonce once more, sleep for as long as an authority likes, and lose the error of a
// connection. Loaded only by the program that carries out one order.

import { Agent } from 'node:https';
import { axios, Client } from 'acme-client';
import { epochMs } from '../../base/clock.ts';
import { VERSION } from '../../base/version.ts';
import { readAnswer, type AuthorityAnswer } from './authority-answer.ts';
import type { OrderBrief } from './order-messages.ts';

/** Of one request, to the end of its answer. */
const REQUEST_TIMEOUT_MS = 20_000;
/** A directory has 1 KB, a chain of certificates some 6 KB. */
const ANSWER_BYTES_MAX = 262_144;
/** From one look at what the authority does to the next: soon at first, then ever less often. */
const LOOK_MIN_MS = 500;
const LOOK_MAX_MS = 8_000;
/** Looks in all: some two minutes. */
const LOOKS_MAX = 20;

/** The last answer that told of a failure. */
export interface LastAnswer {
  failure: AuthorityAnswer | undefined;
}

/** Prepares the HTTP of this process for one authority; `last` follows what that answers. */
export function boundHttp({ trusted }: Pick<OrderBrief, 'trusted'>, last: LastAnswer): void {
  axios.interceptors.request.clear();
  axios.interceptors.response.clear();
  Object.assign(axios.defaults, {
    proxy: false,
    maxRedirects: 0,
    maxContentLength: ANSWER_BYTES_MAX,
    httpsAgent: new Agent({ keepAlive: true, ...(trusted === '' ? {} : { ca: trusted }) }),
  });
  axios.defaults.headers.common['User-Agent'] = `turnout/${VERSION} acme-client`;
  axios.interceptors.request.use((config) => {
    // What an authority names is asked next: it must not lead to a service without TLS in this network.
    if (!URL.canParse(config.url ?? '') || new URL(config.url!).protocol !== 'https:') {
      throw new Error(`the authority names an address that is not https: ${config.url}`);
    }
    config.signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    return config;
  });
  axios.interceptors.response.use((response) => {
    const { status, headers } = response;
    const data: unknown = response.data;
    const answer = readAnswer({ status, data, retryAfter: headers['retry-after'] }, epochMs());
    if (answer !== undefined) last.failure = answer;
    return response;
  });
}

/** Returns a client for the account at `accountUrl`; empty: for one that is to be registered. */
export function clientFor(brief: OrderBrief, accountUrl: string): Client {
  const { directory, accountKey, binding } = brief;
  return new Client({
    directoryUrl: directory,
    accountKey,
    ...(accountUrl === '' ? {} : { accountUrl }),
    ...(binding === undefined
      ? {}
      : { externalAccountBinding: { kid: binding.keyId, hmacKey: binding.hmacKey } }),
    backoffAttempts: LOOKS_MAX,
    backoffMin: LOOK_MIN_MS,
    backoffMax: LOOK_MAX_MS,
  });
}

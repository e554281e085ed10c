// What an authority answered, and the words for an operator when an order fails. The texts come from
// outside: they are cut and made visible here, and nowhere later.

import { visibleText } from '../../base/visible-text.ts';
import { codeOf, messageOf } from '../base/problems.ts';
import { adviceFor } from './order-advice.ts';
import {
  ORDER_STEPS,
  type ChallengeKind,
  type OrderProblem,
  type OrderStep,
} from './order-messages.ts';

/** An answer that is no success: a problem document (RFC 8555 §6.7) or whatever came instead of it. */
export interface AuthorityAnswer {
  readonly status: number;
  /** Without `urn:ietf:params:acme:error:`; empty: it is no problem document. */
  readonly type: string;
  /** Empty: there was none. */
  readonly detail: string;
  /** How long it wants to be left alone; undefined: it did not say. */
  readonly retryAfterMs: number | undefined;
}

/** Enough for the longest text that public authorities send, with the name and the address in it. */
const DETAIL_CHARS_MAX = 400;
const TYPE_PREFIX = 'urn:ietf:params:acme:error:';
const TOO_MANY_REQUESTS = 429;

interface Response {
  readonly status: number;
  readonly data: unknown;
  readonly retryAfter: unknown;
}

/** Reads an answer; undefined: it tells of no failure. */
export function readAnswer(
  { status, data, retryAfter }: Response,
  nowMs: number,
): AuthorityAnswer | undefined {
  // A challenge, an authorization or an order that came to nothing has the reason inside of it.
  const inner = memberOf(data, 'error');
  if (status < 400 && inner === undefined) return undefined;
  const problem = inner ?? data;
  const type = textOf(memberOf(problem, 'type'));
  const detail = textOf(memberOf(problem, 'detail'));
  const said = parseRetryAfter(textOf(retryAfter), nowMs) ?? retryTimeIn(detail, nowMs);
  return {
    status,
    type: type.startsWith(TYPE_PREFIX) ? type.slice(TYPE_PREFIX.length) : '',
    detail,
    retryAfterMs: said,
  };
}

/** Returns why an order failed; `answer` is the last one that told of a failure. */
export function problemOf(
  error: unknown,
  { step, challenge }: { readonly step: OrderStep; readonly challenge: ChallengeKind },
  answer: AuthorityAnswer | undefined,
): OrderProblem {
  const isRateLimited = answer?.type === 'rateLimited' || answer?.status === TOO_MANY_REQUESTS;
  const retryAfterMs = answer?.retryAfterMs;
  const [before, after] = answer === undefined ? faultText(error, step) : answerText(answer, error);
  const words = `${before} (while ${ORDER_STEPS[step]})${after === '' ? '' : `: ${after}`}`;
  const advice = adviceFor(step, challenge, answer?.type);
  return { words: shortText(words), advice, isRateLimited, retryAfterMs };
}

/** Returns a problem that the authority has said nothing about. */
export function ownProblem(words: string, advice = ''): OrderProblem {
  return { words: shortText(words), advice, isRateLimited: false, retryAfterMs: undefined };
}

/** Returns `text` on one line, cut to what a status has room for. */
export function shortText(text: string): string {
  const visible = visibleText(text);
  return visible.length <= DETAIL_CHARS_MAX ? visible : `${visible.slice(0, DETAIL_CHARS_MAX)}…`;
}

function answerText(answer: AuthorityAnswer, error: unknown): [string, string] {
  const { status, type, detail } = answer;
  const kind = type === '' ? `status ${status}` : type;
  return [`the authority answered ${kind}`, detail === '' ? messageOf(error) : detail];
}

/** An untrusted certificate of the authority; every code of OpenSSL that says so. */
const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

const FAULTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired, or the clock of this machine is wrong',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet, or the clock of this machine is wrong',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was reset',
  EAI_AGAIN: 'the name server does not answer',
  EHOSTUNREACH: 'no way to its address',
  ENETUNREACH: 'no way to its network',
  ENOTFOUND: 'its name has no address',
  ERR_CANCELED: 'no answer in time',
  ECONNABORTED: 'no answer in time',
  ETIMEDOUT: 'no answer in time',
};

function faultText(error: unknown, step: OrderStep): [string, string] {
  const code = codeOf(error);
  if (UNTRUSTED.has(code)) {
    const text = 'its certificate is signed by an authority that is not trusted; see acme.caFile';
    return ['the authority cannot be reached', `${text} (${code})`];
  }
  const text = FAULTS[code];
  if (text !== undefined) return ['the authority cannot be reached', `${text} (${code})`];
  if (error instanceof TypeError && step === 'directory') {
    return ['what is at its address is no directory', 'acme.ca has to be the whole URL of one'];
  }
  if (error instanceof TypeError) {
    return ['the authority gave an answer that makes no sense', messageOf(error)];
  }
  return ['the order failed', messageOf(error)];
}

/** Seconds or a date (RFC 9110 §10.2.3). */
function parseRetryAfter(text: string, nowMs: number): number | undefined {
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const atMs = /[A-Z]/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

// Some say it in words alone: `retry after 2024-06-07T21:01:50Z`, `retry after 2026-01-17 00:27:45 UTC`.
const RETRY_TIME = /retry after (\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)/i;

function retryTimeIn(detail: string, nowMs: number): number | undefined {
  const [, day, time] = RETRY_TIME.exec(detail) ?? [];
  return day === undefined ? undefined : parseRetryAfter(`${day}T${time}Z`, nowMs);
}

function memberOf(value: unknown, name: string): unknown {
  const isObject = typeof value === 'object' && value !== null;
  return isObject ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

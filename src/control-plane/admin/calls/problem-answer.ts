// Refusals and failures as RFC 9457 problem documents.

import type { FastifyReply } from 'fastify';
import { ADMIN_HEAD_BYTES_MAX, ADMIN_REQUEST_TIMEOUT_MS } from '../../base/control-limits.ts';
import { problemType, type ProblemCode } from '../../../api/problem-codes.ts';
import { jsonText } from '../../base/json-text.ts';
import { codeOf, messageOf, OperatorError } from '../../base/problems.ts';
import { StoreError } from '../../store/store.ts';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** Codes of the framework that are the sender's fault. */
const FRAMEWORK_CODES: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body-too-large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'content-type-not-json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'request-malformed',
};

/** Returns `error` as what the caller is told. */
export function asOperatorError(error: unknown): OperatorError {
  if (error instanceof OperatorError) return error;
  if (error instanceof StoreError) {
    return new OperatorError('store-failed', `${error.message}; nothing has changed`, {
      cause: error,
    });
  }
  const known = FRAMEWORK_CODES[codeOf(error)];
  if (known) return new OperatorError(known, messageOf(error));
  if (codeOf(error) === 'ECONNRESET') {
    return new OperatorError('request-malformed', 'the caller left in the middle of its body');
  }
  return new OperatorError('internal', 'the log has the cause', { cause: error });
}

/** Sends the problem, with the fields that belong to its code. */
export function sendProblem(reply: FastifyReply, error: OperatorError): FastifyReply {
  // RFC 9110 §15.5.2: a 401 names the scheme that would help.
  if (error.status === 401) reply.header('www-authenticate', 'Bearer realm="turnout"');
  const { retryAfterSeconds } = error.members;
  if (typeof retryAfterSeconds === 'number') reply.header('retry-after', retryAfterSeconds);
  return reply.status(error.status).type(PROBLEM_TYPE).send(problemText(error));
}

/** Returns the document of a problem. */
export function problemText({ code, status, title, message, members }: OperatorError): string {
  const problem = { type: problemType(code), title, status, detail: message, code, ...members };
  return jsonText(problem);
}

/** Returns what bytes that are no HTTP request are told, by the code of the parser. */
export function malformed(code: string): OperatorError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new OperatorError('head-too-large', `the limit is ${ADMIN_HEAD_BYTES_MAX} bytes`);
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new OperatorError('request-timeout', `the limit is ${ADMIN_REQUEST_TIMEOUT_MS} ms`);
  }
  return new OperatorError('request-malformed', 'expected an HTTP/1.1 request');
}

/** Returns a whole answer, for where no framework writes one. */
export function rawProblem(problem: OperatorError): string {
  const body = problemText(problem);
  return (
    `HTTP/1.1 ${problem.status} ${problem.code}\r\n` +
    `content-type: ${PROBLEM_TYPE}\r\n` +
    `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  );
}

// HTTP for operators: binds, guards, checks shapes, turns failures into problem documents.
// What a route does is none of its business.

import { chmod } from 'node:fs/promises';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { z } from 'zod';
import { isLoopback } from '../../config/host.ts';
import type { ListenAddress } from '../../contract/settings.ts';
import { listenFault } from '../listen-fault.ts';
import {
  ADMIN_BODY_BYTES_MAX,
  ADMIN_CONNECTIONS_MAX,
  ADMIN_HEAD_BYTES_MAX,
  ADMIN_KEEP_ALIVE_TIMEOUT_MS,
  ADMIN_REQUEST_TIMEOUT_MS,
} from '../limits.ts';
import { codeOf, messageOf, OperatorError, StartError, type ProblemCode } from '../problems.ts';
import { removeStaleSocket } from '../stale-socket.ts';
import type { AdminParts } from './admin-parts.ts';
import { checkContentType, checkHost, checkOrigin, parseIfMatch } from './guards.ts';
import type { Route } from './route.ts';
import { ROUTES } from './routes.ts';

export interface AdminServer {
  /** The real address, also where port 0 was asked for. */
  readonly address: ListenAddress;
  close(): Promise<void>;
}

/**
 * Opens the admin API on `listen`. Throws StartError when the address is not loopback or
 * cannot be had.
 */
export async function openAdminServer(
  listen: ListenAddress,
  parts: AdminParts,
): Promise<AdminServer> {
  if (listen.kind === 'tcp' && !isLoopback(listen.host.toLowerCase())) {
    throw new StartError(`the admin API listens on loopback only, not on ${listen.host}`);
  }
  const app = createApp(listen, parts);
  try {
    await bind(app, listen);
  } catch (error) {
    await app.close();
    const fault = { code: codeOf(error), message: messageOf(error) };
    throw new StartError(`admin API: ${listenFault(listen, fault)}`, { cause: error });
  }
  return { address: boundAddress(app, listen), close: async () => app.close() };
}

function createApp(listen: ListenAddress, parts: AdminParts): FastifyInstance {
  const app = fastify({
    bodyLimit: ADMIN_BODY_BYTES_MAX,
    requestTimeout: ADMIN_REQUEST_TIMEOUT_MS,
    keepAliveTimeout: ADMIN_KEEP_ALIVE_TIMEOUT_MS,
    forceCloseConnections: true,
    http: { maxHeaderSize: ADMIN_HEAD_BYTES_MAX },
    routerOptions: { ignoreTrailingSlash: false },
    frameworkErrors: (_error, _request, reply) => {
      sendProblem(
        reply,
        new OperatorError('request-malformed', 'the path is not a valid URL path'),
      );
    },
    clientErrorHandler: refuseMalformed,
  });
  app.server.maxConnections = ADMIN_CONNECTIONS_MAX;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    async (_: unknown, text: string | Buffer) => parseJson(String(text)),
  );
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_FIELDS);
    checkHost(request.headers.host, listen);
    checkOrigin(request.headers.origin, request.headers.host);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      checkContentType(request.headers['content-type']);
  });
  for (const route of ROUTES) {
    app.route({
      method: route.method,
      url: route.path,
      handler: async (request, reply) => serve(route, request, reply, parts),
    });
  }
  app.setNotFoundHandler((request, reply) => sendProblem(reply, unknownPath(request, reply)));
  app.setErrorHandler((error, request, reply) => {
    const told = asOperatorError(error);
    if (told.code === 'internal')
      parts.log.error({ err: error, url: request.url }, 'admin API failed');
    return sendProblem(reply, told);
  });
  return app;
}

/** No page may frame, keep or sniff what this API says. */
const SECURITY_FIELDS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

async function serve(
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
  parts: AdminParts,
): Promise<FastifyReply> {
  const asked = {
    query: parse(route.query, request.query, 'query-invalid'),
    body:
      route.body &&
      parse(route.body, request.body === undefined ? {} : request.body, 'body-invalid'),
    ifMatch: route.body && parseIfMatch(request.headers['if-match']),
    actor: request.socket.remoteAddress ?? 'unix',
  };
  const { body, generation } = await route.handle(asked, parts);
  if (generation !== undefined) reply.header('etag', `"${generation}"`);
  if (route.answer.type !== 'application/json') return reply.type(route.answer.type).send(body);
  // Indented: these answers are read by people, at three in the morning, with curl.
  const text = `${JSON.stringify(body, null, 2)}\n`;
  return reply.type('application/json; charset=utf-8').send(text);
}

function parse(schema: z.ZodType, value: unknown, code: ProblemCode): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map(({ path, message }) => ({
    field: path.join('.'),
    message,
  }));
  const detail = errors.map(({ field, message }) => (field ? `${field}: ${message}` : message));
  throw new OperatorError(code, detail.join('; '), { members: { errors } });
}

function parseJson(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new OperatorError('json-malformed', 'expected one JSON object', { cause: error });
  }
}

function unknownPath(request: FastifyRequest, reply: FastifyReply): OperatorError {
  const path = request.url.split('?', 1)[0]!;
  const methods = ROUTES.filter((route) => route.path === path).map((route) => route.method);
  if (methods.length > 0) {
    const allowed = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
    reply.header('allow', allowed.join(', '));
    return new OperatorError('method-not-allowed', `expected ${allowed.join(' or ')}`);
  }
  const routes = ROUTES.map(({ method, path, doc }) => `${method} ${path}: ${doc}`);
  return new OperatorError('not-found', 'see "routes" for the paths there are', {
    members: { routes },
  });
}

/** Codes of the framework that are the sender's fault. */
const FRAMEWORK_CODES: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body-too-large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'content-type-not-json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'request-malformed',
};

function asOperatorError(error: unknown): OperatorError {
  if (error instanceof OperatorError) return error;
  const known = FRAMEWORK_CODES[codeOf(error)];
  if (known) return new OperatorError(known, messageOf(error));
  return new OperatorError('internal', 'the log has the cause', { cause: error });
}

function sendProblem(reply: FastifyReply, error: OperatorError): FastifyReply {
  return reply
    .status(error.status)
    .type('application/problem+json; charset=utf-8')
    .send(`${JSON.stringify(problemOf(error), null, 2)}\n`);
}

function problemOf({ code, status, title, message, members }: OperatorError): object {
  return { type: `urn:turnout:problem:${code}`, title, status, detail: message, code, ...members };
}

/** Bytes that are no HTTP request never become one, so they are answered by hand. */
function refuseMalformed(
  error: Error,
  socket: { writable: boolean; end: (text: string) => void },
): void {
  if (!socket.writable) return;
  const problem = malformed(codeOf(error));
  const body = `${JSON.stringify(problemOf(problem), null, 2)}\n`;
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.code}\r\n` +
      'content-type: application/problem+json; charset=utf-8\r\n' +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function malformed(code: string): OperatorError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new OperatorError('head-too-large', `the limit is ${ADMIN_HEAD_BYTES_MAX} bytes`);
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new OperatorError('request-timeout', `the limit is ${ADMIN_REQUEST_TIMEOUT_MS} ms`);
  }
  return new OperatorError('request-malformed', 'expected an HTTP/1.1 request');
}

async function bind(app: FastifyInstance, listen: ListenAddress): Promise<void> {
  if (listen.kind === 'tcp') {
    await app.listen({ host: listen.host, port: listen.port });
    return;
  }
  await removeStaleSocket(listen.path);
  await app.listen({ path: listen.path });
  // Whoever may open the socket may switch: only its owner.
  await chmod(listen.path, 0o600);
}

function boundAddress(app: FastifyInstance, listen: ListenAddress): ListenAddress {
  const bound = app.server.address();
  if (listen.kind === 'unix' || bound === null || typeof bound === 'string') return listen;
  return { ...listen, port: bound.port };
}

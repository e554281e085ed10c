// HTTP for operators: binds, guards, and hands what is left to the pipeline; turns failures into problem
// documents. What a route does is none of its business.

import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { Server, type Socket } from 'node:net';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { listenerFd } from '../../../base/listener-fd.ts';
import { bindingPath, settlePath } from '../../../base/socket-file.ts';
import type { AdminConfig } from '../../../config/config.ts';
import type { ListenAddress } from '../../../contract/worker-settings.ts';
import type { FileReport } from '../../certificates/certificate-files.ts';
import { listenFault } from '../../listening/listen-fault.ts';
import {
  ADMIN_BODY_BYTES_MAX,
  ADMIN_GOODBYE_MS,
  ADMIN_REQUEST_TIMEOUT_MS,
} from '../../base/control-limits.ts';
import { addressOf } from '../../base/peer.ts';
import { codeOf, messageOf, OperatorError, StartError } from '../../base/problems.ts';
import { claimSocketFile } from '../../listening/socket-claim.ts';
import { Access } from '../calls/authorization.ts';
import type { AdminParts } from '../routes/admin-parts.ts';
import { openCertificates, type AdminCertificates } from './admin-certificates.ts';
import { CallPipeline } from '../calls/call-pipeline.ts';
import {
  checkCameStraight,
  checkContentType,
  checkHost,
  checkOneReading,
  checkOrigin,
} from './guards.ts';
import { asOperatorError, malformed, rawProblem, sendProblem } from '../calls/problem-answer.ts';
import { ConnectionLimits, CONNECTION_LIMITS, SERVER_LIMITS } from './connection-limits.ts';
import { ROUTES } from '../routes/routes.ts';

export interface AdminServer {
  /** The real address, also where port 0 was asked for. */
  readonly address: ListenAddress;
  /** Descriptor of its socket; undefined where the system does not tell. */
  readonly fd: number | undefined;
  /** Of its certificates and of the authorities of its clients. */
  certificates(): FileReport[];
  /** Leaves new connections to the other process that listens on the socket; open ones go on. */
  stopAccepting(): void;
  close(): Promise<void>;
}

/** Opens the admin API. Throws StartError when its address or its certificates cannot be had. */
export async function openAdminServer(
  config: AdminConfig,
  parts: AdminParts,
  inheritedFd?: number,
): Promise<AdminServer> {
  const { listen, tls } = config;
  const { turnedAway, log } = parts;
  const certificates = tls && (await openCertificates(tls, log));
  const connections = new ConnectionLimits({
    what: 'admin API',
    limits: CONNECTION_LIMITS,
    turnedAway,
    log,
  });
  const app = createApp(config, parts, { connections, certificates });
  try {
    await bind(app, listen, inheritedFd);
  } catch (error) {
    certificates?.stop();
    connections.close();
    await app.close();
    const fault = { code: codeOf(error), message: messageOf(error) };
    throw new StartError(`admin API: ${listenFault(listen, fault)}`, { cause: error });
  }
  const close = async (): Promise<void> => {
    certificates?.stop();
    connections.close();
    app.server.closeAllConnections();
    await app.close();
  };
  const stopAccepting = (): void => void Server.prototype.close.call(app.server);
  return {
    address: boundAddress(app, listen),
    fd: listenerFd(app.server),
    certificates: () => certificates?.report() ?? [],
    stopAccepting,
    close,
  };
}

/** What stands between a socket and a call. */
interface Guards {
  readonly connections: ConnectionLimits;
  /** Undefined: plain HTTP. */
  readonly certificates: AdminCertificates | undefined;
}

function createApp(config: AdminConfig, parts: AdminParts, guards: Guards): FastifyInstance {
  const pipeline = new CallPipeline(parts, new Access(config, parts.tokens));
  const app = newApp(pipeline, guards);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    async (request: FastifyRequest, text: string | Buffer) => pipeline.read(request, String(text)),
  );
  const scheme = config.tls === undefined ? 'http' : 'https';
  app.addHook('onRequest', async (request, reply) => {
    const { host, origin, 'content-type': contentType } = request.headers;
    const site = request.headers['sec-fetch-site'];
    reply.headers(SECURITY_FIELDS);
    checkCameStraight(request.raw.rawHeaders);
    checkOneReading(request.url, host, request.raw.rawHeaders);
    checkHost(host, { ...config, setting: 'admin.hosts' });
    checkOrigin({ origin, site: site?.toString() }, `${scheme}://${host}`);
    if (request.method !== 'GET' && request.method !== 'HEAD') checkContentType(contentType);
    const { url } = request.routeOptions;
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    await pipeline.admit(
      request,
      ROUTES.find((route) => route.path === url && route.method === method),
    );
  });
  for (const route of ROUTES) {
    app.route({
      method: route.method,
      url: route.path,
      handler: async (request, reply) => pipeline.serve(route, request, reply),
    });
  }
  app.setNotFoundHandler((request, reply) => {
    throw unknownPath(request, reply);
  });
  app.setErrorHandler((error, request, reply) => {
    const told = asOperatorError(error);
    if (told.code === 'internal')
      parts.log.error({ err: error, url: request.url }, 'admin API failed');
    pipeline.refused(request, told);
    return sendProblem(reply, told);
  });
  return app;
}

function newApp(pipeline: CallPipeline, { connections, certificates }: Guards): FastifyInstance {
  return fastify({
    bodyLimit: ADMIN_BODY_BYTES_MAX,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: false },
    frameworkErrors: (_error: unknown, request: FastifyRequest, reply: FastifyReply) => {
      const detail = 'the path is not a valid URL path';
      const told = new OperatorError('request-malformed', detail);
      pipeline.refused(request, told);
      sendProblem(reply, told);
    },
    clientErrorHandler: (error: Error, socket: Socket) => refuseMalformed(error, socket, pipeline),
    // Two of them where the address is `localhost`.
    serverFactory: (listener: RequestListener) => {
      if (certificates === undefined) {
        const server = createServer(SERVER_LIMITS, listener);
        connections.watch(server);
        return server;
      }
      const options = { ...SERVER_LIMITS, ...certificates.options() };
      const server = createSecureServer(
        { ...options, handshakeTimeout: ADMIN_REQUEST_TIMEOUT_MS },
        listener,
      );
      certificates.follow(server);
      connections.watch(server);
      return server;
    },
  });
}

/** No page may frame, keep or sniff what this API says. */
const SECURITY_FIELDS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

/** Tells whether `path` is what the path of a route stands for. */
function isPathOf(routePath: string, path: string): boolean {
  const segments = path.split('/');
  const wanted = routePath.split('/');
  if (segments.length !== wanted.length) return false;
  return wanted.every((one, i) => one.startsWith(':') || one === segments[i]);
}

function unknownPath(request: FastifyRequest, reply: FastifyReply): OperatorError {
  const path = request.url.split('?', 1)[0]!;
  const methods = ROUTES.filter((route) => isPathOf(route.path, path)).map(({ method }) => method);
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

/** Bytes that are no HTTP request never become one, so they are answered by hand. */
function refuseMalformed(error: Error, socket: Socket, pipeline: CallPipeline): void {
  const problem = malformed(codeOf(error));
  const bytes =
    'rawPacket' in error && Buffer.isBuffer(error.rawPacket) ? error.rawPacket : undefined;
  pipeline.malformed(bytes, addressOf(socket), problem);
  if (socket.writable) socket.end(rawProblem(problem));
  // The client may keep its end open as long as it likes.
  setTimeout(() => socket.destroy(), ADMIN_GOODBYE_MS).unref();
}

async function bind(
  app: FastifyInstance,
  listen: ListenAddress,
  inheritedFd: number | undefined,
): Promise<void> {
  if (inheritedFd !== undefined) {
    // Not by the framework, which expects every listener to have an address.
    await app.ready();
    app.server.listen({ fd: inheritedFd });
    await once(app.server, 'listening');
    return;
  }
  if (listen.kind === 'tcp') {
    await app.listen({ host: listen.host, port: listen.port });
    return;
  }
  await claimSocketFile(listen.path);
  makePrivate(app.server);
  await app.listen({ path: bindingPath(listen.path) });
  settlePath(listen.path);
}

/**
 * A user that may open the socket may switch: only its owner may, from the moment on that its file is
 * there. Node makes it within the call.
 */
function makePrivate(server: Server): void {
  const listen = Reflect.get(Server.prototype, 'listen') as (...args: unknown[]) => Server;
  const value = (...args: unknown[]): Server => {
    const umask = process.umask(0o177);
    try {
      return listen.apply(server, args);
    } finally {
      process.umask(umask);
    }
  };
  Object.defineProperty(server, 'listen', { value });
}

function boundAddress(app: FastifyInstance, listen: ListenAddress): ListenAddress {
  const bound = app.server.address();
  if (listen.kind === 'unix' || bound === null || typeof bound === 'string') return listen;
  return { ...listen, port: bound.port };
}

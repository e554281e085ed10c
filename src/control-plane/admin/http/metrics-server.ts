// The listener for scrapers and probes: it answers three questions, and can change nothing.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { ListenOptions } from 'node:net';
import { listenerFd } from '../../../base/listener-fd.ts';
import { bindingPath, settlePath } from '../../../base/socket-file.ts';
import type { MetricsConfig } from '../../../config/config.ts';
import type { ListenAddress } from '../../../contract/worker-settings.ts';
import { listenFault } from '../../listening/listen-fault.ts';
import { jsonText } from '../../base/json-text.ts';
import { codeOf, messageOf, OperatorError, StartError } from '../../base/problems.ts';
import { claimSocketFile } from '../../listening/socket-claim.ts';
import type { AdminParts } from '../routes/admin-parts.ts';
import { readyView, type ReadyParts } from '../routes/views.ts';
import { asOperatorError, PROBLEM_TYPE, problemText } from '../calls/problem-answer.ts';
import {
  checkCameStraight,
  checkHost,
  checkOneReading,
  checkOrigin,
  type OwnNames,
} from './guards.ts';
import { ConnectionLimits, CONNECTION_LIMITS, SERVER_LIMITS } from './connection-limits.ts';

export interface MetricsServer {
  /** The real address, also where port 0 was asked for. */
  readonly address: ListenAddress;
  /** Descriptor of its socket; undefined where the system does not tell. */
  readonly fd: number | undefined;
  /** From now on it may be asked by these names. */
  useHosts(hosts: MetricsConfig['hosts']): void;
  close(): Promise<void>;
}

type MetricsServerParts = ReadyParts & Pick<AdminParts, 'metrics' | 'turnedAway' | 'log'>;

/** Opens it. Throws StartError when the address cannot be had. */
export async function openMetricsServer(
  { listen, hosts: firstHosts }: MetricsConfig & { readonly listen: ListenAddress },
  parts: MetricsServerParts,
  inheritedFd?: number,
): Promise<MetricsServer> {
  let hosts = firstHosts;
  const server = createServer(SERVER_LIMITS, (request, response) => {
    const names: OwnNames = { listen, hosts, setting: 'metrics.hosts' };
    void answer(request, response, { ...parts, names }); // It never rejects.
  });
  const { turnedAway, log } = parts;
  const connections = new ConnectionLimits({
    what: 'metrics listener',
    limits: CONNECTION_LIMITS,
    turnedAway,
    log,
  });
  connections.watch(server);
  try {
    const isNewFile = listen.kind === 'unix' && inheritedFd === undefined;
    if (isNewFile) await claimSocketFile(listen.path);
    server.listen(placeOf(listen, inheritedFd));
    await once(server, 'listening');
    if (isNewFile) settlePath(listen.path);
  } catch (error) {
    connections.close();
    const fault = { code: codeOf(error), message: messageOf(error) };
    throw new StartError(`metrics: ${listenFault(listen, fault)}`, { cause: error });
  }
  return {
    address: boundAddress(server, listen),
    fd: listenerFd(server),
    useHosts: (next) => (hosts = next),
    close: closing(server, connections),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  parts: MetricsServerParts & { readonly names: OwnNames },
): Promise<void> {
  const { method, rawHeaders, url = '' } = request;
  const { metrics, log } = parts;
  response.setHeader('cache-control', 'no-store');
  response.setHeader('x-content-type-options', 'nosniff');
  try {
    checkCameStraight(rawHeaders);
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      throw new OperatorError('method-not-allowed', 'expected GET or HEAD');
    }
    switch (url.split('?', 1)[0]) {
      case '/metrics':
        checkReader(request, parts.names);
        send(response, 'text/plain; version=0.0.4; charset=utf-8', await metrics());
        break;
      case '/readyz':
        send(response, JSON_TYPE, jsonText(readyView(parts)));
        break;
      case '/livez':
        send(response, JSON_TYPE, jsonText({ status: 'ok' }));
        break;
      default:
        throw new OperatorError('not-found', 'here are /metrics, /livez and /readyz alone');
    }
  } catch (error) {
    const told = asOperatorError(error);
    if (told.code === 'internal') log.error({ err: error, url }, 'the metrics listener failed');
    response.statusCode = told.status;
    send(response, PROBLEM_TYPE, problemText(told));
  }
}

/**
 * Metrics name releases and targets, so a web page must not read them. Health says nothing of either,
 * and probes of load balancers ask by any name.
 */
function checkReader({ url = '', headers, rawHeaders }: IncomingMessage, names: OwnNames): void {
  const { host, origin } = headers;
  checkOneReading(url, host, rawHeaders);
  checkHost(host, names);
  checkOrigin({ origin, site: headers['sec-fetch-site']?.toString() }, `http://${host}`);
}

const JSON_TYPE = 'application/json; charset=utf-8';

function send(response: ServerResponse, type: string, text: string): void {
  response.setHeader('content-type', type);
  response.end(text);
}

function placeOf(listen: ListenAddress, fd: number | undefined): ListenOptions & { fd?: number } {
  if (fd !== undefined) return { fd };
  if (listen.kind === 'unix') return { path: bindingPath(listen.path) };
  return { host: listen.host, port: listen.port };
}

function boundAddress(server: Server, listen: ListenAddress): ListenAddress {
  const bound = server.address();
  if (listen.kind === 'unix' || bound === null || typeof bound === 'string') return listen;
  return { ...listen, port: bound.port };
}

function closing(server: Server, connections: ConnectionLimits): () => Promise<void> {
  let closed: Promise<unknown> | undefined;
  return async () => {
    connections.close();
    closed ??= new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
    await closed;
  };
}

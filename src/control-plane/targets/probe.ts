// One question to one target: does it answer as it should? Each probe opens a connection
// of its own, because a kept one says nothing about whether a new one would be accepted.
// Made with node:http, which the admin API has loaded anyway: undici would cost 18 MB here.

import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ProxyVersion } from '../../base/proxy-greeting.ts';
import { durationText } from '../../base/duration.ts';
import { leadsAstray } from '../../base/socket-file.ts';
import type { HealthConfig } from '../../config/config.ts';
import { tlsFaultOf } from '../../base/target-certificates.ts';
import type { LiveEndpoint } from '../../contract/table.ts';
import type { TargetTls } from '../../contract/target-tls.ts';
import { PROBE_BODY_BYTES_MAX, PROBE_HEAD_BYTES_MAX } from '../base/control-limits.ts';
import { codeOf, messageOf } from '../base/problems.ts';
import type { Allowed } from './may-lead-to.ts';
import { reasonAfterHeader, statusReason } from './probe-reason.ts';
import {
  hangUpReason,
  refusalBehind,
  SeenHandshake,
  SPEAKS_TLS,
  speaksTls,
  type SeenCertificate,
} from './probe-tls.ts';
import { targetConnector, usedBy, type ConnectTarget } from './target-connection.ts';

export interface Probe {
  /** Asks once; resolves with why it failed, or with an empty string. */
  ask(): Promise<string>;
  /** Drops the question that is under way. */
  close(): void;
  /** Of a target over TLS: the certificate that was accepted last. */
  readonly certificate?: SeenCertificate | undefined;
}

/** Makes the probe of one target. */
export type Prober = (endpoint: LiveEndpoint, config: HealthConfig) => Probe;

/** Asks no socket whose path has come to lead where neither `allowed` nor its own rules let it. */
export function proberWithin(allowed: () => Allowed, targetTls: Pick<TargetTls, 'of'>): Prober {
  const connect = targetConnector(targetTls);
  return (endpoint, config) => {
    const { address, allow } = endpoint;
    const make = config.kind === 'http' ? httpProbe : tcpProbe;
    const probe = make(endpoint, config, connect);
    if (address.kind !== 'unix') return probe;
    const ask = async (): Promise<string> =>
      leadsAstray(address.path, [allowed(), allow])
        ? 'the path leads elsewhere than targets.allow or the token says'
        : await probe.ask();
    return { ask, close: () => probe.close() }; // A socket file has no TLS.
  };
}

function httpProbe(endpoint: LiveEndpoint, config: HealthConfig, connect: ConnectTarget): Probe {
  const { address, authority, sendProxy } = endpoint;
  const { statusMin, statusMax, timeoutMs } = config;
  const headers = {
    host: config.host === '' ? authority : config.host,
    'user-agent': 'turnout-health',
    accept: '*/*',
    connection: 'close',
  };
  let running: ClientRequest | undefined;
  let certificate: SeenCertificate | undefined;

  async function ask(): Promise<string> {
    const signal = AbortSignal.timeout(timeoutMs);
    const connection = connect(endpoint);
    const { socket, secured } = connection;
    signal.addEventListener('abort', () => socket.destroy());
    const seen = new SeenHandshake();
    if (secured !== undefined) seen.watch(secured);
    running = request({
      ...usedBy(connection),
      path: config.path,
      headers,
      signal,
      maxHeaderSize: PROBE_HEAD_BYTES_MAX,
    });
    // Heard by the wait below; after it, an error of what is thrown away means nothing.
    running.on('error', () => {});
    let status = 0;
    try {
      running.end();
      const response = await responseTo(running);
      status = response.statusCode ?? 0;
      if (status !== 101) await readToEnd(response);
      if (status >= statusMin && status <= statusMax) return '';
      if (status === 400 && (await isTlsInstead(secured, signal))) return SPEAKS_TLS;
      const isTls = secured !== undefined;
      const asked = { ...config, host: headers.host, isTls, sendProxy };
      return statusReason(asked, status);
    } catch (error) {
      const hasHungUp = status === 0 && codeOf(error) === 'ECONNRESET';
      if (signal.aborted) return timeoutReason(timeoutMs, secured !== undefined && !seen.isDone);
      if (hasHungUp && secured !== undefined)
        return reasonAfterHeader(hangUpReason(seen.isDone), sendProxy);
      if (hasHungUp && (await isTlsInstead(secured, signal))) return SPEAKS_TLS;
      return reasonOf(error, sendProxy);
    } finally {
      certificate = seen.certificate ?? certificate;
      running.destroy();
      socket.destroy();
      running = undefined;
    }
  }

  /** The target was asked in plain HTTP, and speaks TLS: it hangs up or, as nginx does, answers 400. */
  async function isTlsInstead(
    secured: TLSSocket | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    return secured === undefined && address.kind === 'tcp' && (await speaksTls(address, signal));
  }

  return {
    ask,
    close: () => running?.destroy(),
    get certificate() {
      return certificate;
    },
  };
}

/** Resolves with the response. A 101 comes as another event, and nothing else would follow it. */
async function responseTo(running: ClientRequest): Promise<IncomingMessage> {
  const upgraded = once(running, 'upgrade').then(([response, socket]) => {
    (socket as Socket).destroy();
    return [response];
  });
  const [response] = await Promise.race([once(running, 'response'), upgraded]);
  return response as IncomingMessage;
}

/** Reads what a probe needs to see: a target that breaks off in its answer is not well. */
async function readToEnd(response: IncomingMessage): Promise<void> {
  let bytes = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    if (bytes > PROBE_BODY_BYTES_MAX) return;
  }
}

function tcpProbe(
  endpoint: LiveEndpoint,
  { timeoutMs }: HealthConfig,
  connect: ConnectTarget,
): Probe {
  const { sendProxy } = endpoint;
  let socket: Socket | undefined;
  let certificate: SeenCertificate | undefined;

  async function ask(): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const opened = connect(endpoint);
    const { secured } = opened;
    const seen = new SeenHandshake();
    socket = opened.socket;
    socket.setTimeout(timeoutMs);
    if (secured === undefined) {
      socket.once('connect', () => resolve(''));
    } else {
      seen.watch(secured);
      secured.once('secureConnect', () => resolve(refusalBehind(secured)));
    }
    socket.once('timeout', () => resolve(timeoutReason(timeoutMs, secured !== undefined)));
    socket.on('error', (error) => {
      const hasHungUp = secured !== undefined && codeOf(error) === 'ECONNRESET';
      const hangUp = reasonAfterHeader(hangUpReason(false), sendProxy);
      resolve(hasHungUp ? hangUp : reasonOf(error, sendProxy));
    });
    try {
      return await promise;
    } finally {
      certificate = seen.certificate ?? certificate;
      socket.destroy();
    }
  }

  return {
    ask,
    close: () => socket?.destroy(),
    get certificate() {
      return certificate;
    },
  };
}

function timeoutReason(timeoutMs: number, isInHandshake: boolean): string {
  const where = isInHandshake ? ': the handshake of TLS did not end' : '';
  return `timeout after ${durationText(timeoutMs)}${where}`;
}

/** No connection came about. */
const UNREACHED: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  EMFILE: 'Turnout itself has no file descriptor left',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ENOENT: 'the socket does not exist',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name could not be looked up',
  ETIMEDOUT: 'the system gave up connecting',
};

function reasonOf(error: unknown, sendProxy: ProxyVersion | undefined): string {
  const code = codeOf(error);
  const unreached = UNREACHED[code];
  if (unreached !== undefined) return unreached;
  if (code === 'HPE_HEADER_OVERFLOW') return 'the head of the answer is too large';
  return reasonAfterHeader(reasonOnce(error, code), sendProxy);
}

/** Returns what went wrong on a connection that was open. */
function reasonOnce(error: unknown, code: string): string {
  if (code === 'ECONNRESET') return 'the connection closed before the answer ended';
  if (code.startsWith('HPE_')) return 'the answer is not HTTP/1.1';
  return tlsFaultOf(error)?.reason ?? messageOf(error);
}

// Asks one question of the admin API with as little as there is: for checks that run every few
// seconds, each in a process of its own. Loads neither undici nor zod, which cost ten times more than
// the question itself. All other commands use admin-client.ts.

import type { IncomingMessage, RequestOptions } from 'node:http';
import { durationText } from '../../base/duration.ts';
import { printAddress } from '../../contract/worker-settings.ts';
import { printConnection, type Connection } from './admin-connection.ts';

/** Container engines give a check a few seconds in all. */
const ANSWER_TIMEOUT_MS = 4_000;
/** A check of many services has a line for each; no more than this is read. */
const ANSWER_CHARS_MAX = 1024 * 1024;

export type LightAnswer =
  /** Whatever it says: a document with its status. */
  | { readonly ok: true; readonly status: number; readonly document: object }
  | { readonly ok: false; readonly message: string };

/** Asks for `path`; never throws. */
export async function askLightly(connection: Connection, path: string): Promise<LightAnswer> {
  const where = printConnection(connection);
  try {
    const response = await send(connection, path);
    let text = '';
    response.setEncoding('utf8');
    for await (const part of response) {
      text += String(part);
      if (text.length > ANSWER_CHARS_MAX) break;
    }
    const document: unknown = JSON.parse(text);
    if (typeof document === 'object' && document !== null) {
      return { ok: true, status: response.statusCode ?? 0, document };
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) {
      return { ok: false, message: `no answer from ${where} (${reasonOf(error)})` };
    }
  }
  return { ok: false, message: `expected the admin API of Turnout at ${where}` };
}

async function send({ address, tls, token }: Connection, path: string): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const place =
    address.kind === 'unix'
      ? { socketPath: address.path, host: 'localhost' }
      : { host: address.host, port: address.port };
  const options: RequestOptions = {
    ...place,
    path,
    agent: false,
    headers: {
      host: address.kind === 'unix' ? 'localhost' : printAddress(address),
      connection: 'close',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    },
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  };
  // An import would read every export of the module, and one of them loads a whole WebSocket client:
  // that is half of the time that a check takes.
  const { request } =
    tls === undefined
      ? process.getBuiltinModule('node:http')
      : process.getBuiltinModule('node:https');
  request({ ...options, ...tls }, resolve)
    .on('error', reject)
    // Without this, neither a response nor an error would follow, and the command would end well.
    .on('upgrade', ({ statusCode }, socket) => {
      socket.destroy();
      reject(new Error(`status ${statusCode}, which was not asked for`));
    })
    .end();
  return await promise;
}

/** Trying several addresses of a name fails with one error for each. */
function reasonOf(error: unknown): string {
  const one: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (one instanceof Error && one.name === 'AbortError') {
    return `not within ${durationText(ANSWER_TIMEOUT_MS)}`;
  }
  if (one instanceof Error && 'code' in one) return String(one.code);
  return one instanceof Error ? one.message : String(one);
}

// The admin API over a switchboard with fake workers, and a client that may send anything.

import { once } from 'node:events';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { Test } from 'tap';
import type { ServiceConfig } from '../../../../src/config/config.ts';
import type { ListenAddress } from '../../../../src/contract/settings.ts';
import { openAdminServer } from '../../../../src/control-plane/admin/server.ts';
import { TEST_KEYS } from '../../../support/policy.ts';
import { board } from './board.ts';
import { LOOPBACK } from './fixtures.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Parsed, where it is JSON. */
  readonly json: unknown;
}

export interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Sends one request and resolves with its answer. */
export async function ask(
  address: ListenAddress,
  path: string,
  { method = 'GET', headers = {}, body }: Asking = {},
): Promise<Answer> {
  const where =
    address.kind === 'tcp'
      ? { host: address.host, port: address.port }
      : { socketPath: address.path };
  const asked = request({ ...where, method, path, headers, agent: false });
  // A server that refuses a large body may answer and close before all of it was sent.
  asked.on('error', () => {});
  asked.end(body);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  const isJson = response.headers['content-type']?.includes('json') ?? false;
  const json: unknown = isJson && text !== '' ? JSON.parse(text) : undefined;
  return { status: response.statusCode ?? 0, headers: response.headers, text, json };
}

type Sending = (
  address: ListenAddress,
  path: string,
  body: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>;

function sending(method: string): Sending {
  return async (address, path, body, headers = {}) =>
    ask(address, path, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
}

/** Sends a change as JSON. */
export const post = sending('POST');
export const put = sending('PUT');

/** Opens the admin API; it closes with the test. */
export async function openAdmin(
  t: Test,
  { services, listen = LOOPBACK }: { services?: ServiceConfig[]; listen?: ListenAddress } = {},
) {
  const parts = board(services);
  const mood: Mood = {
    isReady: true,
    metrics: async () => 'a 1\n',
    previewAddress: undefined,
  };
  const server = await openAdminServer(listen, {
    version: '1.2.3',
    stateDir: '/state',
    switchboard: parts.switchboard,
    store: parts.store,
    workers: {
      count: 2,
      listeningCount: 2,
      restarts: 0,
      address: LOOPBACK,
      get previewAddress() {
        return mood.previewAddress;
      },
    },
    health: {
      status: (slot) => ({ state: 'up', reason: '', ...parts.health.get(slot), changedAtMs: 0 }),
    },
    totals: parts.totals,
    drains: parts.drains,
    keys: () => TEST_KEYS,
    isReady: () => mood.isReady,
    metrics: async () => mood.metrics(),
    log: parts.log,
  });
  t.teardown(async () => server.close());
  t.teardown(() => parts.drains.stop());
  return { ...parts, mood, server, address: server.address };
}

/** What a test may change while the API is open. */
interface Mood {
  isReady: boolean;
  metrics: () => Promise<string>;
  previewAddress: ListenAddress | undefined;
}

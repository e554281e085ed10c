// An ACME authority that does what a test says, step by step: it follows the protocol where it is not
// told otherwise, and checks nothing.

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { authority, pemsOf } from './certificates.ts';

export type Step =
  | 'dir'
  | 'nonce'
  | 'account'
  | 'order'
  | 'authz'
  | 'challenge'
  | 'finalize'
  | 'cert';

/** Answers one request; what it leaves open stays open. */
export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

export interface ScriptedAuthority {
  readonly directory: string;
  /** PEM that its server is checked against. */
  readonly trusted: string;
  readonly asked: readonly Step[];
  /** Resolves when a connection has closed. */
  readonly left: Promise<void>;
  /** Resolves when a step is asked for. */
  until(step: Step): Promise<void>;
  /** Answers `step` in another way; only so often, if that is said. */
  instead(step: Step, answer: Answer, times?: number): void;
}

/** Listens on a free port; ends with the test. */
export async function scriptedAuthority(t: Test, domain: string): Promise<ScriptedAuthority> {
  const own = authority(t);
  const server = createServer(pemsOf(own.sign('authority')));
  const answers = new Map<Step, { readonly answer: Answer; times: number }>();
  const asked: Step[] = [];
  const waiting = new Map<Step, () => void>();
  const left = Promise.withResolvers<void>();
  let base = '';
  let nonces = 0;
  const usual = usualAnswers(domain, () => base);
  server.on('request', (request, response) => {
    const step = (request.url ?? '').slice(1) as Step;
    asked.push(step);
    waiting.get(step)?.();
    response.setHeader('replay-nonce', `nonce-${nonces++}`);
    const other = answers.get(step);
    if (other === undefined || other.times === 0) usual[step](response, request);
    else {
      other.times--;
      other.answer(response, request);
    }
  });
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {});
    socket.once('close', () => left.resolve());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  base = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    directory: `${base}/dir`,
    trusted: pemsOf(own).cert,
    asked,
    left: left.promise,
    until: async (step) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.set(step, resolve);
      if (asked.includes(step)) resolve();
      await promise;
    },
    instead: (step, answer, times = Infinity) => answers.set(step, { answer, times }),
  };
}

/** Returns an answer with a document of JSON. */
export function json(
  content: unknown,
  status = 200,
  fields: Readonly<Record<string, string>> = {},
): Answer {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...fields });
    response.end(JSON.stringify(content));
  };
}

function usualAnswers(domain: string, base: () => string): Readonly<Record<Step, Answer>> {
  const order = (status: string) => ({
    status,
    identifiers: [{ type: 'dns', value: domain }],
    authorizations: [`${base()}/authz`],
    finalize: `${base()}/finalize`,
    certificate: `${base()}/cert`,
  });
  const challenge = { type: 'http-01', token: 'token', status: 'valid' };
  return {
    dir: (response, request) =>
      json({
        newNonce: `${base()}/nonce`,
        newAccount: `${base()}/account`,
        newOrder: `${base()}/order`,
        meta: { termsOfService: `${base()}/terms` },
      })(response, request),
    nonce: (response) => response.end(),
    account: (response, request) =>
      json({ status: 'valid' }, 201, { location: `${base()}/account/1` })(response, request),
    order: (response, request) =>
      json(order('pending'), 201, { location: `${base()}/order/1` })(response, request),
    authz: (response, request) =>
      json({
        identifier: { type: 'dns', value: domain },
        status: 'pending',
        challenges: [{ ...challenge, url: `${base()}/challenge` }],
      })(response, request),
    challenge: (response, request) =>
      json({ ...challenge, url: `${base()}/challenge` })(response, request),
    finalize: (response, request) => json(order('valid'))(response, request),
    cert: (response) => response.end('no certificate'),
  };
}

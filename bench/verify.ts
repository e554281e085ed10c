// Before anything is timed, every peer must answer every scenario correctly: status,
// fields, framing, body, and what the origin saw. Uses Node's own HTTP client, which
// is stricter than the load tools.

import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { TLSSocket } from 'node:tls';
import { LOOPBACK } from './harness/ports.ts';
import { TLS_HOST, TLS_SUITE } from './peers/tls.ts';
import { bodyOf, digest, requestFields, type Scenario } from './scenarios.ts';

/** Enough to reuse connections on both sides several times. */
const REPEATS = 3;
const PARALLEL = 8;
const TIMEOUT_MS = 10_000;

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  /** Undefined in the clear. */
  readonly suite: string | undefined;
}

/** Returns what is wrong with the answers to `scenario` on `port`, one sentence each. */
export async function verifyScenario(port: number, scenario: Scenario): Promise<string[]> {
  const agent = agentFor(scenario);
  const faults = new Set<string>();
  try {
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      const asked = Array.from({ length: PARALLEL }, () => ask(port, scenario, agent));
      for (const answer of await Promise.all(asked)) {
        for (const fault of faultsOf(answer, scenario)) faults.add(fault);
      }
    }
  } catch (error) {
    faults.add(String(error));
  } finally {
    agent.destroy();
  }
  return [...faults];
}

/** Returns what is wrong with the forwarding fields that the origin saw. */
export async function verifyForwarding(port: number, scenario: Scenario): Promise<string[]> {
  const agent = agentFor(scenario);
  try {
    const { body } = await ask(port, { ...scenario, path: '/seen' }, agent);
    const expected = `${LOOPBACK}|bench.example|GET`;
    const got = body.toString('latin1');
    return got === expected ? [] : [`expected the origin to see ${expected}, got ${got}`];
  } catch (error) {
    return [String(error)];
  } finally {
    agent.destroy();
  }
}

function agentFor({ isKeptAlive, tls }: Scenario): http.Agent {
  const options = { keepAlive: isKeptAlive, maxSockets: PARALLEL };
  if (tls === undefined) return new http.Agent(options);
  // The certificate was made for this run.
  return new https.Agent({ ...options, servername: TLS_HOST, rejectUnauthorized: false });
}

function suiteOf({ socket }: IncomingMessage): string | undefined {
  return 'encrypted' in socket ? (socket as TLSSocket).getCipher().standardName : undefined;
}

function faultsOf(answer: Answer, scenario: Scenario): string[] {
  const faults: string[] = [];
  const expect = (what: string, expected: unknown, got: unknown): void => {
    if (expected !== got) faults.push(`expected ${what} ${String(expected)}, got ${String(got)}`);
  };
  expect('status', 200, answer.status);
  expect('suite', scenario.tls && TLS_SUITE, answer.suite);
  expect('x-origin', 'bench', answer.headers['x-origin']);
  if (scenario.framing === 'chunked') {
    expect('transfer-encoding', 'chunked', answer.headers['transfer-encoding']);
  } else expect('content-length', String(answer.body.length), answer.headers['content-length']);
  if (!scenario.isKeptAlive) expect('connection', 'close', answer.headers.connection);
  if (scenario.requestBodyBytes > 0) {
    const [length, read] = answer.body.toString('latin1').split(' ').map(Number);
    expect('length at the origin', scenario.requestBodyBytes, length);
    // What the origin read is the head, which each peer changes a little, and the body.
    const headBytes = (read ?? 0) - scenario.requestBodyBytes;
    if (!(headBytes > 0 && headBytes < 4_096)) faults.push(`the origin read ${read} bytes`);
  } else {
    expect('body bytes', scenario.replyBodyBytes, answer.body.length);
    expect('body hash', digest(bodyOf(scenario.replyBodyBytes)), digest(answer.body));
  }
  return faults;
}

function ask(port: number, scenario: Scenario, agent: http.Agent): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const sent = (scenario.tls === undefined ? http : https).request(
    {
      port,
      host: LOOPBACK,
      agent,
      setHost: false,
      timeout: TIMEOUT_MS,
      method: scenario.method,
      path: scenario.path,
      headers: requestFields(scenario).flat(),
    },
    (answer) => {
      const parts: Buffer[] = [];
      const suite = suiteOf(answer);
      answer.on('data', (bytes: Buffer) => parts.push(bytes));
      answer.once('error', reject);
      answer.once('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: Buffer.concat(parts),
          suite,
        }),
      );
    },
  );
  sent.once('timeout', () => sent.destroy(new Error('no answer in time')));
  sent.once('error', reject);
  sent.end(bodyOf(scenario.requestBodyBytes));
  return promise;
}

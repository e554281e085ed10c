// Which requests get a line in the access log, and what stands in it. The log writes to stdout, so
// it runs in a process of its own whose output is read.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import type { AccessLogPolicy } from '../../../../src/contract/worker-settings.ts';

const run = promisify(execFile);

/** One exchange as the log sees it; `count` equal ones end after each other. */
interface Ended {
  readonly count: number;
  readonly status: number;
  readonly failure?: string;
}

const CHILD = `
  const [, policy, ended] = process.argv;
  const { AccessLog } = await import(${JSON.stringify(
    new URL('../../../../src/data-plane/exchange/access-log.ts', import.meta.url).href,
  )});
  const log = new AccessLog(JSON.parse(policy), () => {});
  for (const { count, status, failure } of JSON.parse(ended)) {
    for (let i = 0; i < count; i++) {
      const deployment = { service: 'default', color: 'blue', release: 'v1', generation: 7 };
      const exchange = {
        deployment, reason: 1, minor: 1, wasTargetAsked: true, failure, retries: 0, requestId: 'r-1', trace: '0'.repeat(31) + '1-00000000000000a1',
        client: { peer: { address: '10.0.0.1' } },
        method: { name: 'GET' },
        request: {
          head: 'GET /path?token=secret HTTP/1.1\\r\\nHost: shop.test\\r\\nCookie: secret\\r\\n' +
            'User-Agent: curl\\r\\n\\r\\n',
          bytes: 1,
        },
        response: { status, bytes: 2, firstByteMicros: 250 },
        pool: { endpoint: { url: 'http://10.0.0.2:80' } },
      };
      log.ended(exchange, 1.23456);
    }
  }
  log.refused('BAD_REQUEST', '10.0.0.3', 'r-2');
  log.flush(() => process.exit(0)); // What is not written by now is lost.
`;

const POLICY: AccessLogPolicy = { mode: 'all', oneIn: 100, format: 'json', query: false };

type Line = Readonly<Record<string, unknown>>;

/** Returns the lines that stand in the log. */
async function logged(policy: AccessLogPolicy, ended: readonly Ended[]): Promise<Line[]> {
  const args = ['--input-type=module', '-e', CHILD, JSON.stringify(policy), JSON.stringify(ended)];
  const { stdout } = await run(process.execPath, args, { env: { PATH: process.env['PATH'] } });
  t.notMatch(stdout, /secret/);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

await t.test('off writes nothing', async (t) => {
  t.strictSame(await logged({ ...POLICY, mode: 'off' }, [{ count: 3, status: 500 }]), []);
});

await t.test('all writes every request, with what an operator asks for', async (t) => {
  const [first, second, refused] = await logged({ ...POLICY, mode: 'all' }, [
    { count: 1, status: 200 },
    { count: 1, status: 502, failure: 'UPSTREAM_CLOSED' },
  ]);
  const { time, ...rest } = first!;
  t.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  t.strictSame(rest, {
    kind: 'access',
    client: '10.0.0.1',
    protocol: 'HTTP/1.1',
    host: 'shop.test',
    userAgent: 'curl',
    firstByteMs: 0.25,
    method: 'GET',
    path: '/path',
    status: 200,
    requestId: 'r-1',
    traceId: `${'0'.repeat(31)}1`,
    spanId: '00000000000000a1',
    service: 'default',
    color: 'blue',
    release: 'v1',
    generation: 7,
    reason: 'session',
    target: 'http://10.0.0.2:80',
    ms: 1.235,
    requestBytes: 1,
    responseBytes: 2,
    retries: 0,
  });
  t.match(second, { failure: 'UPSTREAM_CLOSED', blame: 'upstream' });
  t.match(refused, {
    status: 400,
    failure: 'BAD_REQUEST',
    blame: 'client',
    client: '10.0.0.3',
    requestId: 'r-2',
  });
});

await t.test('sampled writes one in so many, and everything that failed', async (t) => {
  const lines = await logged({ ...POLICY, mode: 'sampled', oneIn: 10 }, [
    { count: 100, status: 200 },
    { count: 3, status: 503 },
    { count: 2, status: 499, failure: 'CLIENT_GONE' },
  ]);
  t.equal(lines.filter(({ status }) => status === 200).length, 10);
  t.equal(lines.filter(({ status }) => status === 503).length, 3);
  t.equal(lines.filter(({ status }) => status === 499).length, 2);
});

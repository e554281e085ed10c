// Clients that people use, over TLS: each gets a whole response, and each takes one without a length that
// was cut for an error, never for a whole.

import { execFile } from 'node:child_process';
import https from 'node:https';
import t from 'tap';
import { GET, OK, withBench } from '../support/fault-bench.ts';
import { skipWithout } from '../support/installed.ts';
import type { OriginConnection } from '../support/origin.ts';
import { testCertificates, TLS_TEST_POLICY } from '../support/test-certificates.ts';

const skip = skipWithout('openssl', 'curl', 'python3');
const PATCH = { listener: { tls: TLS_TEST_POLICY }, certificates: testCertificates() };
const PART = 'half of it';

/** Answers, or breaks off in the middle of what has no length. */
async function script(connection: OriginConnection): Promise<void> {
  const isCut = await connection.until('request', () => {
    if (!connection.text.endsWith('\r\n\r\n')) return undefined;
    return connection.text.startsWith('GET /cut ');
  });
  if (!isCut) {
    connection.send(OK.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    connection.end();
    return;
  }
  connection.send(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${PART}`);
  // The client has the part before the rest fails.
  await new Promise<void>((resolve) => (cut = resolve));
  connection.reset();
}

let cut: () => void = () => {};

interface Ended {
  readonly code: number;
  readonly text: string;
}

/** Runs a program; the target breaks off once the part has come out of it. */
async function run(file: string, args: readonly string[], input = ''): Promise<Ended> {
  return new Promise((resolve) => {
    let text = '';
    const child = execFile(file, args);
    const take = (bytes: unknown): void => {
      text += String(bytes);
      if (text.includes(PART)) cut();
    };
    child.stdout!.on('data', take);
    child.stderr!.on('data', take);
    child.stdin!.on('error', () => {});
    child.stdin!.write(input);
    child.on('close', (code) => resolve({ code: code ?? -1, text }));
  });
}

const PYTHON = `
import http.client, ssl, sys
context = ssl._create_unverified_context()
c = http.client.HTTPSConnection('127.0.0.1', int(sys.argv[1]), context=context)
c.request('GET', sys.argv[2])
r = c.getresponse()
while True:
    part = r.read1(100)
    if not part: break
    print(part.decode(), flush=True)
print('whole', flush=True)
`;

async function node(port: number, path: string): Promise<Ended> {
  return new Promise((resolve) => {
    let text = '';
    const ended = (code: number) => (): void => resolve({ code, text });
    const options = { port, path, host: '127.0.0.1', rejectUnauthorized: false, agent: false };
    https
      .get(options, (response) => {
        response.on('data', (bytes) => {
          text += String(bytes);
          if (text.includes(PART)) cut();
        });
        response.on('error', ended(1));
        response.on('end', ended(0));
      })
      .on('error', ended(2));
  });
}

await t.test('whole and cut responses', { skip }, async (t) => {
  await withBench(t, { script, patch: PATCH }, async ({ plane }) => {
    const url = `https://127.0.0.1:${plane.port}`;
    const curl = async (path: string) => run('curl', ['-ksSN', `${url}${path}`]);
    t.strictSame(await curl('/'), { code: 0, text: 'ok' });
    const cutCurl = await curl('/cut');
    t.ok([18, 56].includes(cutCurl.code), `curl: ${cutCurl.code}`);
    t.match(cutCurl.text, PART);

    const python = async (path: string) => run('python3', ['-c', PYTHON, String(plane.port), path]);
    t.match(await python('/'), { code: 0, text: /ok\s+whole/ });
    const cutPython = await python('/cut');
    t.equal(cutPython.code, 1);
    t.notMatch(cutPython.text, /whole/);

    t.strictSame(await node(plane.port, '/'), { code: 0, text: 'ok' });
    t.match(await node(plane.port, '/cut'), { code: 1, text: PART });

    const openssl = async (request: string) =>
      run('openssl', ['s_client', '-quiet', '-connect', `127.0.0.1:${plane.port}`], request);
    const closing = GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
    t.match(await openssl(closing), { code: 0, text: /200 OK[^]*ok/ });
    const cutText = (await openssl(closing.replace('/ ', '/cut '))).text;
    t.match(cutText, PART);
    t.notOk(cutText.includes('\r\n0\r\n'), 'no last chunk');
  });
});

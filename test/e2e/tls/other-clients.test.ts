// Python and openssl over TLS, with two workers: sessions of TLS that go on in any of them, by versions
// 1.2 and 1.3, and a session cookie that stays on its release over a switch.

import { spawn, execFile } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { seriesOf } from '../../support/admin-client.ts';
import { skipWithout } from '../../support/installed.ts';
import { temporaryDirectory } from '../turnout-process.ts';
import { HOST, openTlsScene, type TlsScene } from './tls-scene.ts';

const skip = skipWithout('openssl', 'python3');
/** More connections than one of two workers gets by chance. */
const VISITS = 12;

const PYTHON = `
import http.client, http.cookiejar, json, socket, ssl, sys, urllib.request
host, port, ca = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context(cafile=ca)

def say(**what): print(json.dumps(what), flush=True)

# One connection for many requests.
c = http.client.HTTPSConnection(host, port, context=context)
c.connect()
sock = c.sock
colors = set()
for i in range(20):
    c.request('POST', '/upload', body=b'x' * 100_000) if i % 2 else c.request('GET', '/')
    colors.add(c.getresponse().read().decode().split(' ')[0])
say(colors=sorted(colors), kept=c.sock is sock, version=sock.version())
c.close()

# A session of TLS, on a new connection each time.
def visit(own, session):
    c = http.client.HTTPSConnection(host, port, context=own)
    raw = socket.create_connection((host, port))
    c.sock = own.wrap_socket(raw, server_hostname=host, session=session)
    c.request('GET', '/')
    c.getresponse().read()
    found = (c.sock.session_reused, c.sock.session, c.sock.version())
    c.close()
    return found

old = ssl.create_default_context(cafile=ca)
old.maximum_version = ssl.TLSVersion.TLSv1_2
for own in (context, old):
    reused, session, version = visit(own, None)
    again = [visit(own, session)[0] for i in range(${VISITS})]
    say(version=version, first=reused, again=again.count(True))

# A cookie.
jar = http.cookiejar.CookieJar()
handlers = (urllib.request.HTTPSHandler(context=context), urllib.request.HTTPCookieProcessor(jar))
opener = urllib.request.build_opener(*handlers)
base = 'https://%s:%d/' % (host, port)
say(before=opener.open(base).read().decode(), cookies=[one.name[:7] for one in jar])
sys.stdin.readline()
say(after=sorted({opener.open(base).read().decode() for i in range(${VISITS})}),
    new=urllib.request.build_opener(handlers[0]).open(base).read().decode())
`;

await t.test('other clients', { skip }, async (t) => {
  const scene = await openTlsScene(t);
  await t.test('Python', async (t) => checkPython(t, scene));
  await t.test('openssl', async (t) => checkOpenssl(t, scene));
});

async function checkPython(t: Test, scene: TlsScene): Promise<void> {
  const { door, caFile } = scene;
  const args = ['-c', PYTHON, door.host, String(door.port), caFile];
  const child = spawn('python3', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => JSON.parse(String((await lines.next()).value));
  t.strictSame(await next(), { colors: ['blue'], kept: true, version: 'TLSv1.3' });
  t.strictSame(await next(), { version: 'TLSv1.3', first: false, again: VISITS });
  t.strictSame(await next(), { version: 'TLSv1.2', first: false, again: VISITS });
  t.strictSame(await next(), { before: 'blue', cookies: ['__Host-'] });
  await scene.switchTo('green');
  const ended = once(child, 'close');
  child.stdin.end('switched\n');
  t.strictSame(await next(), { after: ['blue'], new: 'green' });
  t.strictSame((await ended)[0], 0);
}

/** Runs s_client with a request, and returns what it says. */
async function sClient({ door, caFile }: TlsScene, ...more: readonly string[]): Promise<string> {
  const where = ['-connect', `${door.host}:${door.port}`, '-servername', HOST, '-CAfile', caFile];
  const child = execFile('openssl', ['s_client', ...where, '-ign_eof', ...more]);
  let text = '';
  child.stdout!.on('data', (bytes) => (text += String(bytes)));
  child.stdin!.end(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
  await once(child, 'close');
  return text;
}

async function checkOpenssl(t: Test, scene: TlsScene): Promise<void> {
  const resumed = async (): Promise<number> => {
    const { text } = await scene.admin.get('/metrics');
    return seriesOf(text, 'turnout_tls_handshakes_total{outcome="resumed"}') ?? 0;
  };
  const before = await resumed();
  for (const version of ['-tls1_2', '-tls1_3']) {
    const file = join(temporaryDirectory(t), 'session.pem');
    const first = await sClient(scene, version, '-sess_out', file);
    t.match(first, /^New, TLSv1\.[23], Cipher is [^]*Verify return code: 0[^]*HTTP\/1\.1 200 OK/m);
    for (let visit = 0; visit < VISITS / 2; visit++) {
      t.match(
        await sClient(scene, version, '-sess_in', file),
        /^Reused, TLSv1\.[23], [^]* 200 OK/m,
      );
    }
  }
  t.equal((await resumed()) - before, VISITS, 'as the worker that each came to has counted');
}

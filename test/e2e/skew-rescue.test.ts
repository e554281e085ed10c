// Files of the release before: a page that was loaded before a switch asks for them after it. The
// active color says 404, the other one has them, and no connection suffers on the way.

import t from 'tap';
import { seriesOf, type AdminClient } from '../support/admin-client.ts';
import { responseAt } from '../support/hold-scene.ts';
import { okOf, replyWith, toldOf, type Answer } from '../support/skew-app.ts';
import {
  bytesOf,
  openSkewScene,
  sessionOf,
  switchAfterVisit,
  type SkewScene,
} from '../support/skew-scene.ts';
import { statusOf, valuesOf } from '../support/message.ts';
import { settledMetrics } from '../support/settled-metrics.ts';

t.setTimeout(180_000);

const CACHED = ['Cache-Control: public, max-age=31536000, immutable', 'ETag: "old"'];
const OLD = '/assets/app.1a2b.js';
const NO_SUCH = replyWith('404 Not Found', 'green: no such file', 'Cache-Control: max-age=60');

/** Green does not have what blue has. */
async function afterSwitch(
  t: Parameters<typeof openSkewScene>[0],
  missing: Answer = NO_SUCH,
  args: readonly string[] = [],
): Promise<SkewScene> {
  const scene = await openSkewScene(t, {
    blue: {
      [OLD]: okOf('blue file', ...CACHED),
      '/assets/none.js': replyWith('404 Not Found', 'blue: none', 'Cache-Control: max-age=3600'),
      '/other/app.js': okOf('blue other'),
      '/assets/large.js': okOf('L'.repeat(3_000_000), ...CACHED),
    },
    green: {
      [OLD]: missing,
      '/assets/none.js': missing,
      '/other/app.js': missing,
      '/assets/large.js': missing,
      '/assets/new.js': okOf('green file', ...CACHED),
    },
    args,
  });
  await switchAfterVisit(scene);
  return scene;
}

async function rescuedCount(admin: AdminClient, color: string, release: string): Promise<number> {
  const text = await settledMetrics(admin);
  const labels = `service="default",color="${color}",release="${release}"`;
  return seriesOf(text, `turnout_rescued_total{${labels}}`) ?? 0;
}

await t.test(
  'a file of the old page comes from the old color, as that would give it',
  async (t) => {
    const scene = await afterSwitch(t);
    const { admin, blue, get, green } = scene;
    for (const fields of [[], [sessionOf(await get('/page'))]]) {
      const response = await get(OLD, ...fields);
      t.equal(response.body, 'blue file');
      t.equal(statusOf(response.start), 200);
      t.strictSame(valuesOf(response.fields, 'cache-control'), [CACHED[0]!.slice(15)]);
      t.strictSame(valuesOf(response.fields, 'etag'), ['"old"']);
      t.strictSame(valuesOf(response.fields, 'set-cookie'), [], 'a cache may keep it');
    }
    t.equal(green.count(OLD), 2, 'the active color was asked first');
    t.equal(blue.count(OLD), 2);
    const asked = blue.asked.findLast(({ path }) => path === OLD)!;
    t.strictSame(toldOf(asked), { color: 'blue', release: 'r1' }, 'the target hears its own name');
    t.equal(await rescuedCount(scene.admin, 'blue', 'r1'), 2);
    t.equal(await rescuedCount(scene.admin, 'green', 'r2'), 0);
    const text = await settledMetrics(admin);
    t.match(
      text.split('\n').filter((line) => line.includes('reason="rescue"')),
      [/^turnout_requests_total\{.*color="blue".*code="200".*\} 2$/],
    );
    t.match(text, /^turnout_inflight_requests\{.*color="blue".*\} 0$/m);
    t.match(text, /^turnout_inflight_requests\{.*color="green".*\} 0$/m);
  },
);

await t.test('what the active color has is its own business', async (t) => {
  const scene = await afterSwitch(t);
  const { blue, get } = scene;
  t.equal((await get('/assets/new.js')).body, 'green file');
  t.equal(blue.count('/assets/new.js'), 0);
  t.equal(await rescuedCount(scene.admin, 'blue', 'r1'), 0);
});

await t.test('a HEAD is rescued, and so is a question for a part or a change', async (t) => {
  const scene = await afterSwitch(t);
  const { ask, blue, get } = scene;
  const head = await ask({ method: 'HEAD', target: `${OLD}?v=1` });
  t.equal(statusOf(head.start), 200);
  t.strictSame(valuesOf(head.fields, 'content-length'), ['9']);
  t.strictSame(valuesOf(head.fields, 'etag'), ['"old"']);
  t.equal(head.body, '');
  await get(OLD, 'If-None-Match: "old"', 'Range: bytes=0-3');
  const asked = blue.asked.at(-1)!;
  t.strictSame(valuesOf(asked.fields, 'if-none-match'), ['"old"']);
  t.strictSame(valuesOf(asked.fields, 'range'), ['bytes=0-3']);
  t.equal(await rescuedCount(scene.admin, 'blue', 'r1'), 2);
});

await t.test('when neither has it, nobody may keep that it is not there', async (t) => {
  const scene = await afterSwitch(t);
  const { blue, get, green } = scene;
  const response = await get('/assets/none.js');
  t.equal(statusOf(response.start), 404);
  t.strictSame(valuesOf(response.fields, 'cache-control'), ['no-store']);
  t.strictSame(valuesOf(response.fields, 'set-cookie'), []);
  t.equal(green.count('/assets/none.js') + blue.count('/assets/none.js'), 2, 'each asked once');
  t.equal(await rescuedCount(scene.admin, 'blue', 'r1'), 0, 'that is no rescue');
});

await t.test(
  'only what reads a file by pattern from the active color is tried again',
  async (t) => {
    const scene = await openSkewScene(t, {
      blue: { '/assets/later.js': NO_SUCH },
      green: { [OLD]: NO_SUCH, '/other/app.js': NO_SUCH, '/assets': NO_SUCH },
    });
    const { ask, blue, change, get, green } = scene;
    const early = await get('/assets/later.js');
    t.equal(statusOf(early.start), 404, 'a color that was never active rescues nobody');
    t.equal(green.asked.length, 0);
    const old = sessionOf(await get('/login'));
    await change('/v1/switch', { to: 'green' });
    const before = blue.asked.length;
    for (const request of [
      { method: 'POST', target: OLD },
      { method: 'POST', target: OLD, body: 'x' },
      { method: 'GET', target: OLD, body: 'x' },
      { method: 'PUT', target: OLD, body: 'x' },
      { method: 'DELETE', target: OLD },
      { method: 'OPTIONS', target: OLD },
      { method: 'GET', target: '/other/app.js' },
      { method: 'GET', target: '/assets' },
      { method: 'GET', target: '/other/app.js?x=/assets/' },
    ]) {
      const response = await ask(request);
      t.equal(response.body, 'green: no such file', `${request.method} ${request.target}`);
      t.strictSame(valuesOf(response.fields, 'cache-control'), ['private, max-age=60']);
    }
    t.equal(blue.asked.length, before);
    // Who is on the old color is answered there.
    const stays = await get('/assets/later.js', old);
    t.equal(statusOf(stays.start), 404);
    t.equal(green.count('/assets/later.js'), 0);
    t.equal(blue.count('/assets/later.js'), 2, 'once before, and once now');
  },
);

await t.test('when the other color cannot be asked, there is no such file', async (t) => {
  const scene = await afterSwitch(t);
  const { admin, blue, connect } = scene;
  await blue.close();
  const peer = await connect();
  peer.send(bytesOf({ method: 'GET', target: OLD }));
  const response = await responseAt(peer, { from: 0, method: 'GET' });
  t.equal(statusOf(response.start), 404);
  t.strictSame(valuesOf(response.fields, 'x-turnout-failure'), ['RESCUE_FAILED']);
  t.strictSame(valuesOf(response.fields, 'cache-control'), ['no-store']);
  t.strictSame(valuesOf(response.fields, 'set-cookie'), []);
  peer.send(bytesOf({ method: 'GET', target: '/page' }));
  const next = await responseAt(peer, { from: response.end, method: 'GET' });
  t.equal(next.body, 'green /page', 'the connection goes on');
  const text = await settledMetrics(admin);
  t.equal(seriesOf(text, 'turnout_rejected_total{code="404",failure="RESCUE_FAILED"}'), 1);
  t.equal(await rescuedCount(scene.admin, 'blue', 'r1'), 0);
});

await t.test('a rescuer that breaks off, or talks nonsense, has no such file either', async (t) => {
  const broken: readonly Answer[] = [
    (connection) => connection.reset(),
    (connection) => connection.end(),
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
  ];
  const filesOf = (answerOf: (index: number) => Answer): Record<string, Answer> =>
    Object.fromEntries(broken.map((_, index) => [`/assets/${index}.js`, answerOf(index)]));
  const scene = await openSkewScene(t, {
    blue: filesOf((index) => broken[index]!),
    green: filesOf(() => NO_SUCH),
  });
  const { get } = scene;
  await switchAfterVisit(scene);
  for (const index of broken.keys()) {
    const response = await get(`/assets/${index}.js`);
    t.equal(statusOf(response.start), 404);
    t.strictSame(valuesOf(response.fields, 'x-turnout-failure'), ['RESCUE_FAILED']);
  }
});

const HEAD_404 = 'HTTP/1.1 404 Not Found\r\n';

/** Ways to say 404, and whether the connection can serve on. */
const FORMS: readonly {
  readonly name: string;
  readonly answer: Answer;
  readonly isKept: boolean;
}[] = [
  { name: 'with a short body', answer: NO_SUCH, isKept: true },
  { name: 'without a body', answer: replyWith('404 Not Found', ''), isKept: true },
  {
    name: 'in chunks with a trailer',
    answer: `${HEAD_404}Transfer-Encoding: chunked\r\n\r\n5\r\nnoone\r\n0\r\nX-T: 1\r\n\r\n`,
    isKept: true,
  },
  {
    name: 'behind an early hint',
    answer: `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${NO_SUCH}`,
    isKept: true,
  },
  {
    name: 'with a large body',
    answer: replyWith('404 Not Found', 'g'.repeat(2_000_000)),
    isKept: false,
  },
  {
    name: 'in many chunks',
    answer: `${HEAD_404}Transfer-Encoding: chunked\r\n\r\n${`1000\r\n${'g'.repeat(4_096)}\r\n`.repeat(100)}0\r\n\r\n`,
    isKept: false,
  },
  {
    name: 'with a body that ends with the connection',
    answer: (connection) => {
      connection.send(`${HEAD_404}Connection: close\r\n\r\nno such`);
      connection.end();
    },
    isKept: false,
  },
  {
    name: 'and closes',
    answer: (connection) => {
      connection.send(replyWith('404 Not Found', 'gone', 'Connection: close'));
      connection.end();
    },
    isKept: false,
  },
  {
    name: 'and says more than it should',
    answer: `${NO_SUCH}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`,
    isKept: false,
  },
];

function pathOf(index: number): string {
  return `/assets/${index}.js`;
}

function largeOf(index: number): string {
  return `/assets/${index}/large.js`;
}

await t.test('no form of a 404 spoils a connection', async (t) => {
  const each = (files: (index: number) => [string, Answer][]): Record<string, Answer> =>
    Object.fromEntries(FORMS.flatMap((_, index) => files(index)));
  const scene = await openSkewScene(t, {
    blue: each((index) => [
      [pathOf(index), okOf('blue file', ...CACHED)],
      [largeOf(index), okOf('L'.repeat(2_000_000), ...CACHED)],
    ]),
    green: each((index) => [
      [pathOf(index), FORMS[index]!.answer],
      [largeOf(index), FORMS[index]!.answer],
    ]),
    args: ['--upstream-connections', '1'],
  });
  const { admin, blue, connect, green } = scene;
  await switchAfterVisit(scene);
  for (const [index, { name, isKept }] of FORMS.entries()) {
    const askedBefore = green.asked.length;
    const peer = await connect();
    let from = 0;
    const next = async (): Promise<string> => {
      const response = await responseAt(peer, { from, method: 'GET' });
      from = response.end;
      // An early hint of the active color goes to the client all the same.
      return statusOf(response.start) === 103 ? next() : response.body.slice(0, 20);
    };
    peer.send(bytesOf({ method: 'GET', target: pathOf(index) }));
    t.equal(await next(), 'blue file', `a 404 ${name} is rescued`);
    peer.send(bytesOf({ method: 'GET', target: '/page' }));
    t.equal(await next(), 'green /page', 'the next request is answered as ever');
    // Many at once, in order, some of them rescued.
    const targets = [pathOf(index), '/a', pathOf(index), largeOf(index), '/b', pathOf(index), '/c'];
    peer.send(targets.map((target) => bytesOf({ method: 'GET', target })).join(''));
    const bodies = [];
    for (const _ of targets) bodies.push(await next());
    const large = 'L'.repeat(20);
    t.strictSame(
      bodies,
      ['blue file', 'green /a', 'blue file', large, 'green /b', 'blue file', 'green /c'],
      'and so are many',
    );
    t.equal(peer.text.length, from, 'nothing comes behind');
    const used = new Set(green.asked.slice(askedBefore).map(({ connection }) => connection));
    t.equal(used.size === 1, isKept, `${used.size} connections to the active color were used`);
  }
  t.equal(new Set(blue.asked.map(({ connection }) => connection)).size, 1, 'and one to the other');
  t.equal(await rescuedCount(admin, 'blue', 'r1'), FORMS.length * 5);
});

await t.test('a body of 404 that never ends keeps nobody waiting', async (t) => {
  const scene = await afterSwitch(t, (connection) => {
    connection.send(`${HEAD_404}Content-Length: 100\r\n\r\nonly this`);
  });
  const { connect } = scene;
  const peer = await connect();
  peer.send(bytesOf({ method: 'GET', target: OLD }) + bytesOf({ method: 'GET', target: '/page' }));
  const first = await responseAt(peer, { from: 0, method: 'GET' });
  t.equal(first.body, 'blue file');
  t.equal((await responseAt(peer, { from: first.end, method: 'GET' })).body, 'green /page');
});

await t.test('a client that leaves in the middle of a rescue leaves nothing behind', async (t) => {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  const scene = await openSkewScene(t, {
    blue: {
      [OLD]: async (connection) => {
        arrive();
        await connection.watch(() => connection.ending);
        close();
      },
    },
    green: { [OLD]: NO_SUCH },
  });
  await switchAfterVisit(scene);
  const peer = await scene.connect();
  peer.send(bytesOf({ method: 'GET', target: OLD }));
  await arrived;
  peer.reset();
  await closed;
  const text = await settledMetrics(scene.admin);
  t.match(text, /^turnout_inflight_requests\{.*color="blue".*\} 0$/m);
  t.match(text, /^turnout_inflight_requests\{.*color="green".*\} 0$/m);
  t.equal((await scene.get('/page')).body, 'green /page');
});

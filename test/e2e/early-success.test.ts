// A target that answers 2xx before it has read the whole request, and goes on reading: the rest of the
// upload arrives there, byte for byte, and both connections carry the next request. Over TCP and over
// Unix sockets.

import t from 'tap';
import { CutBench } from '../support/cut-bench.ts';
import { GET, OK, responseOf } from '../support/fault-bench.ts';
import { statusOf } from '../support/message.ts';
import { failureCounts } from '../support/shared-counters.ts';
import { socketPath } from '../unit/data-plane/support/stream-pair.ts';

const FIRST = 'a'.repeat(10_000);
/** Far more than one read takes. */
const REST = 'b'.repeat(3_000_000);

const UPLOADS = {
  length: {
    head: `Content-Length: ${FIRST.length + REST.length}`,
    first: FIRST,
    rest: REST,
  },
  chunked: {
    head: 'Transfer-Encoding: chunked',
    first: `2710\r\n${FIRST}\r\n`,
    rest: `2dc6c0\r\n${REST}\r\n0\r\n\r\n`,
  },
} as const;

/** What the target sends before the rest of the upload has come, and after. */
const RESPONSES = {
  'a whole response': { before: OK, after: '' },
  'the beginning of a response': {
    before: 'HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n',
    after: '0\r\n\r\n',
  },
} as const;

for (const transport of ['TCP', 'Unix'] as const) {
  for (const framing of ['length', 'chunked'] as const) {
    for (const [name, response] of Object.entries(RESPONSES)) {
      const upload = UPLOADS[framing];
      await t.test(`the rest of an upload follows ${name}: ${framing}, ${transport}`, async (t) => {
        const path = socketPath(t);
        const bench = await CutBench.open(transport, (name) => `${path}-${name}`);
        const client = await bench.connect();
        client.send(`POST / HTTP/1.1\r\nHost: shop.test\r\n${upload.head}\r\n\r\n${upload.first}`);
        const target = await bench.target();
        await target.nextHead();
        target.send(response.before);
        await client.until('response', () => (client.text.includes('ok') ? true : undefined));

        client.send(upload.rest);
        const request = await target.nextRequest();
        t.ok(request?.body === FIRST + REST, 'the target has all of the upload, and nothing else');
        target.send(response.after);
        const first = await responseOf(client, { from: 0, method: 'POST' });
        t.equal(first.body, 'ok');

        client.send(GET);
        const next = await target.nextRequest();
        t.match(next?.start, /^GET \/ /, 'the next request comes over the same connection');
        target.send(OK);
        const second = await responseOf(client, { from: first.end, method: 'GET' });
        t.equal(statusOf(second.start), 200);
        t.strictSame(failureCounts(bench.plane), {});
        client.socket.destroy();
        await bench.close();
      });
    }
  }
}

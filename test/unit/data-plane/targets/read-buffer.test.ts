// A connection that may be quiet for long has a large buffer only while a burst lasts, and no bytes
// that are still to be written are read over.

import t from 'tap';
import { ONE_WRITE_BYTES_MAX, QUIET_BUFFERS_KEPT } from '../../../../src/base/limits.ts';
import {
  READ_START,
  ReadArea,
  ReadBuffers,
} from '../../../../src/data-plane/targets/read-buffer.ts';
import { frameInPlace } from '../../../../src/http/bodies/chunked.ts';

const QUIET = { isLongLived: true, hasPendingView: false };
const SLOW = { isLongLived: true, hasPendingView: true };

interface Connection {
  readonly area: ReadArea;
  /** One read of so many bytes; returns the buffer that it went into. */
  readonly read: (length: number | 'full', receiver?: typeof QUIET) => Buffer;
}

function connect(buffers: ReadBuffers): Connection {
  const area = new ReadArea(buffers);
  let next = area.forNextRead();
  return {
    area,
    read: (length, receiver = QUIET) => {
      const { bytes } = area;
      area.wasRead(length === 'full' ? next.length : length, receiver);
      next = area.forNextRead();
      return bytes;
    },
  };
}

await t.test('quiet connections share one small buffer', (t) => {
  const buffers = new ReadBuffers();
  const [first, second] = [connect(buffers), connect(buffers)];
  t.not(first.read(100), second.read(100), 'each begins with its own');
  t.equal(first.read(100), second.read(100));
  t.ok(first.read(100).length < 2 * ONE_WRITE_BYTES_MAX);
  t.end();
});

await t.test('what a burst has used serves the next burst, of whichever connection', (t) => {
  const buffers = new ReadBuffers();
  const connections = Array.from({ length: 50 }, () => connect(buffers));
  const used = new Set<Buffer>();
  for (const { read } of connections) read(100);
  for (const { read } of connections) {
    read('full');
    used.add(read('full'));
    used.add(read(50_000));
    t.ok(read(10).length < 2 * ONE_WRITE_BYTES_MAX, 'the burst is over');
  }
  t.ok(used.size <= 2, `${used.size} buffers for 50 bursts one after another`);
  t.end();
});

await t.test('a buffer is not used again before what lies in it is written', (t) => {
  const buffers = new ReadBuffers();
  const [slow, other] = [connect(buffers), connect(buffers)];
  for (const { read } of [slow, other]) read(100);
  slow.read('full');
  const pending = slow.read(50_000, SLOW);
  other.read('full');
  t.not(other.read(50_000), pending);
  slow.area.wasWritten();
  other.read('full');
  t.equal(other.read(50_000), pending, 'then it serves the next burst');
  t.end();
});

await t.test('a connection for ordinary requests keeps its own large buffer', (t) => {
  const buffers = new ReadBuffers();
  const area = new ReadArea(buffers);
  const own = area.forNextRead();
  area.wasRead(100, { isLongLived: false, hasPendingView: false });
  t.equal(area.forNextRead(), own);
  area.wasRead(100, QUIET);
  area.forNextRead();
  area.wasRead(100, undefined);
  t.ok(area.forNextRead().length > ONE_WRITE_BYTES_MAX, 'after an event stream it has one again');
  t.end();
});

await t.test('a worker keeps a bounded number of them', (t) => {
  const buffers = new ReadBuffers();
  const connections = Array.from({ length: 3 * QUIET_BUFFERS_KEPT }, () => connect(buffers));
  const burst = (): Set<Buffer> => {
    for (const { read } of connections) read('full');
    return new Set(connections.map(({ read }) => read(50_000)));
  };
  for (const { read } of connections) read(100);
  const first = burst();
  const second = burst();
  t.equal([...second].filter((one) => first.has(one)).length, QUIET_BUFFERS_KEPT);
  t.end();
});

await t.test('a head that is longer than that of the target fits before the data', (t) => {
  const area = new ReadArea(new ReadBuffers());
  const { length } = area.forNextRead();
  const cookie = `Set-Cookie: ${'x'.repeat(700)}\r\n\r\n`;
  const theirs = 'HTTP/1.1 200 OK\r\n\r\n';
  const data = [READ_START + theirs.length, READ_START + length];
  const framed = frameInPlace(area.bytes, data, `HTTP/1.1 200 OK\r\n${cookie}`, '');
  t.equal(framed?.buffer, area.bytes.buffer, 'nothing is copied');
  t.end();
});

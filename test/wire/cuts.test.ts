// The wire cases are worth something only if their cuts really reach the other side as two reads.

import { createServer, type AddressInfo } from 'node:net';
import t from 'tap';
import { connectRaw } from '../support/raw-peer.ts';

const ROUNDS = 200;

await t.test('RawPeer delivers each part of a cut text as a read of its own', async (t) => {
  const reads: string[] = [];
  const server = createServer((socket) => {
    socket.on('data', (chunk) => reads.push(chunk.toString('latin1')));
    socket.on('end', () => socket.end());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const results = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    reads.length = 0;
    const client = await connectRaw(port);
    await client.sendCut('abcdef', [1, 4]);
    client.end();
    await client.ended();
    results.add(reads.join('|'));
    client.reset();
  }
  t.strictSame([...results], ['a|bcd|ef']);
});

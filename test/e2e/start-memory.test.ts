// A process that has just started holds no memory for garbage that only its start has made.

import t from 'tap';
import { AdminClient, seriesOf } from '../support/admin-client.ts';
import { startTurnout } from './turnout-process.ts';

const MIB = 1_048_576;

await t.test('the young generation of a fresh process is small', async (t) => {
  const { admin } = await startTurnout(t, ['--blue', 'http://127.0.0.1:1']);
  const client = new AdminClient(admin);
  t.teardown(() => client.close());
  const { text } = await client.get('/metrics');
  const bytes = seriesOf(text, 'nodejs_heap_space_size_total_bytes{space="new"}');
  t.ok(bytes! > 0 && bytes! <= 8 * MIB, `${bytes! / MIB} MiB; it was 32 without the care for it`);
});

// The reader of the output has gone: Turnout serves, decides and stops as before.

import t from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp } from '../support/colored-app.ts';
import { startTurnout } from './turnout-process.ts';

await t.test('a closed output ends nothing and freezes nothing', async (t) => {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const colors = ['--blue', blue.url, '--green', green.url, '--health-kind', 'none'];
  const running = await startTurnout(t, [...colors, '--access-log', 'all']);
  running.process.stdout!.destroy();
  running.process.stderr!.destroy();
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  for (const to of ['green', 'blue', 'green']) {
    // Each writes lines of the control plane and of the worker.
    t.equal((await admin.post('/v1/switch', { to })).status, 200);
    const headers = { connection: 'close' };
    for (let count = 0; count < 50; count++) {
      const answer = await fetch(`http://${running.proxy}/`, { headers });
      t.equal(await answer.text(), to);
    }
  }
  t.match((await admin.get('/v1/status')).json, { workers: { restarts: 0 } });
  running.process.kill('SIGPIPE');
  running.process.kill('SIGHUP');
  t.equal((await admin.get('/readyz')).status, 200, 'nor do these signals');
  running.process.kill('SIGTERM');
  t.equal(await running.ended, 0);
});

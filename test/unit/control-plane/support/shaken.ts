// A daemon in whose process something throws that is not caught. Tells its ports first.

import type { ListenAddress } from '../../../../src/contract/worker-settings.ts';
import { startDaemon } from '../../../../src/control-plane/daemon.ts';
import { FAKE_ENTRY } from './fake-channel.ts';
import { config } from './fixtures.ts';

const daemon = await startDaemon(config(process.argv[2]!), { workerEntry: FAKE_ENTRY });
const port = (address: ListenAddress): number => (address.kind === 'tcp' ? address.port : 0);
process.once('SIGUSR2', () => {
  throw new Error('nobody foresaw this');
});
process.once('SIGTERM', () => {
  process.disconnect();
  void daemon.stop();
});
process.send!({ admin: port(daemon.adminAddress), proxy: port(daemon.proxyAddress) });

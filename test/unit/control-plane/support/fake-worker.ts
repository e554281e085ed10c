// Stands in for a worker of the data plane: answers orders, serves no client. A test tells
// it over a channel to misbehave, and hears there what it was told.

import { createServer } from 'node:net';
import { BroadcastChannel, parentPort, workerData } from 'node:worker_threads';
import type { Order, Report, WorkerBirth } from '../../../../src/contract/messages.ts';
import { addressOfListener, keyOfListener } from '../../../../src/contract/worker-settings.ts';
import { FAKE_CHANNEL, type FakeCommand, type FakeNews } from './fake-channel.ts';

const birth = workerData as WorkerBirth;
const channel = new BroadcastChannel(FAKE_CHANNEL);
let answers = true;
let crashesOnPrepare = false;
let ignoresStop = false;

channel.addEventListener('message', (event) => {
  const command = (event as MessageEvent).data as FakeCommand | FakeNews;
  if (!('do' in command) || (command.index !== birth.index && command.index !== 'all')) return;
  if (command.do === 'throw') throw new Error('told to throw');
  if (command.do === 'exit') process.exit(3);
  if (command.do === 'fault') report({ kind: 'fault', message: 'a broken rule', stack: 'at fake' });
  if (command.do === 'keep-silent') answers = false;
  if (command.do === 'crash-on-prepare') crashesOnPrepare = true;
  if (command.do === 'ignore-stop') ignoresStop = true;
  tell({ news: 'obeyed', index: birth.index });
});

function tell(news: FakeNews): void {
  channel.postMessage(news);
}

function report(message: Report): void {
  parentPort!.postMessage(message);
}

parentPort!.on('message', (order: Order) => {
  tell({ news: 'order', index: birth.index, order: order.kind, version: versionOf(order) });
  if (order.kind === 'prepare' && crashesOnPrepare) throw new Error('this table is poison');
  if (order.kind === 'prepare' && answers) {
    report({ kind: 'prepared', version: order.table.version });
  }
  if (order.kind === 'adopt' && answers) {
    report({ kind: 'adopted', version: order.version });
  }
  if (order.kind === 'resolve' && answers) {
    report({ kind: 'resolved', version: order.version });
  }
  if (order.kind === 'certificates' && answers) {
    report({ kind: 'certified', version: order.set.version });
  }
  if (order.kind === 'stop' && !ignoresStop) {
    server.close();
    report({ kind: 'stopped', cutCount: 1 });
  }
});

function versionOf(order: Order): number {
  if (order.kind === 'prepare') return order.table.version;
  if (order.kind === 'certificates') return order.set.version;
  return 'version' in order ? order.version : 0;
}

const [listener] = birth.settings.listeners;
const listen = addressOfListener(listener!);
const server = createServer((socket) => socket.end());
server.on('error', (error: NodeJS.ErrnoException) => {
  report({
    kind: 'listen-failed',
    address: listen,
    code: error.code ?? '',
    message: error.message,
  });
  parentPort!.close();
  channel.close();
});
server.listen(
  listen.kind === 'unix'
    ? { path: listen.path }
    : { host: listen.host, port: listen.port, reusePort: birth.reusePort },
  () => {
    const bound = server.address();
    report({
      kind: 'listening',
      listeners: [
        {
          listener: keyOfListener(listener!),
          port: typeof bound === 'object' && bound ? bound.port : 0,
          fds: [],
        },
      ],
    });
    tell({
      news: 'born',
      index: birth.index,
      versions: birth.tables.map((table) => table.version),
      keyCount: birth.keys.accepted.length,
      nameCount: birth.names.length,
      certified: birth.certificates.version,
    });
  },
);
